"""The two kinds of emulated cloud: their regions, zones, catalogs, quotas and rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args, get_type_hints

from .accounts import OPENSTACK_ACCOUNTS, OTC_ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .accounts import Accounts

DialectName = Literal["otc", "openstack"]
Version = tuple[int, int]

QUOTAS = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
    "volumes": 10,
    "gigabytes": 1000,
    "snapshots": 10,
    "per_volume_gigabytes": -1,
    "network": 100,
    "subnet": 100,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
}
"""The quotas of a new OpenStack project."""


DNS_AND_QOS = {
    "dns-integration": "DNS Integration",
    "qos": "Quality of Service",
    "qos-fip": "Floating IP QoS",
    "segment": "Segment",
    "subnet-dns-publish-fixed-ip": "Subnet DNS publish fixed IP",
    "vlan-transparent": "Vlantransparent",
}
"""The Neutron extensions that many clouds lack, by alias."""


@dataclass(frozen=True)
class Rules:
    """What a cloud does where its documents leave it open, or where clouds of the same kind differ.

    `Emulator(rules={"unknown_attributes": "drop"})` and `--rule unknown_attributes=drop` change a rule. The page on the
    Open Telekom Cloud lists them for users.
    """

    unknown_attributes: Literal["keep", "refuse", "drop"] = "keep"
    """Whether Neutron keeps attributes that the Open Telekom Cloud does not document, such as `description`, as
    OpenStack does, refuses the request with 400, or drops them."""
    zone_required: Literal["no", "yes"] = "no"
    """Whether Cinder refuses a new volume without an availability zone."""
    end_of_sale: Literal["sell", "refuse"] = "sell"
    """Whether Cinder still sells volumes of the type `SATA`, whose sale has ended in the Open Telekom Cloud."""
    retype_status: Literal["shown", "hidden"] = "shown"
    """Whether Cinder shows the status `retyping` while the type of a volume changes, or the status before it."""
    undocumented_actions: Literal["answer", "refuse"] = "answer"
    """Whether Nova answers to actions that the Open Telekom Cloud does not document, such as `suspend`."""
    server_metadata: Literal["plain", "extended"] = "plain"
    """Whether Nova adds entries of the cloud, such as `metering.image_id`, to the metadata of a new server."""
    server_tags: Literal["plain", "pairs"] = "plain"
    """Whether Nova shows a tag of a server as it was set, or as `key=value`, with an empty value."""
    network_rights: Literal["all", "none"] = "all"
    """Whether an account that is no administrator may use Neutron. Without rights, lists are empty, and all other
    requests are refused with 403."""
    extensions: Literal["common", "all"] = "common"
    """Whether Neutron has the extensions for DNS, QoS, segments and transparent VLANs."""


def rule_values() -> dict[str, tuple[str, ...]]:
    """Return the values of each rule."""
    return {name: get_args(hint) for name, hint in get_type_hints(Rules).items()}


def changed_rules(rules: Rules, changes: Mapping[str, str]) -> Rules:
    """Return the rules with some of them changed.

    Raises:
        ValueError: There is no such rule, or it has no such value.
    """
    known = rule_values()
    for name, value in changes.items():
        if name not in known:
            raise ValueError(f"no rule {name!r}; there are {', '.join(known)}")
        if value not in known[name]:
            raise ValueError(f"{name}: {value!r} is none of {', '.join(known[name])}")
    return replace(rules, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Dialect:
    """The properties of one kind of cloud."""

    name: DialectName
    regions: dict[str, tuple[str, ...]]
    """Maps each region to its availability zones; the first region and the first zone are the defaults."""
    volume_types: tuple[str, ...]
    """The names of the volume types; the first one is the default."""
    catalog: tuple[tuple[str, str, str], ...]
    """Service type, name and URL template of every endpoint, with `{region}` and `{project}` as placeholders."""
    interfaces: tuple[str, ...]
    """The interfaces of every endpoint."""
    accounts: Accounts
    """The users and projects."""
    identity_version: tuple[str, str]
    """Id of Keystone's version and the time of its last change."""
    microversions: dict[str, tuple[Version, Version]]
    """The oldest and the newest microversion of Nova (`compute`) and Cinder (`volume`); without an entry, a service
    has no microversions."""
    volume_apis: dict[str, str]
    """The versions that Cinder lists, oldest first, with their status."""
    bulk_rules: bool
    """Whether a request may create several security group rules; the Open Telekom Cloud documents none that does."""
    extensions: dict[str, str]
    """The Neutron extensions that clouds of the other kind lack, by alias."""
    partial_volume_types: tuple[str, ...] = ()
    """The volume types that the first zone lacks."""
    quotas: dict[str, int] = field(default_factory=lambda: dict(QUOTAS))
    rules: Rules = field(default_factory=Rules)

    @property
    def region(self) -> str:
        """The default region."""
        return next(iter(self.regions))


