"""A provider that does nothing. A module of its own, so that the state refers to it and has not its code."""

import uuid
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult
from pulumi.dynamic.dynamic import serialize_provider

ID = "366bc1ce-20e4-409a-b451-168d33ec8e86"
TIME = "2026-11-30T02:20:00Z"
OUTPUTS = {
    "access_ip_v4": "10.89.2.204",
    "addresses": {"bench": [{"addr": "10.89.2.204", "mac": "fa:16:3e:a9:15:d7", "type": "fixed", "version": 4}]},
    "availability_zone": "nova",
    "config_drive": False,
    "created": TIME,
    "description": "Managed by Pulumi: bench/a/server997 [c16cc096]",
    "disk_config": "MANUAL",
    "flavor_id": "101",
    "host_id": "98222e4b91baf26a0abd6ebf120e2ae58ccabe8280a18bf71d09ca29",
    "image_id": ID,
    "image_name": "cirros-peer",
    "launched_at": TIME,
    "locked": False,
    "metadata": {},
    "nics": [
        {
            "fixed_ips": [{"ip_address": "10.89.2.204", "subnet_id": ID}],
            "mac_address": "fa:16:3e:a9:15:d7",
            "network_id": ID,
            "port_id": ID,
        }
    ],
    "power_state": "active",
    "project_id": "cf0f85cae04354ccae57d5546e571afc",
    "region": "RegionOne",
    "security_groups": ["default"],
    "status": "ACTIVE",
    "tags": [],
    "updated": TIME,
    "vm_state": "active",
    "volumes_attached": [],
}
"""The outputs of a server that are no inputs."""


class Nothing(ResourceProvider):
    """Returns immediately."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Report a created resource."""
        return CreateResult(str(uuid.uuid4()), {**OUTPUTS, **props})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the only input that changes."""
        return DiffResult(changes=olds["word"] != news["word"])

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Report an updated resource."""
        return UpdateResult({**OUTPUTS, **news})


SERIALIZED = serialize_provider(Nothing())
