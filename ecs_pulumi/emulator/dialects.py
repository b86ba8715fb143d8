"""The two kinds of emulated cloud: their regions, zones, catalogs, quotas and rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DialectName = Literal["otc", "openstack"]

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


@dataclass(frozen=True)
class Dialect:
    """The properties of one kind of cloud."""

    name: DialectName
    regions: dict[str, tuple[str, ...]]
    """Maps each region to its availability zones; the first region and the first zone are the defaults."""
    volume_types: tuple[str, ...]
    catalog: tuple[tuple[str, str, str], ...]
    """Service type, name and URL template of every endpoint, with `{region}` and `{project}` as placeholders."""
    microversions: bool
    """Whether Nova and Cinder offer microversions."""
    resize_running: bool
    """Whether a running server may be resized; the developer guide requires a stopped one."""
    bulk_rules: bool
    """Whether a request may create several security group rules; the Open Telekom Cloud documents none that does."""
    quotas: dict[str, int] = field(default_factory=lambda: dict(QUOTAS))

    @property
    def region(self) -> str:
        """The default region."""
        return next(iter(self.regions))


OTC = Dialect(
    name="otc",
    regions={"eu-de": ("eu-de-01", "eu-de-02", "eu-de-03"), "eu-nl": ("eu-nl-01", "eu-nl-02", "eu-nl-03")},
    volume_types=("SATA", "SAS", "SSD"),
    catalog=(
        ("compute", "nova", "/{region}/compute/v2.1/{project}"),
        ("compute_legacy", "nova_legacy", "/{region}/compute/v2/{project}"),
        ("network", "neutron", "/{region}/network"),
        ("volumev2", "cinderv2", "/{region}/volume/v2/{project}"),
        ("volumev3", "cinderv3", "/{region}/volume/v3/{project}"),
        ("block-storage", "cinder", "/{region}/volume/v3/{project}"),
        ("image", "glance", "/{region}/image"),
        ("identity", "keystone", "/v3"),
    ),
    microversions=False,
    resize_running=False,
    bulk_rules=False,
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
    microversions=True,
    resize_running=True,
    bulk_rules=True,
)

DIALECTS: dict[DialectName, Dialect] = {"otc": OTC, "openstack": OPENSTACK}
