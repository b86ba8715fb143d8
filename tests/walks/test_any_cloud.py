"""Random programs through the real engine on any cloud, also the one that the OS_* variables name."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from tests.walks.by_hand import COLLECTIONS, Client
from tests.walks.edits import FLAVORS, IMAGES
from tests.walks.generator import walk
from tests.walks.model import Walk
from tests.walks.real import RealStack
from tests.walks.routing import PUBLIC
from tests.walks.walking import Failure, format_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.walks.model import Stage
    from tests.walks.programs import Declaration

COUNT = int(os.environ.get("WALKS_LIVE", "1"))
FIRST = int(os.environ.get("WALKS_FIRST", "0"))
EDITS = int(os.environ.get("WALKS_EDITS", "2"))
SPEED = 100
COMPARED = ("name", "description", "admin_state_up", "enable_dhcp", "dns_nameservers", "size", "policy", "metadata")
"""The inputs whose values have the same form in the API."""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud whose networks and servers take all changes."""
    with Emulator(speed=SPEED, dialect="openstack") as running:
        yield running


class AnyStack(RealStack):
    """A stack of the real engine on any cloud, whose objects are read one by one."""

    def __init__(self, project: Any, client: Client) -> None:
        super().__init__(project, client, dict)

    def differences(self) -> list[str]:
        """Return the differences between the objects and what the stack has."""
        ids = self._ids()
        found = [f"not in the state: {each.name}" for each in self._before if each.name not in ids]
        for each in self._before:
            if each.kind not in COLLECTIONS or each.name not in ids:
                continue
            remote = self._client.read(each.kind, ids[each.name])
            if remote is None:
                found.append(f"{each.name}: there is no {each.kind} {ids[each.name]}")
                continue
            found += [
                f"{each.name}: {name} is {remote.get(name)!r}, not {value!r}"
                for name in COMPARED
                if (value := each.inputs.get(name)) and not _has(remote.get(name), value)
            ]
        return found


def _has(remote: Any, value: Any) -> bool:
    """Whether a value of the API is the desired one; a map may have more keys."""
    return bool(value.items() <= remote.items()) if isinstance(value, dict) else bool(remote == value)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_any_cloud_converges_to_program(project: MakeProject, landscape: Landscape, seed: int) -> None:
    """After every `up` the next preview shows no changes, and each object has the values of the program."""
    short = Walk(tuple(_adapted(stage, landscape) for stage in walk(seed).stages[: EDITS + 1]))
    with landscape.connect() as connection:
        stack = AnyStack(project("import pulumi\n"), Client(connection, lambda: time.sleep(1)))
        for at, stage in enumerate(short.stages):
            try:
                problems = list(stack.apply(stage, *["--refresh"] * (at % 2)))
            except AssertionError as failed:
                problems = [str(failed)]
            if problems:
                pytest.fail(format_failure(short, Failure(at, "up", "; ".join(problems)), seed), pytrace=False)
        assert list(stack.destroy()) == []


def _adapted(stage: Stage, landscape: Landscape) -> Stage:
    """Return the stage with what the cloud offers, and without objects that it would retain."""
    names = dict(zip(FLAVORS, landscape.flavors, strict=False))
    names |= {image: landscape.images[index % len(landscape.images)] for index, image in enumerate(IMAGES)}
    names[PUBLIC] = landscape.external_network

    def adapt(each: Declaration) -> Declaration:
        inputs = {
            name: names.get(value, value) if isinstance(value, str) else value
            for name, value in each.inputs.items()
            if name != "volume_type"
        }
        return replace(each, inputs=inputs, retain=False)

    return replace(stage, program=tuple(map(adapt, stage.program)))