OTC = Dialect(
    name="otc",
    regions={"eu-de": ("eu-de-01", "eu-de-02", "eu-de-03"), "eu-nl": ("eu-nl-01", "eu-nl-02", "eu-nl-03")},
    volume_types=("SAS", "SSD", "GPSSD", "ESSD", "SATA"),
    partial_volume_types=("ESSD",),
    catalog=(
        ("compute", "nova", "/{region}/compute/v2.1/{project}"),
        ("ecs", "ecs", "/{region}/ecs/v1/{project}"),
        ("network", "neutron", "/{region}/network"),
        ("vpc", "vpc", "/{region}/vpc/v1/{project}"),
        ("vpc2.0", "vpc2.0", "/{region}/vpc/v2.0/{project}"),
        ("volume", "cinder", "/{region}/volume/v2/{project}"),
        ("volumev2", "cinderv2", "/{region}/volume/v2/{project}"),
        ("evs", "evs", "/{region}/volume/v2/{project}"),
        ("volumev3", "cinderv3", "/{region}/volume/v3/{project}"),
        ("image", "glance", "/{region}/image"),
        ("identity", "keystone", "/v3"),
    ),
    interfaces=("public",),
    accounts=OTC_ACCOUNTS,
    identity_version=("v3.6", "2016-04-04T00:00:00Z"),
    microversions={"compute": ((2, 1), (2, 60)), "volume": ((3, 0), (3, 50))},
    volume_apis={"v1": "SUPPORTED", "v2": "SUPPORTED", "v3": "CURRENT"},
    bulk_rules=False,
    extensions={},
    rules=Rules(
        unknown_attributes="refuse",
        zone_required="yes",
        end_of_sale="refuse",
        retype_status="hidden",
        undocumented_actions="refuse",
        server_metadata="extended",
        extensions="all",
    ),
    # Large enough for tests with thousands of servers.
    quotas=QUOTAS
    | {
        "instances": 10_000,
        "cores": 40_000,
        "ram": 400_000_000,
        "key_pairs": 1_000,
        "volumes": 20_000,
        "gigabytes": 2_000_000,
        "network": 1_000,
        "subnet": 1_000,
        "port": 20_000,
        "router": 1_000,
        "floatingip": 1_000,
        "security_group": 1_000,
        "security_group_rule": 10_000,
    },
)

OPENSTACK = Dialect(
    name="openstack",
    regions={"RegionOne": ("nova", "az2")},
    volume_types=("SATA", "SSD"),
    catalog=(
        ("compute", "nova", "/{region}/compute/v2.1"),
        ("compute_legacy", "nova_legacy", "/{region}/compute/v2/{project}"),
        ("network", "neutron", "/{region}/network"),
        ("volumev3", "cinderv3", "/{region}/volume/v3/{project}"),
        ("block-storage", "cinder", "/{region}/volume/v3/{project}"),
        ("image", "glance", "/{region}/image"),
        ("identity", "keystone", "/v3"),
    ),
    interfaces=("public", "internal", "admin"),
    accounts=OPENSTACK_ACCOUNTS,
    identity_version=("v3.14", "2020-04-07T00:00:00Z"),
    microversions={"compute": ((2, 1), (2, 93)), "volume": ((3, 0), (3, 70))},
    volume_apis={"v3": "CURRENT"},
    bulk_rules=True,
    extensions={
        "dvr": "Distributed Virtual Router",
        "extraroute-atomic": "Atomically add/remove extra routes",
        "l3-flavors": "Router Flavor Extension",
        "l3-ha": "HA Router extension",
        "revision-if-match": "If-Match constraints based on revision_number",
    },
)

DIALECTS: dict[DialectName, Dialect] = {"otc": OTC, "openstack": OPENSTACK}
