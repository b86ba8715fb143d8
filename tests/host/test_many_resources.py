"""A program with many resources: what Pulumi's SDK does for each of them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from pulumi._types import resource_types

import ecs_pulumi as ecs
from tools.workspace import CHECKOUT


def run(script: str) -> None:
    """Run a script in a process of its own, because mocks of the engine stay in the process."""
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=CHECKOUT, timeout=120, check=True)


def test_many_resources_do_not_exceed_recursion_limit() -> None:
    """The provider is pickled once per kind, because the SDK's recursion depth grows with each serialization."""
    run("""
        import sys, pulumi
        import ecs_pulumi as ecs
        from tests.support.fragments import Nothing

        pulumi.runtime.set_mocks(Nothing())
        depth = 150

        @pulumi.runtime.test
        def declare():
            sys.setrecursionlimit(depth)
            for number in range(2 * depth):
                ecs.KeyPair(f"key{number}")
            sys.setrecursionlimit(1000)

        declare()
    """)


def test_program_waits_for_each_output_once() -> None:
    """The SDK does not wait again for all outputs each time that one of them is there."""
    run("""
        import asyncio, pulumi
        import ecs_pulumi as ecs
        from tests.support.fragments import Nothing

        count, waited, wait = 50, 0, asyncio.wait

        async def counted(futures, **options):
            global waited
            waited += len(futures)
            return await wait(futures, **options)

        def program():
            pulumi.runtime.set_mocks(Nothing())
            for number in range(count):
                ecs.Network(f"network{number}", name="bench", tags=["a"])

        asyncio.wait = counted
        asyncio.run(pulumi.runtime.stack.run_pulumi_func(program))
        assert waited <= 10 * count, waited
    """)


def test_types_of_outputs_are_evaluated_once() -> None:
    """The SDK knows the types of outputs from their getters, not from annotations, which it evaluates every time."""
    assert resource_types(ecs.Subnet)["ip_version"] is int
    assert not ecs.Subnet.__annotations__
