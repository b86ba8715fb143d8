"""`make shell`: open a shell with Pulumi, an emulated cloud and the stack `local`.

The cloud ends with the shell. Without a terminal, the shell reads commands from standard input.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from tools.playground import Playground, playground
from tools.workspace import end_in_order, run

if TYPE_CHECKING:
    from collections.abc import Sequence

WELCOME = """
An emulated cloud runs at {url} and ends with this shell.
Open that address in a browser to watch it.
  pulumi up                              create the resources of examples/quickstart/__main__.py
  pulumi config set flavor s3.large.2    change a setting, then run `pulumi preview --diff`
  pulumi destroy                         delete everything
  openstack server list                  list the servers with another client
"""


def shell(place: Playground) -> Sequence[str]:
    """Return the command that opens the shell.

    Args:
        place: The cloud and the stack for the shell.
    """
    if not sys.stdin.isatty():
        return ("bash",)
    # The start-up file of the user may put other programs first on PATH.
    start = place.folder / "bashrc"
    start.write_text(
        f"[ -f ~/.bashrc ] && . ~/.bashrc\nexport PATH={shlex.quote(place.env['PATH'])}\nPS1='(ecs) \\W \\$ '\n"
    )
    print(WELCOME.format(url=place.url), flush=True)
    return ("bash", "--rcfile", str(start), "-i")


def main() -> int:
    """Open the shell, and delete everything when it ends."""
    end_in_order()
    try:
        with playground() as place:
            status = run(shell(place), place.env)
    except KeyboardInterrupt:
        return 130
    # The status of the last command that a person typed is not a failure of the shell.
    return 0 if sys.stdin.isatty() else status


if __name__ == "__main__":
    sys.exit(main())
