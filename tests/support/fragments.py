"""`python -m tests.support.fragments PAGE…`: the Python on the pages that is part of a program and no program itself.

Resources are declared and not made; lookups ask the cloud of the OS_* variables.
"""

from __future__ import annotations

import asyncio
import builtins
import sys
from pathlib import Path
from typing import Any

import pulumi

import ecs_pulumi as ecs
from tests.support.pages import blocks


class Names(dict[str, Any]):
    """The names of a page: what it has defined before, and else anything."""

    def __missing__(self, name: str) -> object:
        """A value that the reader's program has."""
        if hasattr(builtins, name):
            raise KeyError(name)
        return pulumi.Output.from_input("what the reader has")


class Nothing(pulumi.runtime.Mocks):
    """An engine that makes nothing."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """It is as declared."""
        return args.resource_id or "an-id", {"outputs": {}, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Nothing is called."""
        raise NotImplementedError(args.token)


def main() -> None:
    """Run the fragments, each after those before it on its page."""
    # The mocks need a loop to be there before they are.
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(Nothing())
    for page in map(Path, sys.argv[1:]):
        names = Names(pulumi=pulumi, ecs=ecs)
        for block in blocks(page):
            if block.language == "python" and not block.file:
                print(f"{page}:{block.line}", flush=True)  # noqa: T201  (where it was, if it fails)
                exec(compile(block.text, f"{page}:{block.line}", "exec"), {}, names)  # noqa: S102


if __name__ == "__main__":
    main()
