"""The logins of Open Telekom Cloud besides passwords: access keys, which sign each request, and agencies.

An access key replaces the token: the API gateway verifies the signature of every request (`SDK-HMAC-SHA256`). An agency
lets the users of one account manage the resources of another one, which issues a token to them.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import requests
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from requests.auth import AuthBase

from ecs_pulumi.cloud.errors import ProjectNotFound, join_names, quoted

ALGORITHM = "SDK-HMAC-SHA256"
_SIGNED_HEADERS = frozenset({"content-type", "host", "x-sdk-date", "x-project-id", "x-domain-id", "x-security-token"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CATALOG_LIFETIME = timedelta(hours=24)
"""After this time, the catalog is read again, as with a new token."""


class RequestSigner(AuthBase):
    """Signs requests with an access key.

    Args:
        access_key: the id of the key.
        secret_key: the secret of the key.
        headers: the headers that every request carries, such as `X-Project-Id`.
        now: returns the current time.
    """

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        headers: Mapping[str, str],
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._headers = headers
        self._now = now

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers and the signature to a request whose URL and body are final."""
        url = urlsplit(request.url or "")
        is_default = url.port == _DEFAULT_PORTS.get(url.scheme)
        date = self._now().strftime("%Y%m%dT%H%M%SZ")
        request.headers.update({"Host": url.hostname or "" if is_default else url.netloc, "X-Sdk-Date": date})
        request.headers.update(self._headers)
        names = sorted(_SIGNED_HEADERS.intersection(name.lower() for name in request.headers))
        text = f"{ALGORITHM}\n{date}\n{_digest(_canonical_request(request, names).encode())}"
        signature = hmac.new(self._secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
        request.headers["Authorization"] = (
            f"{ALGORITHM} Access={self._access_key}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return request


class SigningSession:
    """An HTTP session that signs all its requests, those of keystoneauth included."""

    def __init__(self, http: requests.Session, signer: AuthBase) -> None:
        self._http = http
        self._signer = signer

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request."""
        return self._http.request(method, url, **{"auth": self._signer, **options})


class AccessKeyAuth(BaseIdentityPlugin):
    """Obtains the project and the catalog with signed requests; there is no token.

    Args:
        auth_url: URL of the identity service, including its version.
        access_key: the id of the key.
        secret_key: the secret of the key.
        security_token: belongs to a temporary key.
        project_id: the project.
        project_name: the name of the project, instead of its id.

    Attributes:
        project_setting: where the name of the project comes from, for messages.
    """

    project_setting = "project_name"

    def __init__(
        self,
        auth_url: str,
        access_key: str,
        secret_key: str,
        *,
        security_token: str | None = None,
        project_id: str | None = None,
        project_name: str | None = None,
    ) -> None:
        super().__init__(auth_url=auth_url)
        self._access_key = access_key
        self._secret_key = secret_key
        self._security_token = security_token
        self._project_id = project_id
        self._project_name = project_name
        self._headers = {"X-Security-Token": security_token} if security_token else {}
        self.signer = self._signer(self._headers)

    def get_auth_ref(self, session: Session, **_: Any) -> AccessInfoV3:
        """Read the user's projects, and the catalog of one of them."""
        project: dict[str, Any] = {"id": self._project_id, "name": None, "domain": {"id": None, "name": None}}
        if self._project_name:
            projects = {str(each["name"]): each for each in self._projects(session)}
            if self._project_name not in projects:
                known = join_names(sorted(projects)) or "none"
                raise ProjectNotFound(
                    f"{self.project_setting}: there is no project {quoted(self._project_name)}; "
                    f"the access key has: {known}"
                )
            found = projects[self._project_name]
            project |= {"id": found["id"], "name": found["name"], "domain": {"id": found.get("domain_id")}}
        # From now on, the signer names the project in each request.
        self._headers["X-Project-Id"] = str(project["id"])
        catalog = self._get(session, "/auth/catalog", self.signer)["catalog"]
        now = datetime.now(timezone.utc)
        return AccessInfoV3(
            {
                "token": {
                    "methods": ["aksk"],
                    "user": {"id": None, "name": None, "domain": {"id": None, "name": None}},
                    "project": project,
                    "catalog": catalog,
                    "issued_at": now.isoformat(),
                    "expires_at": (now + _CATALOG_LIFETIME).isoformat(),
                }
            }
        )

    def account_signer(self, session: Session) -> RequestSigner:
        """Return a signer for requests on behalf of the user's account."""
        domains = [str(each["domain_id"]) for each in self._projects(session) if each.get("domain_id")]
        return self._signer({**self._headers, **({"X-Domain-Id": domains[0]} if domains else {})})

    def get_headers(self, session: Session, **_: Any) -> dict[str, str]:  # noqa: ARG002
        """Return no headers: the signature is added when the request is complete."""
        return {}

    def get_cache_id_elements(self) -> dict[str, str | None]:
        """Return all that distinguishes two logins."""
        return {
            "auth_url": self.auth_url,
            "access_key": self._access_key,
            "secret_key": self._secret_key,
            "security_token": self._security_token,
            "project_id": self._project_id,
            "project_name": self._project_name,
        }

    def _signer(self, headers: Mapping[str, str]) -> RequestSigner:
        return RequestSigner(self._access_key, self._secret_key, headers)

    def _projects(self, session: Session) -> list[dict[str, Any]]:
        headers = {name: value for name, value in self._headers.items() if name != "X-Project-Id"}
        return list(self._get(session, "/auth/projects", self._signer(headers))["projects"])

    def _get(self, session: Session, path: str, signer: RequestSigner) -> Any:
        url = f"{self.auth_url}{path}"
        response = session.get(
            url, headers={"Accept": "application/json"}, authenticated=False, log=False, requests_auth=signer
        )
        return response.json()


class AgencyMethod(v3.AuthMethod):
    """The method `assume_role`: a token of the account that created an agency.

    Args:
        delegate: the login of the user to whose account the agency delegates.
        agency: the name of the agency.
        domain: `domain_name` or `domain_id` of the account that created the agency.
    """

    def __init__(self, delegate: BaseIdentityPlugin, agency: str, domain: Mapping[str, str]) -> None:
        self._delegate = delegate
        self._agency = agency
        self._domain = domain

    def get_auth_data(
        self,
        session: Session,
        auth: v3.Auth,  # noqa: ARG002
        headers: dict[str, str],
        request_kwargs: dict[str, Any],
        **_: Any,
    ) -> tuple[str, dict[str, str]]:
        """Authenticate the request for the token as the delegated user."""
        if isinstance(self._delegate, AccessKeyAuth):
            request_kwargs["requests_auth"] = self._delegate.account_signer(session)
        else:
            headers["X-Auth-Token"] = self._delegate.get_access(session).auth_token or ""
        # The documents name it agency_name, their example and all clients xrole_name.
        return "assume_role", {**self._domain, "xrole_name": self._agency}

    def get_cache_id_elements(self) -> dict[str, str | None]:
        """Return all that distinguishes two logins."""
        delegate = {f"delegate_{name}": value for name, value in self._delegate.get_cache_id_elements().items()}
        return {**delegate, "agency": self._agency, **{f"agency_{name}": value for name, value in self._domain.items()}}


def _canonical_request(request: requests.PreparedRequest, names: list[str]) -> str:
    url = urlsplit(request.url or "")
    path = "/".join(_encoded(unquote(segment)) for segment in url.path.split("/"))
    query = sorted((_encoded(name), _encoded(value)) for name, value in parse_qsl(url.query, keep_blank_values=True))
    body = request.body or b""
    return "\n".join(
        (
            request.method or "",
            path if path.endswith("/") else f"{path}/",
            "&".join(f"{name}={value}" for name, value in query),
            "".join(f"{name}:{str(request.headers[name]).strip()}\n" for name in names),
            ";".join(names),
            _digest(body.encode() if isinstance(body, str) else body),
        )
    )


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
