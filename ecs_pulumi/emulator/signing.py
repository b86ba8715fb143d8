"""Verify requests that are signed with an access key: SDK-HMAC-SHA256 of the API gateway."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from .accounts import AccessKey
from .errors import GatewayError

if TYPE_CHECKING:
    from .accounts import Project
    from .context import Call

ALGORITHM = "SDK-HMAC-SHA256"
VALID_SECONDS = 15 * 60
"""The largest difference between the time of a request and the clock of the cloud."""
_AUTHORIZATION = re.compile(rf"{ALGORITHM} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{{64}})")
_REQUIRED = frozenset({"host", "x-sdk-date"})


def signer(call: Call) -> tuple[AccessKey, Project | None]:
    """Return the access key that signed the request, and the project that it is for.

    Raises:
        GatewayError: the key is unknown, or the signature or its time is wrong.
    """
    match = _AUTHORIZATION.fullmatch(call.headers["authorization"])
    if match is None:
        raise _refused("the format of the Authorization header is invalid")
    access, names, signature = match[1], match[2].split(";"), match[3]
    key = _key(call, access)
    if not _REQUIRED.issubset(names) or not all(name in call.headers for name in names):
        raise _refused("signed headers are missing")
    try:
        signed_at = datetime.strptime(call.headers["x-sdk-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise _refused("X-Sdk-Date is invalid") from None
    if abs(signed_at.timestamp() - call.now) > VALID_SECONDS:
        raise _refused("the signature has expired")
    text = f"{ALGORITHM}\n{call.headers['x-sdk-date']}\n{_digest(_canonical(call, names).encode())}"
    if not hmac.compare_digest(hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest(), signature):
        raise _refused("verify aksk signature fail")
    return key, _project(call, key)


def _key(call: Call, access: str) -> AccessKey:
    for key in call.cloud.dialect.accounts.keys:
        if key.access == access:
            return key
    temporary = call.cloud.store.get("access-key", "", access)
    if temporary and temporary["expires"] > call.now:
        if not hmac.compare_digest(temporary["token"], call.headers.get("x-security-token", "")):
            raise _refused("X-Security-Token does not belong to the access key")
        return AccessKey(access, temporary["secret"], temporary["user"])
    raise _refused(f"access key {access} does not exist")


def _project(call: Call, key: AccessKey) -> Project | None:
    """Return the project in the headers, else the user's project of the region; None for Keystone."""
    accounts = call.cloud.dialect.accounts
    if id_ := call.headers.get("x-project-id"):
        project = accounts.project_by_id(id_)
        if project is None or key.user not in project.users:
            raise _refused("the project does not exist, or the access key has no right in it")
        return project
    return accounts.default_project(call.region) if call.region else None


def _canonical(call: Call, names: list[str]) -> str:
    path, _, query = call.target.partition("?")
    segments = [quote(unquote(segment), safe="-_.~") for segment in path.split("/")]
    pairs = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value.replace("+", " ")), safe="-_.~"))
        for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
    )
    return "\n".join(
        (
            call.method,
            "/".join(segments).rstrip("/") + "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(f"{name}:{call.headers[name].strip()}\n" for name in names),
            ";".join(names),
            _digest(call.raw),
        )
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refused(reason: str) -> GatewayError:
    return GatewayError(401, "APIGW.0301", f"Incorrect IAM authentication information: {reason}")
