"""The Nova service: versions, microversions, response headers, links and pagination."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.routing import Service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

NEWEST = (2, 93)
OLDEST = (2, 1)
LIST_LIMIT = 1000
NOT_FOUND = "The resource could not be found."


class Nova(Service):
    """The compute service."""

    def version_list(self, call: Call) -> Reply:
        """`GET /`: v2.0 and v2.1, with the fields of the ECS guide."""
        return Reply(200, {"versions": [_render_version(call, "v2"), _render_version(call, "v2.1")]})

    def version_document(self, call: Call) -> Reply:
        """`GET /v2.1/`."""
        self.negotiate(call)
        kind = f"application/vnd.openstack.compute+json;version={call.version[1:]}"
        version = _render_version(call, call.version)
        version["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
        version["media-types"] = [{"base": "application/json", "type": kind}]
        return Reply(200, {"version": version})

    def negotiate(self, call: Call) -> None:
        """Set the microversion of the request. Only `/v2.1` has microversions, if the dialect supports them."""
        requested = _requested_version(call.headers)
        if call.version == "v2" or not call.cloud.dialect.microversions:
            call.microversion = OLDEST
            return
        if requested == "latest":
            call.microversion = NEWEST
            return
        match = re.fullmatch(r"([1-9]\d*)\.([1-9]\d*|0)", requested)
        if match is None:
            raise HttpError(
                400,
                f"API Version String {requested} is of invalid format. Must be of format MajorNum.MinorNum.",
            )
        call.microversion = (int(match[1]), int(match[2]))
        if not OLDEST <= call.microversion <= NEWEST:
            raise HttpError(
                406,
                f"Version {requested} is not supported by the API. Minimum is {_text(OLDEST)} and maximum is"
                f" {_text(NEWEST)}.",
            )

    def no_route(self, call: Call) -> Reply:
        """Return 404 without a microversion header: the web server rejects the request before Nova negotiates one."""
        call.microversion = (0, 0)
        return super().no_route(call)

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:
        """Return the request id headers, and on `/v2.1` the microversion in use."""
        headers = {"X-Openstack-Request-Id": request_id, "X-Compute-Request-Id": request_id}
        if call.version == "v2.1" and call.cloud.dialect.microversions and call.microversion != (0, 0):
            headers |= {
                "Openstack-Api-Version": f"compute {_text(call.microversion)}",
                "X-Openstack-Nova-Api-Version": _text(call.microversion),
                "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
            }
        return headers


service = Nova("compute", ("v2", "v2.1"), project_in_path=True)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _requested_version(headers: dict[str, str]) -> str:
    """Return the requested microversion. `OpenStack-API-Version` takes precedence over the older header."""
    for part in headers.get("openstack-api-version", "").split(","):
        kind, _, version = part.strip().partition(" ")
        if kind == "compute" and version:
            return version.strip()
    return headers.get("x-openstack-nova-api-version", _text(OLDEST))


def _render_version(call: Call, name: str) -> dict[str, Any]:
    has_microversions = name == "v2.1" and call.cloud.dialect.microversions
    return {
        "id": "v2.0" if name == "v2" else name,
        "status": "SUPPORTED" if name == "v2" else "CURRENT",
        "version": _text(NEWEST) if has_microversions else "",
        "min_version": _text(OLDEST) if has_microversions else "",
        "updated": "2011-01-21T11:33:21Z" if name == "v2" else "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.root}/{name}/"}],
    }


def links(call: Call, path: str) -> list[dict[str, str]]:
    """Return the self and bookmark links of an object."""
    return [
        {"rel": "self", "href": f"{call.self_base}/{path}"},
        {"rel": "bookmark", "href": f"{call.bookmark_base}/{path}"},
    ]


def require_at_least(call: Call, minor: int) -> None:
    """Raise 404 if the microversion is older than 2.`minor`, which added the resource."""
    if not call.at_least(minor):
        raise HttpError(404, NOT_FOUND)


def require_below(call: Call, minor: int) -> None:
    """Raise 404 if the microversion is 2.`minor` or newer, which removed the resource."""
    if call.at_least(minor):
        raise HttpError(404, NOT_FOUND)


def forbid(rule: str) -> HttpError:
    """Return a 403 error for an operation that is reserved for administrators."""
    return HttpError(403, f"Policy doesn't allow os_compute_api:{rule} to be performed.")


def page(call: Call) -> tuple[str | None, int]:
    """Return the marker and the limit of the request."""
    limit = call.param("limit")
    if limit is not None and not re.fullmatch("[0-9]*", limit):
        raise HttpError(
            400,
            f"Invalid input for query parameters limit. Value: {limit}. '{limit}' does not match '^[0-9]*$'",
        )
    return call.param("marker"), min(int(limit) if limit else LIST_LIMIT, LIST_LIMIT)


def next_link(call: Call, path: str, last: Document) -> list[dict[str, str]]:
    """Return the link to the page that follows the object `last`."""
    query = [(name, value) for name, values in call.query.items() for value in values if name != "marker"]
    return [
        {
            "rel": "next",
            "href": f"{call.self_base}/{path}?{urlencode([*sorted(query), ('marker', last['id'])])}",
        }
    ]
