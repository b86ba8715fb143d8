"""Lookups and `get` of resources in a unit test with `pulumi.runtime.set_mocks`: the mocks answer, never a cloud."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import warnings
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

import ecs_pulumi as ecs
from ecs_pulumi.lookups.mocks import token
from ecs_pulumi.lookups.models import Info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The SDK leaves coroutines and the event loops of its threads behind.
LEFT = ("ignore::ResourceWarning", "ignore::RuntimeWarning")
pytestmark = [pytest.mark.filterwarnings(each) for each in LEFT]
LOOKUPS = {
    name: value
    for name in ecs.__all__
    if inspect.isfunction(value := getattr(ecs, name))
    and value.__module__.startswith("ecs_pulumi.lookups.")
    and not name.endswith("_output")
}


class Recorder(pulumi.runtime.Mocks):
    """Mocks that record the calls and return prepared results."""

    def __init__(self, results: Any) -> None:
        self.results = results
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return the inputs and what the cloud would add."""
        return args.resource_id or f"{args.name}-id", {**args.inputs, "status": "ACTIVE", "subnet_ids": ["subnet"]}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        """Return the prepared result."""
        self.calls.append((args.token, args.args))
        if isinstance(self.results, Exception):
            raise self.results
        return self.results


def under(mocks: pulumi.runtime.Mocks, program: Callable[[], Any], *, preview: bool = False) -> Any:
    """Run a function with mocks, which do not stay in the process."""

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def run() -> Any:
        found = program()
        results.append(found)
        return found.apply(results.append) if isinstance(found, pulumi.Output) else None

    results: list[Any] = []
    context = contextvars.copy_context()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        context.run(pulumi.runtime.set_mocks, mocks, preview=preview)
        context.run(run)
    finally:
        if left := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.wait(left, timeout=5))
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()
    return results[-1]


@pytest.fixture(scope="module", autouse=True)
def _collect() -> Iterator[None]:
    """Collect what the SDK leaves behind, so that no later test gets warnings about it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(autouse=True)
def _no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a lookup that asks a cloud."""
    monkeypatch.setattr("ecs_pulumi.lookups.calls.connection", None)


@pytest.mark.parametrize("name", LOOKUPS)
@pytest.mark.parametrize("suffix", ["", "_output"])
def test_every_lookup_asks_the_mocks(name: str, suffix: str) -> None:
    """The mocks get the token and the arguments that are set; a result without values is a complete object."""
    mocks = Recorder({})
    arguments = {"name": "web"} if "name" in inspect.signature(LOOKUPS[name]).parameters else {}
    found = under(mocks, lambda: getattr(ecs, name + suffix)(**arguments))
    assert mocks.calls == [(token(name), arguments)]
    if name.startswith(("list_", "get_av", "get_api")):
        assert found == []
        return
    assert isinstance(found, Info)
    assert repr(found)
    for field in type(found).model_fields:
        assert hasattr(found, field)
    if name != "get_floating_ip":
        assert found.name == "web"  # type: ignore[attr-defined]


def test_values_of_the_mocks() -> None:
    """The result has the values of the mocks by the names of its fields, also inside lists; their types are checked."""
    server = under(
        Recorder(
            {
                "id": "1",
                "flavor_id": "s1.small",
                "access_ip_v4": "192.0.2.7",
                "security_groups": ["default"],
                "addresses": {"net": [{"addr": "192.0.2.7"}]},
                "tags": None,
            }
        ),
        lambda: ecs.get_server("web"),
    )
    assert (server.id, server.name, server.flavor_id, server.access_ip_v4) == ("1", "web", "s1.small", "192.0.2.7")
    assert server.addresses["net"][0].version == 4
    assert (server.security_groups, server.tags, server.status) == (["default"], [], "ACTIVE")
    group = under(Recorder({"rules": [{"direction": "egress"}]}), lambda: ecs.get_security_group(id="g"))
    assert (group.id, group.name, group.rules[0].direction) == ("g", "g", "egress")
    router = under(Recorder({"external_fixed_ips": [{"ip_address": "203.0.113.1"}]}), lambda: ecs.get_router("r"))
    assert router.external_ips == ["203.0.113.1"]


