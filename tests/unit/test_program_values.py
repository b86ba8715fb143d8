"""A resource class refuses the Python values that Pulumi cannot pass to the engine, in one line."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import enum
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest

import ecs_pulumi as ecs
from ecs_pulumi.sdk.values import unsendable
from tests.support.command import printed


class Colour(str, enum.Enum):
    """A text that is also a member of an enumeration."""

    RED = "red"


def endless() -> list[Any]:
    """Return a list that contains itself."""
    result: list[Any] = []
    result.append(result)
    return result


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("\ud800", "a text with a lone surrogate, which is no character"),
        (10**400, "a number that is too large"),
        (object(), "a value of type object; convert it to a text, a number, a list or a map"),
        (b"bytes", "a value of type bytes; convert it to a text, a number, a list or a map"),
        ({1, 2}, "a value of type set; convert it to a text, a number, a list or a map"),
        ([{"a": decimal.Decimal(1)}], "a value of type Decimal; convert it to a text, a number, a list or a map"),
        (Path("/x"), "a value of type PosixPath; convert it to a text, a number, a list or a map"),
        (
            dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
            "a value of type datetime; convert it to a text, a number, a list or a map",
        ),
        (range(3), "a value of type range; convert it to a text, a number, a list or a map"),
        ({1: "a"}, "a map with a key that is no text"),
        ({"\ud800": "a"}, "a text with a lone surrogate, which is no character"),
        (endless(), "a value that is nested too deeply, or contains itself"),
        (pulumi.FileAsset("nowhere"), "an asset or archive; pass its text"),
    ],
)
def test_value_is_refused(value: Any, reason: str) -> None:
    """The error names the kind, the resource, the input and the reason; Pulumi prints it without a traceback."""
    with pytest.raises(pulumi.RunError) as failed:
        ecs.Network("net", name=value)
    assert str(failed.value) == f"Network net: name: the program passes {reason}"


@pytest.mark.parametrize(
    "value",
    [None, "ü\N{GRINNING FACE}", 1, 1.5, float("nan"), True, ("a", "b"), {"a": [None]}, Colour.RED],
    ids=repr,
)
def test_value_is_passed(value: Any) -> None:
    """What Pulumi can pass is checked by the provider, which knows the types of the inputs."""
    assert unsendable(value) == ""


def test_output_is_passed() -> None:
    """An output is passed, whatever its value."""

    async def reason() -> str:
        return unsendable(pulumi.Output.from_input("a"))

    assert asyncio.run(reason()) == ""


def test_program_without_the_engine(tmp_path: Path) -> None:
    """`python __main__.py` declares nothing and ends without an error, as with any other Pulumi resource."""
    program = tmp_path / "__main__.py"
    program.write_text(
        "import pulumi, ecs_pulumi as ecs\n"
        "network = ecs.Network('net')\n"
        "subnet = ecs.Subnet('net', network_id=network.id, cidr='10.0.0.0/24')\n"
        "ecs.KeyPair.get('key', 'key')\n"
        "print('end of the program')\n"
    )
    assert printed((sys.executable, program), folder=tmp_path) == "end of the program\n"
