"""Random programs through the real engine, which runs operations concurrently."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.conftest import SPEED
from tests.support.landscape import client
from tests.walks.by_hand import Client
from tests.walks.cloud import NOTIFICATION_SECONDS, Documents, SharedWorld, caches_preserved, documents
from tests.walks.generator import walk
from tests.walks.model import ByHand, Stage, Walk
from tests.walks.options import PROTECTED
from tests.walks.programs import Declaration, Ref
from tests.walks.real import RealStack
from tests.walks.walking import Failure, Walker, format_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.walks.programs import Program

COUNT = int(os.environ.get("WALKS_REAL", "2"))
FIRST = int(os.environ.get("WALKS_FIRST", "500"))
EDITS = int(os.environ.get("WALKS_EDITS", "3"))


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud with microversions."""
    with Emulator(speed=SPEED, dialect="openstack") as running:
        yield running


@pytest.fixture(scope="module")
def world() -> Iterator[SharedWorld]:
    """The cloud of the engine in this process."""
    with caches_preserved(), SharedWorld("openstack") as created:
        yield created


def real_stack(project: MakeProject, cloud: Emulator) -> RealStack:
    """Return a stack without resources on an emulated cloud."""

    def settle() -> None:
        time.sleep(NOTIFICATION_SECONDS / cloud.cloud.speed)

    def contents() -> Documents:
        settle()
        with cloud.state() as state:
            return documents(state)

    return RealStack(project("import pulumi\n"), Client(client(cloud.settings), settle), contents)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_cloud_converges_to_program_with_real_engine(
    project: MakeProject, cloud: Emulator, world: SharedWorld, seed: int
) -> None:
    """After every `up` the cloud has exactly the declared objects, and the next preview shows no changes.

    Every `up` has the steps that the engine in this process has as well.
    """
    # The real engine does not store the state of a refreshing preview.
    short = Walk(tuple(replace(stage, is_refreshed=False) for stage in walk(seed).stages[: EDITS + 1]))
    stack = real_stack(project, cloud)
    shadow = Walker(world, seed, cascades=stack.cascades)

    def fail(at: int, problems: list[str]) -> None:
        pytest.fail(format_failure(short, Failure(at, "up", "; ".join(problems)), seed), pytrace=False)

    for at, stage in enumerate(short.stages):
        try:
            # Refresh before every second preview only, to test both.
            problems = list(stack.apply(stage, *["--refresh"] * (at % 2)))
        except AssertionError as failed:
            problems = [str(failed)]
        if problems := problems or _other_steps(stack, shadow, stage):
            fail(at, problems)
    if problems := list(stack.destroy()):
        fail(len(short.stages) - 1, problems)


def _other_steps(stack: RealStack, shadow: Walker, stage: Stage) -> list[str]:
    """Return the differences between the steps of the two engines."""
    for when, step in shadow.steps(stage):
        if problems := step():
            return [f"{when} in this process: {problem}" for problem in problems]
    made = {name: step for name, step in shadow.made.items() if step != "same"} if not stage.refusal else {}
    # The engine deletes the object of a resource that is replaced and has an alias under the former name.
    real = {name: step for name, step in stack.made.items() if step != "delete-replaced"}
    return [] if made == real else [f"the steps are {real}, in this process {made}"]


def test_servers_swap_ports(project: MakeProject, cloud: Emulator) -> None:
    """Two servers whose lists swap their ports wait for each other in one `up`."""

    def program(first: str, second: str) -> Program:
        network = (
            Declaration("Network", "net1", {}),
            Declaration("Subnet", "sub1", {"network_id": Ref("net1"), "cidr": "10.20.0.0/24"}),
        )
        ports = [
            Declaration("Port", name, {"network_id": Ref("net1"), "fixed_ips": [{"subnet_id": Ref("sub1")}]})
            for name in ("port1", "port2")
        ]
        servers = [
            Declaration("Server", name, {"flavor": "s1.small", "image": "cirros-peer", "networks": [{"port_id": port}]})
            for name, port in (("srv1", Ref(first)), ("srv2", Ref(second)))
        ]
        return (*network, *ports, *servers)

    stack = real_stack(project, cloud)
    assert list(stack.apply(Stage(program("port1", "port2")))) == []
    assert list(stack.apply(Stage(program("port2", "port1")), "--refresh")) == []
    assert stack.made == {"Server srv1": "update", "Server srv2": "update"}
    assert list(stack.destroy()) == []


def test_options_of_a_key_pair(project: MakeProject, cloud: Emulator) -> None:
    """The engine refuses to delete what is protected, and leaves what is retained; ignored inputs stay as they are."""
    key = Declaration("KeyPair", "key1", {}, protect=True, retain=True)
    network = Declaration("Network", "net1", {"description": "mine"}, retain=True, minutes=20)
    ignored = replace(network, inputs={"description": "yours"}, ignored=("description",))
    stack = real_stack(project, cloud)
    assert list(stack.apply(Stage((key, network)))) == []
    assert list(stack.apply(Stage((network,), refusal=PROTECTED))) == []
    assert list(stack.apply(Stage((key, ignored)), "--refresh")) == []
    assert list(stack.apply(Stage((key, ignored), by_hand=ByHand("delete", "net1")))) == []
    other = Declaration("Network", "net2", {})
    assert list(stack.apply(Stage((key, ignored, other), targets=("net2",)))) == []
    assert list(stack.destroy()) == []
