"""`python -m tests.support.fragments PAGE…`: run the Python fragments of pages, which are not complete programs.

Resources are declared but not created; lookups send requests to the cloud that the OS_* variables name.
"""

from __future__ import annotations

import asyncio
import builtins
import re
import sys
from pathlib import Path
from typing import Any

import pulumi

import ecs_pulumi as ecs
from tests.support.pages import blocks


class Names(dict[str, Any]):
    """The variables of a page: those that it has defined, and a placeholder for any other name."""

    def __missing__(self, name: str) -> object:
        """Return a placeholder for a variable of the reader's program."""
        if hasattr(builtins, name):
            raise KeyError(name)
        return pulumi.Output.from_input("placeholder")


class Nothing(pulumi.runtime.Mocks):
    """Mocks of an engine that creates no resources."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return the declared inputs as outputs."""
        return args.resource_id or "an-id", {"outputs": {}, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[Any, list[tuple[str, str]] | None]:
        """Return what a lookup finds in the cloud. The fragments call no functions of the engine."""
        lookup = getattr(ecs, re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", args.token.rpartition(":")[2]))
        found = lookup.__wrapped__(**args.args)
        return ({"items": found} if isinstance(found, list) else found), []


def main() -> None:
    """Run the fragments of each page in their order."""
    # The mocks require an event loop that exists already.
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(Nothing())
    for page in map(Path, sys.argv[1:]):
        names = Names(pulumi=pulumi, ecs=ecs, config=pulumi.Config("shop"))
        for block in blocks(page):
            if block.language == "python" and not block.file:
                print(f"{page}:{block.line}", flush=True)  # noqa: T201  (locates the fragment if it fails)
                exec(compile(block.text, f"{page}:{block.line}", "exec"), {}, names)  # noqa: S102


if __name__ == "__main__":
    main()
