"""A cloud that refuses or drops descriptions, tags and other attributes of Neutron's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import network
from ecs_pulumi.cloud.learned import Learned
from ecs_pulumi.dynamic.handler import OperationContext, auto_name, get_handler
from ecs_pulumi.emulator import Emulator
from tests.support.steps import PROJECT, SAME, STACK, Failed, Refused, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.cloud.connection import Region

CLOUDS = [(dialect, rule) for dialect in ("otc", "openstack") for rule in ("refuse", "drop")]
"""An OpenStack without descriptions shows what is learned from answers alone, without a look at the catalog."""


@pytest.fixture(params=CLOUDS, ids="-".join)
def cloud(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A cloud without descriptions and tags of networks."""
    dialect, rule = request.param
    with Emulator(speed=200, dialect=dialect, rules={"unknown_attributes": rule}) as running:
        yield running


@pytest.fixture
def config(cloud: Emulator) -> dict[str, str]:
    """The settings of a stack on the cloud."""
    return {f"ecs:{name}": value for name, value in cloud.settings.items()}


def create(config: dict[str, str], kind: str, resource: str, *, search: bool = True, **inputs: Any) -> Any:
    """Create an object as an `up` does, in the same process as the object before, and return it.

    Args:
        config: The settings of the stack.
        kind: The kind.
        resource: The name of the resource.
        search: Whether to search for orphans first.
        inputs: The inputs.
    """
    handler = get_handler(kind)
    context: OperationContext[Any] = OperationContext(
        verb="create",
        kind=kind,
        resource=resource,
        connect=lambda: handler.connect(config.get, None, 60),
        timeout=60,
        project=PROJECT,
        stack=STACK,
        inputs=inputs,
    )
    inputs.setdefault("name", auto_name(resource, b"", context.signer))
    desired = handler.inputs.model_validate(inputs)
    assert not search or handler.find_own_orphans(context, desired) == []
    return handler.create(context, desired)


def bodies(cloud: Emulator, method: str, path: str) -> list[Any]:
    """Return the attributes of the successful and of the refused requests with this method whose path ends so."""
    return [each.body for each in cloud.requests if each.method == method and each.path.endswith(path)]


def statuses(cloud: Emulator, method: str, path: str) -> list[int]:
    """Return the statuses of the requests with this method whose path ends so."""
    return [each.status for each in cloud.requests if each.method == method and each.path.endswith(path)]


def test_refusal_is_learned(cloud: Emulator, config: dict[str, str]) -> None:
    """One create contains the owner marker, and is repeated without it if it is refused; the next ones do without."""
    for number in range(3):
        create(config, "Network", f"net{number}", search=False)
    is_refusing = cloud.cloud.dialect.rules.unknown_attributes == "refuse"
    assert statuses(cloud, "POST", "/networks") == [*([400] if is_refusing else []), 201, 201, 201]
    sent = ["description" in body["network"] for body in bodies(cloud, "POST", "/networks") if body]
    assert sent == [not is_refusing, False, False]


def test_list_shows_that_descriptions_are_missing(cloud: Emulator, config: dict[str, str]) -> None:
    """The list in which a create searches for orphans makes even the first refusal unnecessary."""
    create(config, "Network", "net0", search=False)
    get_handler("Network").connect(config.get, None, 60).region.learned = Learned()
    cloud.requests.clear()
    create(config, "Network", "net1")
    assert statuses(cloud, "POST", "/networks") == [201]
    assert ["description" in body["network"] for body in bodies(cloud, "POST", "/networks")] == [False]


def test_tags_are_tried_once(cloud: Emulator, config: dict[str, str], warnings: list[str]) -> None:
    """A create whose tags meet a 404 succeeds, and the next one does not send them."""
    if cloud.cloud.dialect.name == "openstack":
        cloud.fault(method="PUT", path="*/tags", status=404, body={"message": "API not found"})
    for number in range(3):
        remote = create(config, "Network", f"net{number}", tags=["one"])
        assert "tags" not in remote
    assert statuses(cloud, "PUT", "/tags") in ([], [404])
    assert warnings == []  # of a context without an engine


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("Network", {}),
        ("Subnet", {"cidr": "10.0.0.0/24"}),
        ("Port", {}),
        ("Router", {}),
        ("FloatingIp", {}),
    ],
)
def test_labels_are_not_kept(
    cloud: Emulator, config: dict[str, str], warnings: list[str], kind: str, inputs: dict[str, Any]
) -> None:
    """A description that is not kept is one warning, no failure, and no change in later previews or after a refresh."""
    if kind in ("Subnet", "Port"):
        inputs = {**inputs, "network_id": create(config, "Network", "net")["id"]}
    if kind == "FloatingIp":
        name = "public" if cloud.cloud.dialect.name == "openstack" else "admin_external_net"
        inputs = {**inputs, "external_network": name}
    resource, program = Resource(kind, config), {**inputs, "description": "mine"}
    resource.up(**program)
    assert [line for line in warnings if line.startswith("description: not kept")] == warnings[:1]
    warnings.clear()
    assert resource.preview(**program) == SAME
    resource.refresh()
    assert resource.preview(**program) == SAME
    assert warnings == []
    resource.up(**{**program, "description": "other"})
    assert len(warnings) == 1
    assert resource.preview(**{**program, "description": "other"}) == SAME
    resource.destroy()


def test_declared_description_is_kept_where_cloud_has_it(config: dict[str, str], warnings: list[str]) -> None:
    """What one kind lacks another one may have: security groups keep their description."""
    create(config, "Network", "net")
    group = Resource("SecurityGroup", config)
    group.up(description="mine")
    assert group.outputs["description"] == "mine"
    assert warnings == []


def test_preview_refuses_attribute_that_cloud_lacks(cloud: Emulator, config: dict[str, str]) -> None:
    """A preview on Open Telekom Cloud learns from one object which attributes there are; otherwise `up` fails."""
    if cloud.cloud.dialect.name == "openstack" and cloud.cloud.dialect.rules.unknown_attributes == "drop":
        pytest.skip("nothing shows that the value is ignored")
    resource = Resource("Network", config)
    with pytest.raises((Refused, Failed), match=r"mtu: this cloud") as caught:
        resource.up(mtu=1400)
    assert isinstance(caught.value, Refused) == (cloud.cloud.dialect.name == "otc")
    assert resource.state is None


def test_update_is_not_repeated_forever(cloud: Emulator, config: dict[str, str]) -> None:
    """An attribute that the cloud has, but ignores or refuses in a request, is an error that names the input."""
    if cloud.cloud.dialect.name == "openstack":
        pytest.skip("this cloud has no DNS domains at all")
    resource = Resource("Network", config)
    resource.up(name="one")
    with pytest.raises(Failed, match="dns_domain"):
        resource.up(name="one", dns_domain="example.org.")
    resource.up(name="one")
    assert resource.preview(name="one") == SAME


def test_adopted_object_with_declared_description(config: dict[str, str], warnings: list[str], cloud: Emulator) -> None:
    """An import without changes warns of a description that the cloud does not keep, and shows no diff."""
    if cloud.cloud.dialect.name == "openstack":
        pytest.skip("an import reads the object after the check")
    region: Region = get_handler("Network").connect(config.get, None, 60).region
    id_ = network.create(region.network, "network", {"name": "one"})["id"]
    resource, program = Resource("Network", config), {"adopt": id_, "name": "one", "description": "mine"}
    resource.up(**program)
    assert [line for line in warnings if "description: not kept" in line]
    assert resource.preview(**program) == SAME
