"""`python -m ecs_pulumi`: the same as `ecs-pulumi`."""

import sys

from ecs_pulumi.cli import entry_point

if __name__ == "__main__":
    sys.exit(entry_point())
