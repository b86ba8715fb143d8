"""`ecs-pulumi`, the same as `python -m ecs_pulumi`: one entry point for the commands of the package."""

# ruff: noqa: T201 - the command writes to standard output

from __future__ import annotations

import argparse
import importlib
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from ecs_pulumi.streams import run

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "adopt": ("adopt.__main__", "write a program that imports existing objects"),
    "orphans": ("orphans", "find and delete objects that the stack created and that are not in its state"),
    "report": ("preview_report", "summarize a preview in Markdown, and check it against rules"),
    "emulator": ("emulator.__main__", "run an ECS-compatible cloud in one process"),
    "version": ("", "print the versions of the package and of Pulumi's SDK"),
}
"""The module of each command, which is imported when the command runs, and its description."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; see `--help`."""
    described = "\n".join(f"  {name:<10}{text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="ecs-pulumi",
        description="Commands for stacks with resources of ecs_pulumi.",
        epilog=f"commands:\n{described}\n\n`ecs-pulumi COMMAND --help` describes a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="the command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…", help="its arguments")
    options = parser.parse_args(argv)
    module, _ = COMMANDS[options.command]
    if not module:
        print(f"ecs-pulumi {version('ecs-pulumi')}, pulumi {version('pulumi')}")
        return 0
    status: int = importlib.import_module(f"ecs_pulumi.{module}").main(options.arguments)
    return status


def entry_point() -> int:
    """Run the command line of this process."""
    return run(main)


if __name__ == "__main__":
    sys.exit(entry_point())
