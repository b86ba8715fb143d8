"""The Cinder service: versions and response headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import NoRoute, named_fault, page
from ecs_pulumi.emulator.routing import NO_ROUTE
from ecs_pulumi.emulator.versioned import Versioned

from . import otc

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.errors import HttpError


class Cinder(Versioned):
    """The block storage service."""

    def handle(self, call: Call) -> Reply:
        """Serve one request; a version that the dialect does not list does not exist."""
        version = call.path.strip("/").partition("/")[0]
        if version and version not in call.cloud.dialect.volume_apis:
            raise NoRoute
        return super().handle(call)

    def foreign_project(self, call: Call, project: str) -> str:  # noqa: ARG002
        """Return the error message for a URL with the id of another project."""
        return "Malformed request url"

    def error_reply(self, call: Call, error: HttpError) -> Reply:
        """Return the response to a rejected request; the Open Telekom Cloud has codes for some errors."""
        if call.is_otc:
            error.kind = error.kind or otc.STATUS_CODES.get(error.status, "")
        return super().error_reply(call, error)

    def error_body(self, error: HttpError) -> dict[str, Any]:
        """Return an error body: with its code, if it has one, else in the form of OpenStack."""
        return otc.error_body(error) if error.kind else named_fault(error)

    def version_list(self, call: Call) -> Reply:
        """`GET /`: status 300, because there may be several versions."""
        return Reply(300, {"versions": [self._render_version(call, name) for name in call.cloud.dialect.volume_apis]})

    def version_document(self, call: Call) -> Reply:
        """`GET /v3/`: requires a token."""
        call.cloud.authenticate(call)
        self.negotiate(call)
        return Reply(200, {"versions": [self._render_version(call, call.version)]})

    def no_route(self, call: Call) -> Reply:
        """Respond with an HTML page, like the middleware in front of the real service."""
        call.microversion = (0, 0)
        return Reply(404, page(404, NO_ROUTE, ""))

    def _render_version(self, call: Call, name: str) -> dict[str, Any]:
        kind = f"application/vnd.openstack.volume+json;version={name[1:]}"
        return {
            "id": f"{name}.0",
            "status": call.cloud.dialect.volume_apis[name],
            **self.range(call, name),
            "updated": "2022-08-31T00:00:00Z" if name == "v3" else "2017-02-25T12:00:00Z",
            "links": [
                {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                {"rel": "self", "href": f"{call.root}/{name}/"},
            ],
            "media-types": [{"base": "application/json", "type": kind}],
        }


service = Cinder("volume", ("v2", "v3"), ("volume", "block-storage"), default=(3, 0))
