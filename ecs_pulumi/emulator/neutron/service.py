"""The Neutron service: versions, extensions and error responses."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.dialects import DIALECTS, DNS_AND_QOS, DialectName
from ecs_pulumi.emulator.errors import HttpError, NoRoute, neutron_error
from ecs_pulumi.emulator.routing import Service

from .otc import check_rights

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context

EXTENSIONS = {
    "address-group": "Address group",
    "allowed-address-pairs": "Allowed Address Pairs",
    "availability_zone": "Availability Zone",
    "availability_zone_filter": "Availability Zone Filter Extension",
    "binding": "Port Binding",
    "empty-string-filtering": "Empty String Filtering Extension",
    "ext-gw-mode": "Neutron L3 Configurable external gateway mode",
    "external-net": "Neutron external network",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "extraroute": "Neutron Extra Route",
    "filter-validation": "Filter parameters validation",
    "fip-port-details": "Floating IP Port Details Extension",
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
    "router": "Neutron L3 Router",
    "router_availability_zone": "Router Availability Zone",
    "security-group": "security-group",
    "security-groups-normalized-cidr": "Normalized CIDR field for security group rules",
    "security-groups-remote-address-group": "Remote address group id field for security group rules",
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
"""The extensions of every dialect, by alias."""


# Cached, because they are called for every object in a response.
@cache
def _extensions(dialect: DialectName, more: str) -> dict[str, str]:
    return EXTENSIONS | DIALECTS[dialect].extensions | (DNS_AND_QOS if more == "all" else {})


@cache
def _aliases(dialect: DialectName, more: str) -> frozenset[str]:
    return frozenset(_extensions(dialect, more))


def available_extensions(ctx: Context) -> dict[str, str]:
    """Return the names of this cloud's extensions by alias."""
    dialect = ctx.cloud.dialect
    return _extensions(dialect.name, dialect.rules.extensions)


def extensions(ctx: Context) -> frozenset[str]:
    """Return the aliases of this cloud's extensions."""
    dialect = ctx.cloud.dialect
    return _aliases(dialect.name, dialect.rules.extensions)


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
        """`GET /v2.0/`: the core collections; 404 without the trailing slash, as in the real service."""
        call.cloud.authenticate(call)
        if not call.path.endswith("/"):
            raise NoRoute
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

    def negotiate(self, call: Call) -> None:
        """Reject a request of an account without rights."""
        check_rights(call)

    def error_body(self, error: HttpError) -> Any:
        """Return an error body of the form `{"NeutronError": …}`."""
        return neutron_error(error)

    def no_route(self, call: Call) -> Reply:
        """Return a 404 in Neutron's format, or a 405 if only the method is wrong."""
        if call.method not in ("GET", "POST", "PUT", "DELETE") or self._supports_get(call):
            message = (
                "The server could not comply with the request since it is either malformed or otherwise incorrect."
            )
            error = HttpError(405, message, kind="HTTPMethodNotAllowed")
        else:
            error = HttpError(404, "The resource could not be found.", kind="HTTPNotFound")
        return Reply(error.status, neutron_error(error))

    def _supports_get(self, call: Call) -> bool:
        """Return whether the path supports GET."""
        segments = call.path.strip("/").split("/")[1:]
        return any(
            "GET" in methods and template[0] == segments[0] for template, methods in self._routes.get(len(segments), ())
        )


service = Neutron("network", ("v2.0",))
