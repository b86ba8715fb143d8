"""The Cinder service: versions, microversions, links and response headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.routing import Service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call

OLDEST = (3, 0)
NEWEST = (3, 70)
MISSING = "The resource could not be found."
NO_ROUTE = """<html>
 <head>
  <title>404 Not Found</title>
 </head>
 <body>
  <h1>404 Not Found</h1>
  The resource could not be found.<br /><br />



 </body>
</html>"""


class Cinder(Service):
    """The block storage service."""

    def handle(self, call: Call) -> Reply:
        """Serve one request; a cloud with microversions has no v2 API."""
        if call.path.startswith("/v2") and call.cloud.dialect.microversions:
            return self.no_route(call)
        return super().handle(call)

    def foreign_project(self, call: Call, project: str) -> str:  # noqa: ARG002
        """Return the error message for a URL with the id of another project."""
        return "Malformed request url"

    def version_list(self, call: Call) -> Reply:
        """`GET /`: status 300, because there may be several versions."""
        old = [] if call.cloud.dialect.microversions else [_version(call, "v2")]
        return Reply(300, {"versions": [*old, _version(call, "v3")]})

    def version_document(self, call: Call) -> Reply:
        """`GET /v3/`: requires a token."""
        call.cloud.authenticate(call)
        self.negotiate(call)
        return Reply(200, {"versions": [_version(call, call.version)]})

    def negotiate(self, call: Call) -> None:
        """Set the microversion of the request; only `/v3` has microversions, and only if the cloud supports them."""
        call.microversion = OLDEST
        requested = _requested_version(call.headers)
        if call.version != "v3" or not call.cloud.dialect.microversions or requested is None:
            return
        if requested == "latest":
            call.microversion = NEWEST
            return
        match = re.fullmatch(r"(\d+)\.(\d+)", requested)
        if match is None:
            message = f"API Version String {requested} is of invalid format. Must be of format MajorNum.MinorNum."
            raise HttpError(400, message)
        version = int(match[1]), int(match[2])
        if not OLDEST <= version <= NEWEST:
            message = (
                f"Version {requested} is not supported by the API. Minimum is {_text(OLDEST)} and maximum is"
                f" {_text(NEWEST)}."
            )
            raise HttpError(406, message)
        call.microversion = version

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:
        """Return the request ids and, on `/v3`, the microversion of the response."""
        headers = {"X-Openstack-Request-Id": request_id, "X-Compute-Request-Id": request_id}
        if call.version == "v3" and call.cloud.dialect.microversions and call.project_id:
            headers |= {
                "Openstack-Api-Version": f"volume {_text(call.microversion)}",
                "Vary": "OpenStack-API-Version",
            }
        return headers

    def no_route(self, call: Call) -> Reply:  # noqa: ARG002
        """Respond with an HTML page, like the middleware in front of the real service."""
        return Reply(404, NO_ROUTE)


service = Cinder("volume", ("v2", "v3"), project_in_path=True)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _requested_version(headers: dict[str, str]) -> str | None:
    for part in headers.get("openstack-api-version", "").split(","):
        kind, _, version = part.strip().partition(" ")
        if kind in ("volume", "block-storage") and version:
            return version.strip()
    return None


def _version(call: Call, name: str) -> dict[str, Any]:
    micro = name == "v3" and call.cloud.dialect.microversions
    kind = f"application/vnd.openstack.volume+json;version={name[1:]}"
    return {
        "id": f"{name}.0",
        "status": "CURRENT" if name == "v3" else "DEPRECATED",
        "version": _text(NEWEST) if micro else "",
        "min_version": _text(OLDEST) if micro else "",
        "updated": "2022-08-31T00:00:00Z" if name == "v3" else "2017-02-25T12:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": f"{call.root}/{name}/"},
        ],
        "media-types": [{"base": "application/json", "type": kind}],
    }


def links(call: Call, path: str) -> list[dict[str, str]]:
    """Return the `self` and `bookmark` links of an object."""
    return [
        {"rel": "self", "href": f"{call.self_base}/{path}"},
        {"rel": "bookmark", "href": f"{call.bookmark_base}/{path}"},
    ]


def require_microversion(call: Call, minor: int) -> None:
    """Reject with 404 a request whose microversion is older than 3.`minor`."""
    if not call.at_least(minor):
        raise HttpError(404, MISSING)


def forbidden(rule: str) -> HttpError:
    """Return a 403 error for an action that the policy does not allow."""
    return HttpError(403, f"Policy doesn't allow {rule} to be performed.")


def require_admin(call: Call, rule: str) -> None:
    """Reject with 403 a request without the admin role."""
    if not call.is_admin:
        raise forbidden(rule)
