"""A cloud that refuses or drops descriptions, tags and other attributes of Neutron's objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import network
from ecs_pulumi.cloud.differences import Differences
from ecs_pulumi.dynamic.handler import auto_name, get_handler
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import missing_attributes
from tests.support import steps
from tests.support.steps import SAME, Failed, Refused, Resource, context_of_create, updates

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
    handler, context = get_handler(kind), context_of_create(kind, resource, config, inputs)
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
    get_handler("Network").connect(config.get, None, 60).region.differences._facts.clear()
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


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """All resources share what the first one has learned."""
    monkeypatch.setattr(steps, "clear_caches", lambda: None)


@pytest.fixture
def upstream() -> Iterator[Emulator]:
    """A cloud that keeps descriptions and tags."""
    with Emulator(speed=200, dialect="openstack") as running:
        yield running


def settings(cloud: Emulator) -> dict[str, str]:
    """Return the settings of a stack on a cloud."""
    return {f"ecs:{name}": value for name, value in cloud.settings.items()}


def refuse(cloud: Emulator, message: str, *, method: str = "POST", times: int | None = 1) -> None:
    """Let the cloud refuse requests for networks."""
    body = {"NeutronError": {"type": "HTTPBadRequest", "message": message, "detail": ""}}
    path = "*/networks" if method == "POST" else "*/networks/*"
    cloud.fault(method=method, path=path, status=400, times=times, body=body)


def networks(cloud: Emulator) -> dict[str, Any]:
    """Return the networks of the cloud by name."""
    with cloud.state() as state:
        return {each["name"]: each for each in state.find("network")}


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize(
    "message",
    [
        "Invalid input for description. Reason: characters '<' and '>' are not allowed.",
        "Invalid input for description. Reason: 'unknown x' contains unsupported characters.",
        "Invalid input for name. Reason: 'unknown-description' exceeds the limit.",
        "tags: not supported in this release",
    ],
)
def test_refused_value_is_not_learned(upstream: Emulator, message: str) -> None:
    """An error about a value fails the operation with the words of the API, and the next objects keep their labels."""
    first, second = (Resource("Network", settings(upstream), name) for name in ("first", "second"))
    refuse(upstream, message)
    with pytest.raises(Failed) as failure:
        first.up(description="a <b>")
    assert message.rstrip(".") in str(failure.value)
    second.up(description="mine", tags=["one"])
    assert (second.outputs["description"], second.outputs["tags"]) == ("mine", ["one"])


@pytest.mark.usefixtures("one_process")
def test_tags_in_value_specs_are_an_error(upstream: Emulator) -> None:
    """They are not dropped, the error names where the program sets them, and other objects keep their tags."""
    first, second = (Resource("Network", settings(upstream), name) for name in ("first", "second"))
    with pytest.raises(Failed, match=r"value_specs\.tags: this cloud does not accept it; remove it"):
        first.up(value_specs={"tags": ["one"]})
    assert first.state is None
    second.up(tags=["two"])
    assert second.outputs["tags"] == ["two"]


def test_description_in_value_specs_is_an_error(cloud: Emulator, config: dict[str, str]) -> None:
    """What the program sets for one cloud is not left out, also if it is known that the cloud refuses it."""
    if cloud.cloud.dialect.rules.unknown_attributes == "drop":
        pytest.skip("nothing shows that the value is ignored")
    create(config, "Network", "net")
    resource = Resource("Network", config)
    with pytest.raises(Failed, match=r"value_specs\.description: this cloud does not accept it"):
        resource.up(value_specs={"description": "mine"})


@pytest.mark.usefixtures("one_process")
def test_lost_response_after_description_was_refused(upstream: Emulator) -> None:
    """Where a cloud refuses descriptions and shows empty ones, the name identifies the object: nothing is doubled."""
    refuse(upstream, "Unrecognized attribute(s) 'description'")
    first, second = (Resource("Network", settings(upstream), name) for name in ("first", "second"))
    first.up()
    upstream.fault(method="POST", path="*/networks", drop="after", times=1)
    second.up()
    assert [name for name in networks(upstream) if name.startswith("second-")] == [second.outputs["name"]]
    assert len([each for each in upstream.requests if each.method == "POST" and "/networks" in each.path]) == 3


@pytest.mark.usefixtures("one_process")
def test_orphan_after_description_was_refused(upstream: Emulator) -> None:
    """On such a cloud a create finds what a killed run of the same resource has left, by its name."""
    handler, context = get_handler("Network"), context_of_create("Network", "it", settings(upstream))
    name = auto_name("it", b"", context.signer)
    id_ = network.create(context.cloud.network, "network", {"name": name})["id"]
    refuse(upstream, "Unrecognized attribute(s) 'description'")
    Resource("Network", settings(upstream), "first").up()
    desired = handler.inputs.model_validate({"name": auto_name("it", b"", context.signer)})
    assert handler.find_own_orphans(context, desired) == [(id_, name)]


@pytest.mark.usefixtures("one_process")
def test_description_that_is_shown_empty_is_no_change(upstream: Emulator, warnings: list[str]) -> None:
    """Such a description is one warning; previews show no change, and an update sends no request without attributes."""
    for method in ("POST", "PUT"):
        refuse(upstream, "Unrecognized attribute(s) 'description'", method=method, times=None if method == "PUT" else 1)
    resource = Resource("Network", settings(upstream))
    resource.up(description="mine")
    assert len(warnings) == 1
    resource.refresh()
    assert resource.preview(description="mine") == SAME
    upstream.requests.clear()
    assert resource.up(description="other") == updates("description")
    assert resource.preview(description="other") == SAME
    assert [each for each in upstream.requests if each.method == "PUT"] == []


def test_first_refused_update_sends_nothing_else(upstream: Emulator) -> None:
    """An update whose only attribute is refused is not repeated without any."""
    resource = Resource("Network", settings(upstream))
    resource.up(description="one")
    refuse(upstream, "Unrecognized attribute(s) 'description'", method="PUT", times=None)
    upstream.requests.clear()
    resource.up(description="two")
    assert statuses(upstream, "PUT", resource.id) == [400]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_explicit_name_of_another_owner(cloud: Emulator, config: dict[str, str], drop: Any) -> None:
    """After a lost response, an object with a name that others may choose is not taken over; the error names it."""
    if cloud.cloud.dialect.name == "openstack":
        pytest.skip("an OpenStack keeps descriptions")
    region: Region = get_handler("Network").connect(config.get, None, 60).region
    foreign = network.create(region.network, "network", {"name": "shared"})["id"]
    resource = Resource("Network", config)
    cloud.fault(method="POST", path="*/networks", drop=drop, times=1)
    with pytest.raises(Failed, match=r"may have created .* but nothing distinguishes that object") as failure:
        resource.up(name="shared")
    assert foreign in str(failure.value)
    assert resource.state is None


def test_other_description_is_another_object(upstream: Emulator) -> None:
    """Where the cloud keeps descriptions, an object with the same name but another description is not taken over."""
    region: Region = get_handler("Network").connect(settings(upstream).get, None, 60).region
    resource = Resource("Network", settings(upstream))
    foreign = network.create(region.network, "network", {"name": "shared"})["id"]
    upstream.fault(method="POST", path="*/networks", drop="before", times=1)
    resource.up(name="shared")
    assert resource.id != foreign


@pytest.mark.parametrize(
    ("is_otc", "kind", "remote", "keeps_none"),
    [
        (False, "network", {"description": ""}, False),
        (False, "network", {}, True),
        (True, "network", {"description": ""}, True),
        (True, "network", {"description": "mine"}, False),
        (True, "security_group", {"description": ""}, False),
    ],
)
def test_empty_description_on_otc(is_otc: bool, kind: str, remote: dict[str, str], keeps_none: bool) -> None:  # noqa: FBT001
    """An Open Telekom Cloud may drop a description and show an empty one, before any response has shown it."""
    region = cast("Region", SimpleNamespace(differences=Differences(lambda: {"evs", "vpc"} if is_otc else set())))
    assert missing_attributes.keeps_no_description(region, kind, remote) is keeps_none
    missing_attributes.note(region, kind, "description")
    assert missing_attributes.keeps_no_description(region, kind, remote) is (remote.get("description", "") == "")


def test_ignored_attribute_is_an_error_for_every_resource(cloud: Emulator, config: dict[str, str]) -> None:
    """The first create fails as the next ones, and again until the program no longer sets it; the object is kept."""
    if cloud.cloud.dialect.name == "openstack" or cloud.cloud.dialect.rules.unknown_attributes == "refuse":
        pytest.skip("only an Open Telekom Cloud that drops attributes ignores them")
    first, second = (Resource("Port", config, name) for name in ("first", "second"))
    plain = {"network_id": create(config, "Network", "net")["id"]}
    program = plain | {"qos_policy_id": "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"}
    words = r"this cloud ignored qos_policy_id .it has no such attribute of a port.: remove it from the program"
    for _ in range(2):
        with pytest.raises(Failed, match=words):
            first.up(**program)
        assert first.state is not None
    with pytest.raises(Refused, match="qos_policy_id: this cloud has no such attribute of a port; remove it"):
        second.up(**program)
    first.up(**plain)
    assert first.preview(**plain) == SAME


@pytest.mark.usefixtures("one_process")
def test_sample_is_read_once(cloud: Emulator, config: dict[str, str]) -> None:
    """Parallel previews read one object of a kind; if there is none, the next search is after the first create."""
    if cloud.cloud.dialect.name == "openstack":
        pytest.skip("only an Open Telekom Cloud lacks so many attributes")
    region: Region = get_handler("Router").connect(config.get, None, 60).region
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: missing_attributes.look_up_missing(region, "router", "flavor_id"), range(8)))
    assert not any(found)
    assert statuses(cloud, "GET", "/routers") == [200]
    Resource("Router", config).up()
    cloud.requests.clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: missing_attributes.look_up_missing(region, "router", "flavor_id"), range(8)))
    assert all(found)
    assert statuses(cloud, "GET", "/routers") == [200]
