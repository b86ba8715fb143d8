"""Keystone v3: tokens, projects and the service catalog."""

from __future__ import annotations

import base64
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from .clock import to_second
from .cloud import DOMAIN, PROJECTS, USERS, fixed_id
from .context import Reply
from .errors import HttpError, keystone_error
from .routing import UNAUTHORIZED, Service

if TYPE_CHECKING:
    from .context import Call
    from .store import Document

PASSWORDS = {"demo": "demo-secret", "admin": "admin-secret"}
APPLICATION_CREDENTIAL = {
    "id": fixed_id("application-credential/demo"),
    "name": "demo-credential",
    "secret": "demo-application-secret",
}
MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. The client"
    " is assumed to be in error."
)
ROLES = {"demo": ("member", "reader"), "admin": ("admin", "member", "reader")}


class Keystone(Service):
    """The identity service."""

    def version_list(self, call: Call) -> Reply:
        """`GET /`: one version, with status 300 as in the real service."""
        return Reply(300, {"versions": {"values": [_version(call)]}})

    def version_document(self, call: Call) -> Reply:
        """`GET /v3`."""
        return Reply(200, {"version": _version(call)})

    def error_body(self, error: HttpError) -> Any:
        """Return Keystone's own error body."""
        return keystone_error(error)

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """Return the request id and Vary."""
        return {"Vary": "X-Auth-Token", "x-openstack-request-id": request_id}

    def handle(self, call: Call) -> Reply:
        """Serve the request for a token without authentication, and all other requests like any service."""
        if (call.method, call.path.rstrip("/")) == ("POST", "/v3/auth/tokens"):
            return issue(call)
        return super().handle(call)


service = Keystone("identity", ("v3",))


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.origin}/v3/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
        ],
    }


def issue(call: Call) -> Reply:
    """`POST /v3/auth/tokens`."""
    try:
        body = call.json()
    except HttpError:
        raise HttpError(400, f"Expecting to find valid JSON in request body. {MALFORMED}") from None
    auth = body.get("auth") if isinstance(body, dict) else None
    if not isinstance(auth, dict):
        raise HttpError(400, "'auth' is a required property")
    identity = auth.get("identity")
    if not isinstance(identity, dict):
        raise HttpError(400, "'identity' is a required property")
    methods = identity.get("methods")
    if not isinstance(methods, list):
        raise HttpError(400, "'methods' is a required property")
    if not methods:
        raise HttpError(401, UNAUTHORIZED)
    user, bound_project = _check_credentials(call, identity, methods[0])
    project = _project(auth.get("scope"), user) or bound_project
    token: Document = {
        "id": "gAAAAA" + secrets.token_urlsafe(130),
        "user_id": USERS[user],
        "user": user,
        "project_id": PROJECTS.get(project or "", ""),
        "project": project,
        "roles": list(ROLES[user]) if project else [],
        "methods": methods,
        "issued": call.now,
        "expires": call.now + call.cloud.token_lifetime,
        "audit_id": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
    }
    call.cloud.store.put("token", "", token)
    return Reply(201, _token_body(call, token), {"X-Subject-Token": token["id"]})


def _check_credentials(call: Call, identity: Document, method: str) -> tuple[str, str | None]:
    """Return the user of the credentials and, for an application credential, its project."""
    credentials = identity.get(method)
    if not isinstance(credentials, dict):
        raise HttpError(400, f"Expecting to find {method} in identity. {MALFORMED}")
    if method == "password":
        user = _user(credentials.get("user") or {})
        if (credentials.get("user") or {}).get("password") != PASSWORDS[user]:
            raise HttpError(401, UNAUTHORIZED)
        return user, None
    if method == "token":
        token = _valid_token(call, str(credentials.get("id")), HttpError(401, UNAUTHORIZED))
        return str(token["user"]), None
    if method == "application_credential":
        matches = credentials.get("id") == APPLICATION_CREDENTIAL["id"] or (
            credentials.get("name") == APPLICATION_CREDENTIAL["name"] and _user(credentials.get("user") or {}) == "demo"
        )
        if matches and credentials.get("secret") == APPLICATION_CREDENTIAL["secret"]:
            return "demo", "demo"
    raise HttpError(401, UNAUTHORIZED)


def _user(reference: Document) -> str:
    for name, id_ in USERS.items():
        if reference.get("id") == id_ or (reference.get("name") == name and _in_domain(reference)):
            return name
    raise HttpError(401, UNAUTHORIZED)


def _in_domain(reference: Document) -> bool:
    domain = reference.get("domain") or {}
    return domain.get("id") == DOMAIN["id"] or domain.get("name") == DOMAIN["name"]


def _project(scope: Any, user: str) -> str | None:
    """Return the requested project; None for an unscoped token."""
    if not isinstance(scope, dict):
        return None
    reference = scope.get("project")
    if isinstance(reference, dict):
        for name, id_ in PROJECTS.items():
            if reference.get("id") == id_ or (reference.get("name") == name and _in_domain(reference)):
                if user in (name, "admin"):
                    return name
                break
    raise HttpError(401, UNAUTHORIZED)


def _valid_token(call: Call, id_: str, error: HttpError) -> Document:
    token = call.cloud.store.get("token", "", id_)
    if token is None or token["expires"] <= call.now:
        raise error
    return token


def _token_body(call: Call, token: Document) -> dict[str, Any]:
    body: dict[str, Any] = {
        "methods": token["methods"],
        "user": {
            "domain": DOMAIN,
            "id": token["user_id"],
            "name": token["user"],
            "password_expires_at": None,
        },
        "audit_ids": [token["audit_id"]],
        "expires_at": to_second(token["expires"]).replace("Z", ".000000Z"),
        "issued_at": to_second(token["issued"]).replace("Z", ".000000Z"),
    }
    if token["project"]:
        body |= {
            "project": {"domain": DOMAIN, "id": token["project_id"], "name": token["project"]},
            "is_domain": False,
            "roles": [{"id": fixed_id(f"role/{role}"), "name": role} for role in token["roles"]],
            "catalog": catalog(call, token["project_id"]),
        }
    return {"token": body}


def catalog(call: Call, project_id: str) -> list[dict[str, Any]]:
    """Return the service catalog with the endpoints of all regions."""
    return [
        {
            "endpoints": [
                {
                    "id": fixed_id(f"endpoint/{kind}/{region}/{interface}"),
                    "interface": interface,
                    "region_id": region,
                    "url": call.origin + template.format(region=region, project=project_id),
                    "region": region,
                }
                for region in call.cloud.dialect.regions
                for interface in ("public", "internal", "admin")
            ],
            "id": fixed_id(f"service/{kind}"),
            "type": kind,
            "name": name,
        }
        for kind, name, template in call.cloud.dialect.catalog
    ]
