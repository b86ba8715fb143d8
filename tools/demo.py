"""`make demo`: a server made, resized and destroyed, each step by the real `pulumi` on an emulated cloud.

One step goes wrong on purpose: a preview that is asked for what the cloud does not have.
"""

from __future__ import annotations

import sys
import time

from tools.playground import playground
from tools.workspace import end_in_order, run

LOOK = "openstack server list -c Name -c Status -c Flavor -c Networks"

MISSPELL = "pulumi config set flavor s3.larg.2"
FAILS = "pulumi preview"

STEPS = (
    ("Make the server of examples/quickstart, with its key, network, port and disks:", "pulumi up --skip-preview"),
    ("Another client of the same cloud sees it:", LOOK),
    ("Ask for a larger flavor, but misspell it; the preview knows what the cloud has:", MISSPELL),
    ("", FAILS),
    ("Ask for what is meant, and see what would happen before it does:", "pulumi config set flavor s3.large.2"),
    ("", "pulumi preview --diff"),
    ("Change it: stop, resize, wait for VERIFY_RESIZE, confirm, start:", "pulumi up --skip-preview"),
    ("The same server, larger:", LOOK),
    ("Take everything down again:", "pulumi destroy --skip-preview --remove"),
)


def say(text: str) -> None:
    """Print a sentence that stands out from what the commands print.

    Args:
        text: The sentence.
    """
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def main() -> int:
    """Run the steps one after the other and leave nothing behind."""
    end_in_order()
    began = time.monotonic()
    try:
        with playground() as place:
            say(f"A cloud of your own, emulated on this machine. Watch it in a browser: {place.url}/")
            for sentence, command in STEPS:
                if sentence:
                    say(sentence)
                print(f"$ {command}", flush=True)
                status = run(command.split(), place.env)
                if bool(status) != (command == FAILS):
                    return status or 1
    except KeyboardInterrupt:
        return 130
    say(f"Done in {time.monotonic() - began:.0f} s; nothing is left running. Play with the same: make shell")
    return 0


if __name__ == "__main__":
    sys.exit(main())
