"""What Nova and Cinder share: microversions, links, and the errors for requests that need another version or role."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .errors import HttpError
from .routing import NO_ROUTE, Service

if TYPE_CHECKING:
    from .context import Call, Reply
    from .dialects import Version


class Versioned(Service):
    """A service whose newest version has the microversions of the dialect, if the dialect has any for this service.

    Args:
        path: the segment of the service in the emulator's URLs.
        versions: the versions that may start a path, oldest first.
        names: the service's names in the header `OpenStack-API-Version`; responses use the first one.
        default: the microversion of requests without a header, and of versions without microversions.
    """

    def __init__(self, path: str, versions: tuple[str, ...], names: tuple[str, ...], default: Version) -> None:
        super().__init__(path, versions, project_in_path=True)
        self.names = names
        self.default = default

    def microversions(self, call: Call, version: str) -> tuple[Version, Version] | None:
        """Return the oldest and the newest microversion of a version of the API; None if it has none."""
        return call.cloud.dialect.microversions.get(self.path) if version == self.versions[-1] else None

    def range(self, call: Call, version: str) -> dict[str, str]:
        """Return the range of microversions in the form of a version document; empty texts if there are none."""
        oldest, newest = self.microversions(call, version) or (None, None)
        return {"version": _text(newest) if newest else "", "min_version": _text(oldest) if oldest else ""}

    def negotiate(self, call: Call) -> None:
        """Set the microversion of the request: 400 if it is malformed, 406 if it is not supported."""
        requested = self.requested_version(call.headers)
        offered = self.microversions(call, call.version)
        if offered is None or requested is None:
            call.microversion = self.default
            return
        oldest, newest = offered
        if requested == "latest":
            call.microversion = newest
            return
        match = re.fullmatch(r"([1-9]\d{0,8})\.([1-9]\d{0,8}|0)", requested)
        if match is None:
            message = f"API Version String {requested} is of invalid format. Must be of format MajorNum.MinorNum."
            raise HttpError(400, message)
        call.microversion = (int(match[1]), int(match[2]))
        if not oldest <= call.microversion <= newest:
            message = (
                f"Version {requested} is not supported by the API. Minimum is {_text(oldest)} and maximum is"
                f" {_text(newest)}."
            )
            raise HttpError(406, message)

    def requested_version(self, headers: dict[str, str]) -> str | None:
        """Return the requested microversion, or None."""
        for part in headers.get("openstack-api-version", "").split(","):
            name, _, version = part.strip().partition(" ")
            if name in self.names and version:
                return version.strip()
        return None

    def no_route(self, call: Call) -> Reply:
        """Return 404 without a microversion header: the web server rejects the request before it is negotiated."""
        call.microversion = (0, 0)
        return super().no_route(call)

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:
        """Return the request id headers, and the microversion in use."""
        headers = {"X-Openstack-Request-Id": request_id, "X-Compute-Request-Id": request_id}
        if self.microversions(call, call.version) and call.microversion != (0, 0):
            headers |= {
                "Openstack-Api-Version": f"{self.names[0]} {_text(call.microversion)}",
                "Vary": "OpenStack-API-Version",
            }
        return headers


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def links(call: Call, path: str) -> list[dict[str, str]]:
    """Return the self and bookmark links of an object."""
    return [
        {"rel": "self", "href": f"{call.self_base}/{path}"},
        {"rel": "bookmark", "href": f"{call.bookmark_base}/{path}"},
    ]


def next_link(call: Call, address: str, last_id: str) -> list[dict[str, str]]:
    """Return the link to the page that follows the object `last_id` in the list at this address."""
    query = [(name, value) for name, values in call.query.items() for value in values if name != "marker"]
    return [{"rel": "next", "href": f"{address}?{urlencode([*sorted(query), ('marker', last_id)])}"}]


def require_at_least(call: Call, minor: int) -> None:
    """Raise 404 if the microversion is older than the one with this minor number, which added the resource."""
    if not call.at_least(minor):
        raise HttpError(404, NO_ROUTE)


def require_below(call: Call, minor: int) -> None:
    """Raise 404 if the microversion is this one or newer, which removed the resource."""
    if call.at_least(minor):
        raise HttpError(404, NO_ROUTE)


def require_admin(call: Call, rule: str) -> None:
    """Raise 403 if the token has no admin role."""
    if not call.is_admin:
        raise HttpError(403, f"Policy doesn't allow {rule} to be performed.")
