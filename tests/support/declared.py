"""`python -m tests.support.declared PAGE`: run the programs of a page without an engine, and print what they declare.

The output is JSON: the inputs of each resource by its kind and its name, such as `Server web`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pulumi

from tests.support.pages import blocks


class Recorder(pulumi.runtime.Mocks):
    """Mocks of an engine that record the inputs of each resource. The value of an output names its resource."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return the inputs, and outputs that the program uses."""
        resource = f"{args.typ.rpartition(':')[2]} {args.name}"
        self.inputs[resource] = {name: value for name, value in args.inputs.items() if not name.startswith("__")}
        outputs = {name: f"{name} of {resource}" for name in ("ip_address", "address", "vipPortId")}
        return f"id of {resource}", {**outputs, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Fail, because the programs call no functions."""
        raise NotImplementedError(args.token)


def main() -> None:
    """Run the programs of the page in their order."""
    warnings.simplefilter("ignore")  # those of other providers
    page, recorder = Path(sys.argv[1]), Recorder()
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorder, project="shop")

    def run() -> None:
        for block in blocks(page):
            if block.language == "python":
                exec(compile(block.text, f"{page}:{block.line}", "exec"), {})  # noqa: S102

    pulumi.runtime.test(run)()  # type: ignore[no-untyped-call]
    print(json.dumps(recorder.inputs))  # noqa: T201


if __name__ == "__main__":
    main()
