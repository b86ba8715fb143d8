"""Keystone v3: tokens, projects and the service catalog."""

from __future__ import annotations

import base64
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from .accounts import OPENSTACK_ACCOUNTS, fixed_id
from .clock import to_second
from .context import Reply
from .errors import HttpError, NoRoute, keystone_error
from .routing import UNAUTHORIZED, Service

if TYPE_CHECKING:
    from .accounts import Domain, Project, User
    from .context import Call
    from .store import Document

PASSWORDS = {user.name: user.password or "" for user in OPENSTACK_ACCOUNTS.users}
"""The passwords of the users of every cloud."""
APPLICATION_CREDENTIAL = {
    "id": fixed_id("application-credential/demo"),
    "name": "demo-credential",
    "secret": "demo-application-secret",
}
MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. The client"
    " is assumed to be in error."
)
_TEMPORARY_SECONDS = 900
"""How long a temporary access key is valid by default."""
_SHORTEST, _LONGEST = 900, 86400


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
        if call.path.startswith("/v3.0") and not call.is_otc:
            raise NoRoute
        return super().handle(call)


service = Keystone("identity", ("v3", "v3.0"))


def _version(call: Call) -> dict[str, Any]:
    id_, updated = call.cloud.dialect.identity_version
    return {
        "id": id_,
        "status": "stable",
        "updated": updated,
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
    auth = _object(body, "auth")
    identity = _object(auth, "identity")
    methods = identity.get("methods")
    if not isinstance(methods, list):
        raise HttpError(400, "'methods' is a required property")
    if not all(isinstance(method, str) for method in methods):
        raise HttpError(400, f"{methods[0]!r} is not of type 'string'")
    if not methods:
        raise HttpError(401, UNAUTHORIZED)
    user, bound_project = _check_credentials(call, identity, methods)
    project, domain = _scope(call, auth.get("scope"), user)
    project = project or bound_project
    token: Document = {
        "id": "gAAAAA" + secrets.token_urlsafe(130),
        "user_id": user.id,
        "user": user.name,
        "project_id": project.id if project else "",
        "domain": domain is not None,
        "roles": list(user.roles) if project or domain else [],
        "methods": methods,
        "issued": call.now,
        "expires": call.now + call.cloud.token_lifetime,
        "audit_id": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
    }
    call.cloud.store.put("token", "", token)
    return Reply(201, _token_body(call, token), {"X-Subject-Token": token["id"]})


def _object(values: Any, name: str) -> Document:
    """Return an object inside another one; 400 if there is none."""
    value = values.get(name) if isinstance(values, dict) else None
    if not isinstance(value, dict):
        raise HttpError(400, f"'{name}' is a required property")
    return value


def _check_credentials(call: Call, identity: Document, methods: list[Any]) -> tuple[User, Project | None]:
    """Return the user of the credentials and, for an application credential, its project."""
    method = methods[0]
    credentials = identity.get(method)
    if not isinstance(credentials, dict):
        raise HttpError(400, f"Expecting to find {method} in identity. {MALFORMED}")
    if method == "password":
        reference = _object(credentials, "user")
        user = _user(call, reference)
        if user.password is None or reference.get("password") != user.password:
            raise HttpError(401, UNAUTHORIZED)
        if user.passcode:
            totp = _object(_object(identity, "totp"), "user") if "totp" in methods else {}
            if (totp.get("id"), totp.get("passcode")) != (user.id, user.passcode):
                raise HttpError(401, UNAUTHORIZED)
        return user, None
    if method == "token":
        token = _valid_token(call, str(credentials.get("id")), HttpError(401, UNAUTHORIZED))
        return call.cloud.dialect.accounts.user(token["user"]), None
    if method == "assume_role" and call.is_otc:
        return _agency(call, credentials), None
    if method == "application_credential" and not call.is_otc:
        matches = credentials.get("id") == APPLICATION_CREDENTIAL["id"] or (
            credentials.get("name") == APPLICATION_CREDENTIAL["name"]
            and _user(call, _object(credentials, "user")).name == "demo"
        )
        if matches and credentials.get("secret") == APPLICATION_CREDENTIAL["secret"]:
            return call.cloud.dialect.accounts.user("demo"), call.cloud.dialect.accounts.project("demo")
    raise HttpError(401, UNAUTHORIZED)


def _agency(call: Call, credentials: Document) -> User:
    """Return the user that stands for an agency; the request is made with a token, or signed, by the delegated user."""
    call.cloud.authenticate(call)
    name = credentials.get("agency_name") or credentials.get("xrole_name")
    domain = {"id": credentials.get("domain_id"), "name": credentials.get("domain_name")}
    for user in call.cloud.dialect.accounts.users:
        if user.agency and user.agency == name and _is_domain(domain, user.domain):
            return user
    raise HttpError(404, f"Could not find agency: {name}.")


def _user(call: Call, reference: Document) -> User:
    for user in call.cloud.dialect.accounts.users:
        if reference.get("id") == user.id or (
            reference.get("name") == user.name and _is_domain(reference.get("domain"), user.domain)
        ):
            return user
    raise HttpError(401, UNAUTHORIZED)


def _is_domain(reference: Any, domain: Domain) -> bool:
    return isinstance(reference, dict) and (reference.get("id") == domain.id or reference.get("name") == domain.name)


def _scope(call: Call, scope: Any, user: User) -> tuple[Project | None, Domain | None]:
    """Return the requested project or domain; neither for an unscoped token, which the Open Telekom Cloud lacks."""
    if not isinstance(scope, dict):
        return None, user.domain if call.is_otc else None
    reference = scope.get("project")
    if isinstance(reference, dict):
        for project in call.cloud.dialect.accounts.projects:
            named = reference.get("name") == project.name and _may_contain(call, reference.get("domain"), project)
            if (reference.get("id") == project.id or named) and user.name in project.users:
                return project, None
    elif call.is_otc and _is_domain(scope.get("domain"), user.domain):
        return None, user.domain
    raise HttpError(401, UNAUTHORIZED)


def _may_contain(call: Call, reference: Any, project: Project) -> bool:
    """Whether the domain in a request is that of the project, or one that is accepted for it."""
    tolerated = call.cloud.dialect.accounts.tolerated
    if _is_domain(reference, project.domain):
        return True
    given = [reference[key] for key in ("id", "name") if key in reference] if isinstance(reference, dict) else []
    return bool(tolerated) and all(each is None or each in tolerated for each in given)


def _valid_token(call: Call, id_: str, error: HttpError) -> Document:
    token = call.cloud.store.get("token", "", id_)
    if token is None or token["expires"] <= call.now:
        raise error
    return token


def _token_body(call: Call, token: Document) -> dict[str, Any]:
    accounts = call.cloud.dialect.accounts
    user, project = accounts.user(token["user"]), accounts.project_by_id(token["project_id"])
    body: dict[str, Any] = {
        "methods": token["methods"],
        "user": {
            "domain": user.domain.reference,
            "id": user.id,
            "name": user.name,
            "password_expires_at": None,
        },
        "audit_ids": [token["audit_id"]],
        "expires_at": to_second(token["expires"]).replace("Z", ".000000Z"),
        "issued_at": to_second(token["issued"]).replace("Z", ".000000Z"),
    }
    if project:
        body |= {"project": {"domain": project.domain.reference, "id": project.id, "name": project.name}}
        body |= {"is_domain": False}
    if token["domain"]:
        body |= {"domain": user.domain.reference}
    if token["roles"]:
        body |= {
            "roles": [
                {"id": "0" if call.is_otc else fixed_id(f"role/{role}"), "name": role} for role in token["roles"]
            ],
        }
        if "nocatalog" not in call.query:
            body |= {"catalog": catalog(call, project)}
    return {"token": body}


def catalog(call: Call, project: Project | None) -> list[dict[str, Any]]:
    """Return the service catalog with the endpoints of the project's region, or of all regions.

    Keystone of the Open Telekom Cloud belongs to every region; a token without a project is of use there only.
    """
    dialect = call.cloud.dialect
    regions = [region for region in dialect.regions if project and project.region in (None, region)]
    services = []
    for kind, name, template in dialect.catalog:
        everywhere = ["*"] if call.is_otc and kind == "identity" else []
        endpoints = [
            {
                "id": fixed_id(f"endpoint/{kind}/{region}/{interface}"),
                "interface": interface,
                "region_id": region,
                "url": call.origin + template.format(region=region, project=project.id if project else ""),
                "region": region,
            }
            for region in (*regions, *everywhere)
            for interface in dialect.interfaces
        ]
        if endpoints:
            services.append({"endpoints": endpoints, "id": fixed_id(f"service/{kind}"), "type": kind, "name": name})
    return services


@service.get("/auth/catalog")
def show_catalog(call: Call) -> dict[str, Any]:
    """`GET /v3/auth/catalog`: the catalog of the token's project, or of the project of a signed request."""
    project = call.cloud.dialect.accounts.project_by_id(call.project_id)
    return {"catalog": catalog(call, project), "links": {"self": f"{call.origin}/v3/auth/catalog"}}


@service.get("/auth/projects")
def list_projects(call: Call) -> dict[str, Any]:
    """`GET /v3/auth/projects`: the projects of the user."""
    accounts = call.cloud.dialect.accounts
    user = next(user for user in accounts.users if user.id == call.user_id)
    projects = [
        {
            "id": project.id,
            "name": project.name,
            "domain_id": project.domain.id,
            "parent_id": project.domain.id,
            "enabled": True,
            "is_domain": False,
            "description": "",
            "links": {"self": f"{call.origin}/v3/projects/{project.id}"},
        }
        for project in accounts.projects
        if user.name in project.users
    ]
    return {"projects": projects, "links": {"self": f"{call.origin}/v3/auth/projects"}}


@service.post("/OS-CREDENTIAL/securitytokens")
def create_temporary_key(call: Call) -> Reply:
    """`POST /v3.0/OS-CREDENTIAL/securitytokens`: an access key that is valid for 15 minutes to 24 hours."""
    if call.version != "v3.0":
        raise NoRoute
    identity = _object(_object(call.json(), "auth"), "identity")
    if identity.get("methods") != ["token"]:
        raise HttpError(400, f"Expecting to find token in identity. {MALFORMED}")
    options = _object(identity, "token") if identity.get("token") else {}
    seconds = options.get("duration_seconds", _TEMPORARY_SECONDS)
    if not isinstance(seconds, int) or not _SHORTEST <= seconds <= _LONGEST:
        raise HttpError(400, "'duration_seconds' must be a number from 900 to 86400")
    token = _valid_token(call, str(options.get("id") or call.headers.get("x-auth-token")), HttpError(401, UNAUTHORIZED))
    key: Document = {
        "id": "TEMP" + secrets.token_hex(8).upper(),
        "secret": secrets.token_urlsafe(30),
        "token": secrets.token_urlsafe(120),
        "user": token["user"],
        "expires": call.now + seconds,
    }
    call.cloud.store.put("access-key", "", key)
    credential = {"access": key["id"], "secret": key["secret"], "securitytoken": key["token"]}
    return Reply(201, {"credential": credential | {"expires_at": to_second(key["expires"])}})
