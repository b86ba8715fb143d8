"""The Nova service: versions, response headers and pagination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator import versioned
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import number
from ecs_pulumi.emulator.versioned import Versioned

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call

LIST_LIMIT = 1000
LEGACY_HEADER = "x-openstack-nova-api-version"


class Nova(Versioned):
    """The compute service."""

    def version_list(self, call: Call) -> Reply:
        """`GET /`: v2.0 and v2.1, with the fields of the ECS guide."""
        return Reply(200, {"versions": [self._render_version(call, name) for name in self.versions]})

    def version_document(self, call: Call) -> Reply:
        """`GET /v2.1/`."""
        self.negotiate(call)
        kind = f"application/vnd.openstack.compute+json;version={call.version[1:]}"
        version = self._render_version(call, call.version)
        version["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
        version["media-types"] = [{"base": "application/json", "type": kind}]
        return Reply(200, {"version": version})

    def requested_version(self, headers: dict[str, str]) -> str | None:
        """Return the requested microversion. `OpenStack-API-Version` takes precedence over the older header."""
        return super().requested_version(headers) or headers.get(LEGACY_HEADER)

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:
        """Return the request id headers, and the microversion in use under both of its names."""
        headers = super().reply_headers(call, request_id)
        if version := headers.get("Openstack-Api-Version"):
            headers["X-Openstack-Nova-Api-Version"] = version.partition(" ")[2]
            headers["Vary"] += ", X-OpenStack-Nova-API-Version"
        return headers

    def _render_version(self, call: Call, name: str) -> dict[str, Any]:
        return {
            "id": "v2.0" if name == "v2" else name,
            "status": "SUPPORTED" if name == "v2" else "CURRENT",
            **self.range(call, name),
            "updated": "2011-01-21T11:33:21Z" if name == "v2" else "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": f"{call.root}/{name}/"}],
        }


service = Nova("compute", ("v2", "v2.1"), ("compute",), default=(2, 1))


def require_admin(call: Call, rule: str) -> None:
    """Raise 403 for an operation that is reserved for administrators."""
    versioned.require_admin(call, f"os_compute_api:{rule}")


def page(call: Call) -> tuple[str | None, int]:
    """Return the marker and the limit of the request."""
    limit = call.param("limit")
    most = number(limit or str(LIST_LIMIT))
    if most is None:
        raise HttpError(
            400,
            f"Invalid input for query parameters limit. Value: {limit}. '{limit}' does not match '^[0-9]*$'",
        )
    return call.param("marker"), min(most, LIST_LIMIT)
