"""The own VPC API of the Open Telekom Cloud: its quotas, which Neutron does not show there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .routing import Service

if TYPE_CHECKING:
    from .context import Call
    from .errors import HttpError

QUOTAS = {
    "vpc": "router",
    "subnet": "subnet",
    "securityGroup": "security_group",
    "securityGroupRule": "security_group_rule",
    "publicIp": "floatingip",
}
"""The types of the quotas, with the resource that each of them limits."""
OTHERS = {"vpn": 5, "vpcPeer": 50, "physicalConnect": 10, "virtualInterface": 50, "firewall": 200}
"""The quotas of what is not emulated."""


class Vpc(Service):
    """The VPC service, version 1."""

    def error_body(self, error: HttpError) -> Any:
        """Return an error body of the form `{"code": "VPC.0001", "message": …}`."""
        return {"code": error.kind or "VPC.0001", "message": error.message}


service = Vpc("vpc", ("v1",), project_in_path=True)


@service.get("/quotas")
def show_quotas(call: Call) -> dict[str, Any]:
    """`GET /v1/{project}/quotas?type=…`: the limits of the project and its usage, or those of one type."""
    usage = {
        name: (call.quota(resource), call.count(resource, project_id=call.project_id))
        for name, resource in QUOTAS.items()
    }
    usage |= {name: (limit, 0) for name, limit in OTHERS.items()}
    requested = call.param("type")
    return {
        "quotas": {
            "resources": [
                {"type": name, "used": used, "quota": limit, "min": 0}
                for name, (limit, used) in usage.items()
                if requested in (None, name)
            ]
        }
    }
