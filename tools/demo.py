"""`make demo`: create, resize and destroy a server with the real `pulumi` on an emulated cloud.

One step fails on purpose: a preview of a flavor that does not exist.
"""

from __future__ import annotations

import sys
import time

from tools.playground import playground
from tools.workspace import end_in_order, run

UP = "pulumi up --skip-preview"
LIST_SERVERS = "openstack server list -c Name -c Status -c Flavor -c Networks"

MISSPELL = "pulumi config set flavor s3.larg.2"
FAILS = "pulumi preview"

STEPS = (
    ("Make the server of examples/quickstart, with its network, router, security group and floating IP:", UP),
    ("Another client of the same cloud sees it:", LIST_SERVERS),
    ("Ask for a larger flavor, but misspell it; the preview reports it:", MISSPELL),
    ("", FAILS),
    ("Correct the name, and preview the change:", "pulumi config set flavor s3.large.2"),
    ("", "pulumi preview --diff"),
    ("Resize the server: stop, resize, wait for VERIFY_RESIZE, confirm, start:", UP),
    ("The same server with the larger flavor:", LIST_SERVERS),
    ("Destroy everything:", "pulumi destroy --skip-preview --remove"),
)


def log(text: str) -> None:
    """Print a sentence in bold, to distinguish it from the output of the commands.

    Args:
        text: The sentence.
    """
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def main() -> int:
    """Run the steps, and delete everything afterwards."""
    end_in_order()
    started = time.monotonic()
    try:
        with playground() as place:
            log(f"A cloud of your own, emulated on this machine. Watch it in a browser: {place.url}/")
            for sentence, command in STEPS:
                if sentence:
                    log(sentence)
                print(f"$ {command}", flush=True)
                status = run(command.split(), place.env)
                if bool(status) != (command == FAILS):
                    return status or 1
    except KeyboardInterrupt:
        return 130
    log(f"Done in {time.monotonic() - started:.0f} s; nothing is left running. To experiment yourself: make shell")
    return 0


if __name__ == "__main__":
    sys.exit(main())
