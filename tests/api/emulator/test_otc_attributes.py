"""Attributes that the Open Telekom Cloud does not document for Neutron's objects: refused, or dropped in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.emulator.account import Account, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDOCUMENTED: dict[str, dict[str, Any]] = {
    "network": {
        "description": "mine",
        "mtu": 1400,
        "dns_domain": "example.org.",
        "availability_zone_hints": ["eu-de-01"],
        "vlan_transparent": True,
        "qos_policy_id": None,
        "is_default": False,
    },
    "subnet": {"description": "mine", "service_types": [], "segment_id": None, "prefixlen": 24},
    "port": {"description": "mine", "dns_name": "web", "mac_address": "fa:16:3e:00:00:01", "device_id": "x"},
    "router": {"description": "mine", "flavor_id": None, "availability_zone_hints": []},
    "security_group": {"stateful": False},
}
ABSENT = ("description", "tags", "mtu", "qos_policy_id", "service_types", "segment_id", "stateful", "revision_number")


@pytest.fixture(scope="module", params=["refuse", "drop"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    """An account of an emulator with dialect `otc`, with each way to treat unknown attributes."""
    with signed_in(unknown_attributes=request.param) as created:
        yield created


def is_refusing(account: Account) -> bool:
    """Whether the cloud refuses unknown attributes."""
    return account.cloud.cloud.dialect.rules.unknown_attributes == "refuse"


def create(account: Account, kind: str, **attributes: Any) -> Any:
    """Create an object with these attributes besides the required ones; return the response."""
    required: dict[str, Any] = {}
    if kind in ("subnet", "port"):
        network = account.neutron("POST", "/networks", {"network": {"name": "net"}})
        required["network_id"] = network.body["network"]["id"]
    if kind == "subnet":
        required |= {"ip_version": 4, "cidr": "10.0.0.0/24"}
    collection = kind.replace("_", "-") + "s"
    return account.neutron("POST", f"/{collection}", {kind: {**required, **attributes}})


@pytest.mark.parametrize(
    ("kind", "attribute"), [(kind, name) for kind, attributes in UNDOCUMENTED.items() for name in attributes]
)
def test_unknown_attribute_in_create(account: Account, kind: str, attribute: str) -> None:
    """The request is refused with the name of the attribute, or the object is created without it."""
    value = UNDOCUMENTED[kind][attribute]
    answer = create(account, kind, **{attribute: value})
    if is_refusing(account):
        assert (answer.status, answer.body["NeutronError"]["message"]) == (
            400,
            f"Unrecognized attribute(s) '{attribute}'",
        )
    else:
        assert answer.status == 201
        assert answer.body[kind].get(attribute) in (None, "", []) or answer.body[kind][attribute] != value


@pytest.mark.parametrize("kind", UNDOCUMENTED)
def test_unknown_attribute_in_update(account: Account, kind: str) -> None:
    """The request is refused, or changes nothing but its other attributes."""
    remote = create(account, kind, name="one").body[kind]
    path = f"/{kind.replace('_', '-')}s/{remote['id']}"
    answer = account.neutron("PUT", path, {kind: {"name": "two", "mtu": 1400}})
    shown = account.neutron("GET", path).body[kind]
    assert (answer.status, shown["name"]) == ((400, "one") if is_refusing(account) else (200, "two"))
    assert "mtu" not in shown


@pytest.mark.parametrize("kind", UNDOCUMENTED)
def test_responses_lack_undocumented_attributes(account: Account, kind: str) -> None:
    """They are absent from the responses of create, show and list, except the description of security groups."""
    created = create(account, kind, name="one").body[kind]
    collection = f"{kind}s"
    path = f"/{collection.replace('_', '-')}"
    shown = account.neutron("GET", f"{path}/{created['id']}").body[kind]
    listed = account.neutron("GET", f"{path}?id={created['id']}").body[collection]
    for each in (created, shown, *listed):
        has = {name for name in ABSENT if name in each}
        assert has == ({"description"} if kind == "security_group" else set())


def test_groups_and_rules_have_descriptions(account: Account) -> None:
    """The documents name the description of security groups and of their rules."""
    group = create(account, "security_group", name="one", description="mine").body["security_group"]
    rule = create(
        account, "security_group_rule", security_group_id=group["id"], direction="ingress", description="ours"
    ).body["security_group_rule"]
    assert (group["description"], rule["description"]) == ("mine", "ours")


@pytest.mark.parametrize("query", ["description=mine", "tags=one", "not-tags=one"])
def test_unknown_filter(account: Account, query: str) -> None:
    """A filter by an undocumented attribute is refused, or ignored."""
    network = create(account, "network", name="one").body["network"]
    answer = account.neutron("GET", f"/networks?{query}")
    if is_refusing(account):
        assert answer.status == 400
    else:
        assert network["id"] in [each["id"] for each in answer.body["networks"]]


@pytest.mark.parametrize("path", ["tags", "tags/one"])
def test_tags_have_no_path(account: Account, path: str) -> None:
    """The gateway responds to the paths of tags."""
    network = create(account, "network", name="one").body["network"]
    answer = account.neutron("PUT", f"/networks/{network['id']}/{path}", {"tags": ["one"]})
    assert (answer.status, answer.body["message"]) == (404, "API not found")


def test_no_path_of_qos_segments_and_trunks(account: Account) -> None:
    """The gateway responds to the paths of QoS policies, segments and trunks."""
    for path in ("/qos/policies", "/segments", "/trunks"):
        answer = account.neutron("GET", path)
        assert (answer.status, answer.body["message"]) == (404, "API not found"), path


@pytest.mark.parametrize(("extensions", "status"), [("all", 201), ("common", 400)])
def test_kept_attributes(extensions: str, status: int) -> None:
    """With the rule `unknown_attributes=keep` all attributes are as in OpenStack, those of extensions by their rule."""
    with signed_in(unknown_attributes="keep", extensions=extensions) as account:
        network = create(account, "network", description="mine", mtu=1400).body["network"]
        assert (network["description"], network["mtu"], network["tags"]) == ("mine", 1400, [])
        assert create(account, "subnet", gateway_ip=None).body["subnet"]["gateway_ip"] is None
        assert create(account, "network", dns_domain="example.org.").status == status