def test_values_that_the_mocks_omit() -> None:
    """What the mocks omit is taken from the arguments, otherwise it has a typical value."""
    empty = Recorder({})
    flavor = under(empty, lambda: ecs.get_flavor(min_vcpus=2, min_ram=4096))
    assert (flavor.id, flavor.name, flavor.vcpus, flavor.ram, flavor.disk) == ("flavor-id", "flavor", 2, 4096, 0)
    network = under(empty, lambda: ecs.get_network("demo", tags=["a"]))
    assert (network.id, network.name, network.tags, network.external) == ("demo-id", "demo", ["a"], False)
    address = under(empty, lambda: ecs.get_floating_ip("203.0.113.7"))
    assert (address.id, address.address) == ("203.0.113.7-id", "203.0.113.7")
    image = under(empty, lambda: ecs.get_image(name_regex="^Debian", most_recent=True))
    assert (image.name, image.status) == ("image", "active")
    echo = Recorder(None)
    echo.call = lambda args: args.args  # type: ignore[method-assign]
    assert under(echo, lambda: ecs.get_flavor(min_vcpus=2)).vcpus == 2


def test_lists() -> None:
    """A lookup that returns a list finds its objects under `items`."""
    mocks = Recorder(({"items": [{"name": "a"}, {"name": "b", "vcpus": 4}]}, []))
    found = under(mocks, lambda: ecs.list_flavors(min_vcpus=2))
    assert [(each.name, each.vcpus) for each in found] == [("a", 2), ("b", 4)]
    zones = under(Recorder({"items": [{"name": "eu-de-01"}]}), ecs.get_availability_zones)
    assert [(each.name, each.available) for each in zones] == [("eu-de-01", True)]


WRONG: dict[str, tuple[Any, Callable[[], Any], str]] = {
    "type": (
        {"vcpus": "two"},
        lambda: ecs.get_flavor("x"),
        r"FlavorInfo\.vcpus: must be a valid integer.*, got str 'two'",
    ),
    "nested": (
        {"rules": [{"direction": 5.5}, {"direction": []}]},
        lambda: ecs.get_security_group("x"),
        r"SecurityGroupRuleInfo\.direction: must be a valid string, got list \[\]",
    ),
    "misspelled": (
        {"extrenal": True},
        lambda: ecs.get_network("x"),
        "NetworkInfo has no field 'extrenal'; did you mean external",
    ),
    "none": (None, lambda: ecs.get_network("x"), "the mocks must return a dict for ecs:index:getNetwork, got None"),
    "list": ([], ecs.list_flavors, "the mocks must return a dict for ecs:index:listFlavors, got list"),
    "key": ({"flavors": []}, ecs.list_flavors, r"\{\"items\": \[...\]\}, and returned the key 'flavors'"),
    "items": ({"items": {}}, ecs.list_flavors, "with a list of dicts"),
    "failures": (({}, [("name", "not here")]), lambda: ecs.get_network("x"), "name: not here"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_result(case: str) -> None:
    """A result that the lookup cannot return is an error in one line that names the lookup."""
    result, lookup, message = WRONG[case]
    with pytest.raises(ecs.LookupFailed, match=rf"^(get|list)_\w+: [^\n]*{message}[^\n]*$"):
        under(Recorder(result), lookup)


def test_errors_of_the_mocks() -> None:
    """An exception of the mocks reaches the program, so that a test can check what it does without a match."""
    with pytest.raises(ecs.NoMatch, match=r"^nothing here$"):
        under(Recorder(ecs.NoMatch("nothing here")), lambda: ecs.get_network("x"))
    with pytest.raises(TypeError, match="nmae"):
        under(Recorder({}), lambda: ecs.get_network(nmae="x"))  # type: ignore[call-arg]


def test_output_variant() -> None:
    """A lookup of an output gets its value, and resources take the result."""
    mocks = Recorder({"id": "net-1"})

    def program() -> pulumi.Output[str]:
        other = ecs.Network("other", name="demo")
        found = ecs.get_network_output(name=other.name)
        return ecs.Port("port", network_id=found.apply(lambda it: it.id)).network_id

    assert under(mocks, program) == "net-1"
    assert mocks.calls == [("ecs:index:getNetwork", {"name": "demo"})]


@pytest.mark.parametrize("preview", [False, True])
def test_get_of_a_resource(preview: bool) -> None:  # noqa: FBT001
    """`get` asks the mocks for the resource with its id, and has their values."""

    def program() -> pulumi.Output[list[Any]]:
        network = ecs.Network.get("net", "net-7", region="eu-de")
        return pulumi.Output.all(network.id, network.region, network.status, network.subnet_ids)

    assert under(Recorder({}), program, preview=preview) == ["net-7", "eu-de", "ACTIVE", ["subnet"]]
