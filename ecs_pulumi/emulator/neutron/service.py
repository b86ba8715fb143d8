"""The service itself: its versions, extensions, and its way to say no."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError, neutron_error
from ecs_pulumi.emulator.routing import Service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context

EXTENSIONS = {
    "allowed-address-pairs": "Allowed Address Pairs",
    "availability_zone": "Availability Zone",
    "availability_zone_filter": "Availability Zone Filter Extension",
    "binding": "Port Binding",
    "empty-string-filtering": "Empty String Filtering Extension",
    "external-net": "Neutron external network",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "filter-validation": "Filter parameters validation",
    "ip-substring-filtering": "IP address substring filtering",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "port-security-groups-filtering": "Port filtering on security groups",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "quota_details": "Quota details management support",
    "quotas": "Quota management support",
    "security-group": "security-group",
    "security-groups-normalized-cidr": "Normalized CIDR field for security group rules",
    "service-type": "Neutron Service Type Management",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute: port, subnet, subnetpool, network,"
    " router, floatingip, policy, security_group, trunk, network_segment_range",
    "standard-attr-timestamp": "Resource timestamps",
    "stateful-security-group": "Stateful security group",
    "subnet-service-types": "Subnet service types",
    "subnet_allocation": "Subnet Allocation",
}
"""What every dialect offers: alias to name."""

MORE_EXTENSIONS = {
    "otc": {
        "dns-integration": "DNS Integration",
        "qos": "Quality of Service",
        "segment": "Segment",
        "subnet-dns-publish-fixed-ip": "Subnet DNS publish fixed IP",
    }
}
"""What the dialect named offers besides."""


def offered(ctx: Context) -> dict[str, str]:
    """The extensions of this cloud, alias to name."""
    return EXTENSIONS | MORE_EXTENSIONS.get(ctx.cloud.dialect.name, {})


@cache
def _aliases(dialect: str) -> frozenset[str]:
    # Asked for every object that is shown.
    return frozenset(EXTENSIONS) | frozenset(MORE_EXTENSIONS.get(dialect, {}))


def extensions(ctx: Context) -> frozenset[str]:
    """The aliases of the extensions of this cloud."""
    return _aliases(ctx.cloud.dialect.name)


class Neutron(Service):
    """Neutron v2.0."""

    def version_list(self, call: Call) -> Reply:
        """`GET /`."""
        version = {
            "id": "v2.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": f"{call.root}/v2.0/"}],
        }
        return Reply(200, {"versions": [version]})

    def version_document(self, call: Call) -> Reply:
        """`GET /v2.0/`: the core collections; without the slash there is nothing, as in the real service."""
        call.cloud.authenticate(call)
        if not call.path.endswith("/"):
            return self.no_route(call)
        core = ("network", "subnet", "subnetpool", "port")
        resources = [
            {
                "name": name,
                "collection": f"{name}s",
                "links": [{"rel": "self", "href": f"{call.root}/v2.0/{name}s"}],
            }
            for name in core
        ]
        return Reply(200, {"resources": resources})

    def error_body(self, refused: HttpError) -> Any:
        """`{"NeutronError": …}`."""
        return neutron_error(refused)

    def no_route(self, call: Call) -> Reply:
        """404 in Neutron's shape; 405 where only the method is wrong."""
        if call.method not in ("GET", "POST", "PUT", "DELETE") or self._serves_otherwise(call):
            message = (
                "The server could not comply with the request since it is either malformed or otherwise incorrect."
            )
            refused = HttpError(405, message, kind="HTTPMethodNotAllowed")
        else:
            refused = HttpError(404, "The resource could not be found.", kind="HTTPNotFound")
        return Reply(refused.status, neutron_error(refused))

    def _serves_otherwise(self, call: Call) -> bool:
        """Whether the path is one of an object that can be had by GET."""
        segments = call.path.strip("/").split("/")[1:]
        return any(
            "GET" in methods and template[0] == segments[0] for template, methods in self._routes.get(len(segments), ())
        )


service = Neutron("network", ("v2.0",))
