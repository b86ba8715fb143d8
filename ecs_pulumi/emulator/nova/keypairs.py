"""Key pairs (`/os-keypairs`), generated or imported. They belong to a user, not to a project."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import NAME, TEXT, body, fields
from ecs_pulumi.emulator.versioned import next_link

from . import otc
from .service import page, require_admin, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

BAD_NAME = (
    "An invalid 'name' value was provided. The name must be: Only expected characters:"
    " [_- 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ]"
)
OUTER_SPACE = (
    "An invalid 'name' value was provided. The name must be:"
    " printable characters. Can not start or end with whitespace."
)


@service.post("/os-keypairs")
def create(call: Call) -> Reply:
    """`POST /os-keypairs`: import `public_key`, or generate a key pair.

    Only the response to this request contains a generated private key.
    """
    requested = body(call, "keypair", _body_schema(call))
    if call.version == "v2":
        requested["name"] = requested["name"].strip() or requested["name"]
    elif requested["name"] != requested["name"].strip():
        raise HttpError(400, OUTER_SPACE)
    # Since 2.92 names may also contain "@" and ".". On v2 names are not checked.
    allowed = r"[\w\- @.]+" if call.at_least(92) else r"[\w\- ]+"
    if call.version != "v2" and not re.fullmatch(allowed, requested["name"], re.ASCII):
        raise HttpError(400, BAD_NAME)
    owner = _owner(call, requested.get("user_id"), "create")
    if _find_keypair(call, owner, requested["name"]):
        raise HttpError(409, f"Key pair '{requested['name']}' already exists.")
    number = call.count("keypair")
    if 0 <= call.quota("key_pairs") <= number:
        raise HttpError(403, "Quota exceeded, too many key pairs.")
    kind = requested.get("type", "ssh")
    private = None
    public = requested.get("public_key")
    if public is None:
        private, public = _generate(owner, kind)
    pair = {
        "id": f"{owner}/{requested['name']}",
        "number": number + 1,
        "name": requested["name"],
        "public_key": public,
        "fingerprint": _fingerprint(public, kind),
        "user_id": owner,
        "type": kind,
        "created": call.now,
    }
    call.put("keypair", pair)
    rendered = _render(call, pair) | {"user_id": pair["user_id"]}
    if private:
        rendered = {"private_key": private, **rendered}
    return Reply(201 if call.at_least(2) else 200, {"keypair": rendered})


def _body_schema(call: Call) -> dict[str, Any]:
    key = otc.PUBLIC_KEY if call.is_otc else TEXT
    properties: dict[str, Any] = {"name": NAME, "public_key": key}
    if call.at_least(2):
        properties["type"] = {"type": "string", "enum": ["ssh", "x509"]}
    if call.at_least(10):
        properties["user_id"] = TEXT
    return fields(properties, "name", *(["public_key"] if call.at_least(92) else []))


@service.get("/os-keypairs")
def index(call: Call) -> dict[str, Any]:
    """`GET /os-keypairs`: sorted by name."""
    pairs = sorted(
        call.find("keypair", user_id=_owner(call, call.param("user_id"), "index")), key=lambda pair: pair["name"]
    )
    response: dict[str, Any] = {}
    if call.at_least(35) and not call.is_otc:
        marker, limit = page(call)
        names = [pair["name"] for pair in pairs]
        if marker is not None:
            if marker not in names:
                raise HttpError(400, f"marker [{marker}] not found")
            pairs = pairs[names.index(marker) + 1 :]
        if call.param("limit") and len(pairs) > limit:
            response["keypairs_links"] = next_link(call, f"{call.self_base}/os-keypairs", pairs[limit - 1]["name"])
            pairs = pairs[:limit]
    return {"keypairs": [{"keypair": _render(call, pair)} for pair in pairs]} | response


@service.get("/os-keypairs/{name}")
def show(call: Call, name: str) -> dict[str, Any]:
    """`GET /os-keypairs/{name}`."""
    pair = _get_keypair(call, name, "show")
    details = {
        "user_id": pair["user_id"],
        "created_at": to_microsecond(int(pair["created"])),
        "deleted": False,
        "deleted_at": None,
        "id": pair["number"],
        "updated_at": None,
    }
    return {"keypair": _render(call, pair) | details}


@service.delete("/os-keypairs/{name}")
def delete(call: Call, name: str) -> Reply:
    """`DELETE /os-keypairs/{name}`."""
    call.remove("keypair", _get_keypair(call, name, "delete")["id"])
    return Reply(204 if call.at_least(2) else 202)


def _owner(call: Call, user_id: str | None, verb: str) -> str:
    """Return the id of the owner. Since microversion 2.10 an administrator may specify another user."""
    if user_id in (None, call.user_id) or not call.at_least(10):
        return call.user_id
    require_admin(call, f"os-keypairs:{verb}")
    return str(user_id)


def _find_keypair(call: Call, owner: str, name: str) -> Document | None:
    return call.get("keypair", f"{owner}/{name}")


def _get_keypair(call: Call, name: str, verb: str) -> Document:
    owner = _owner(call, call.param("user_id"), verb)
    pair = _find_keypair(call, owner, name)
    if pair is None:
        raise HttpError(404, f"Keypair {name} not found for user {owner}")
    return pair


def _render(call: Call, pair: Document) -> dict[str, Any]:
    rendered = {field: pair[field] for field in ("name", "public_key", "fingerprint")}
    return {"type": pair["type"], **rendered} if call.at_least(2) else rendered


def _generate(user_id: str, kind: str) -> tuple[str, str]:
    """Return a new private key and its public key or certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "x509":
        return _certificate(user_id, key)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} Generated-by-Nova"


def _certificate(user_id: str, key: rsa.RSAPrivateKey) -> tuple[str, str]:
    """Return a PKCS #12 archive with the private key, and the certificate, for WinRM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id)])
    begin = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    archive = pkcs12.serialize_key_and_certificates(None, key, certificate, None, serialization.NoEncryption())
    return base64.b64encode(archive).decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _fingerprint(public: str, kind: str) -> str:
    """Return the MD5 of an SSH key or the SHA-1 of a certificate, as Nova computes them; 400 if it is invalid."""
    if kind == "x509":
        try:
            certificate = x509.load_pem_x509_certificate(public.encode())
        except ValueError as error:
            message = f"failed to generate X509 fingerprint. Error message: {error}"
            raise HttpError(400, f"Keypair data is invalid: {message}") from None
        return certificate.fingerprint(hashes.SHA1()).hex(":")  # noqa: S303  # Nova uses it
    parts = public.split()
    try:
        serialization.load_ssh_public_key(" ".join(parts[:2]).encode())
        blob = base64.b64decode(parts[1], validate=True)
    except (ValueError, IndexError, UnsupportedAlgorithm):
        raise HttpError(400, "Keypair data is invalid: failed to generate fingerprint") from None
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")
