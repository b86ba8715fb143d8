"""Nova itself: versions, microversions, and what every answer carries."""

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
        """`GET /`: v2.0 and v2.1 in the guide's shape."""
        return Reply(200, {"versions": [_version(call, "v2"), _version(call, "v2.1")]})

    def version_document(self, call: Call) -> Reply:
        """`GET /v2.1/`."""
        self.negotiate(call)
        kind = f"application/vnd.openstack.compute+json;version={call.version[1:]}"
        version = _version(call, call.version)
        version["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
        version["media-types"] = [{"base": "application/json", "type": kind}]
        return Reply(200, {"version": version})

    def negotiate(self, call: Call) -> None:
        """Microversions exist on `/v2.1` alone, and only where the cloud offers them."""
        asked = _asked_version(call.headers)
        if call.version == "v2" or not call.cloud.dialect.microversions:
            call.microversion = OLDEST
            return
        if asked == "latest":
            call.microversion = NEWEST
            return
        found = re.fullmatch(r"([1-9]\d*)\.([1-9]\d*|0)", asked)
        if found is None:
            raise HttpError(
                400,
                f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum.",
            )
        call.microversion = (int(found[1]), int(found[2]))
        if not OLDEST <= call.microversion <= NEWEST:
            raise HttpError(
                406,
                f"Version {asked} is not supported by the API. Minimum is {_text(OLDEST)} and maximum is"
                f" {_text(NEWEST)}.",
            )

    def no_route(self, call: Call) -> Reply:
        """Answered in front of Nova, where no microversion is known."""
        call.microversion = (0, 0)
        return super().no_route(call)

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:
        """Request ids, and on `/v2.1` the microversion that was used."""
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


def _asked_version(headers: dict[str, str]) -> str:
    """The microversion of either header; the newer header wins."""
    for part in headers.get("openstack-api-version", "").split(","):
        kind, _, version = part.strip().partition(" ")
        if kind == "compute" and version:
            return version.strip()
    return headers.get("x-openstack-nova-api-version", _text(OLDEST))


def _version(call: Call, name: str) -> dict[str, Any]:
    micro = name == "v2.1" and call.cloud.dialect.microversions
    return {
        "id": "v2.0" if name == "v2" else name,
        "status": "SUPPORTED" if name == "v2" else "CURRENT",
        "version": _text(NEWEST) if micro else "",
        "min_version": _text(OLDEST) if micro else "",
        "updated": "2011-01-21T11:33:21Z" if name == "v2" else "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.root}/{name}/"}],
    }


def links(call: Call, path: str) -> list[dict[str, str]]:
    """The self and bookmark links of an object."""
    return [
        {"rel": "self", "href": f"{call.self_base}/{path}"},
        {"rel": "bookmark", "href": f"{call.bookmark_base}/{path}"},
    ]


def require(call: Call, minor: int) -> None:
    """404 for what came with microversion 2.`minor`, where an older one is spoken."""
    if not call.at_least(minor):
        raise HttpError(404, NOT_FOUND)


def until(call: Call, minor: int) -> None:
    """404 for what went with microversion 2.`minor`."""
    if call.at_least(minor):
        raise HttpError(404, NOT_FOUND)


def forbid(rule: str) -> HttpError:
    """403, for what only an administrator may do."""
    return HttpError(403, f"Policy doesn't allow os_compute_api:{rule} to be performed.")


def page(call: Call) -> tuple[str | None, int]:
    """The marker and the limit asked for."""
    limit = call.param("limit")
    if limit is not None and not re.fullmatch("[0-9]*", limit):
        raise HttpError(
            400,
            f"Invalid input for query parameters limit. Value: {limit}. '{limit}' does not match '^[0-9]*$'",
        )
    return call.param("marker"), min(int(limit) if limit else LIST_LIMIT, LIST_LIMIT)


def next_link(call: Call, path: str, last: Document) -> list[dict[str, str]]:
    """The link to the page after the one that ends with `last`."""
    query = [(name, value) for name, values in call.query.items() for value in values if name != "marker"]
    return [
        {
            "rel": "next",
            "href": f"{call.self_base}/{path}?{urlencode([*sorted(query), ('marker', last['id'])])}",
        }
    ]
