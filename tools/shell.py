"""`make shell`: a shell with Pulumi, an emulated cloud and the stack `local`; it ends with the shell.

Without a terminal the commands are read from the standard input.
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
A cloud of your own runs at {url}; it ends with this shell.
Open that address in a browser to watch it.
  pulumi up                              make what examples/quickstart/__main__.py says; edit it and try again
  pulumi config set flavor s3.large.2    change a setting, then `pulumi preview --diff`
  pulumi destroy                         take everything down again
  openstack server list                  look at the cloud with another client
"""


def shell(place: Playground) -> Sequence[str]:
    """Return the command that opens the shell.

    Args:
        place: What the shell works with.
    """
    if not sys.stdin.isatty():
        return ("bash",)
    # The user's own start-up file may move other programs to the front of PATH.
    start = place.folder / "bashrc"
    start.write_text(
        f"[ -f ~/.bashrc ] && . ~/.bashrc\nexport PATH={shlex.quote(place.env['PATH'])}\nPS1='(ecs) \\W \\$ '\n"
    )
    print(WELCOME.format(url=place.url), flush=True)
    return ("bash", "--rcfile", str(start), "-i")


def main() -> int:
    """Open the shell and take everything down when it ends."""
    end_in_order()
    try:
        with playground() as place:
            status = run(shell(place), place.env)
    except KeyboardInterrupt:
        return 130
    # What a person typed last is no failure of the shell.
    return 0 if sys.stdin.isatty() else status


if __name__ == "__main__":
    sys.exit(main())
