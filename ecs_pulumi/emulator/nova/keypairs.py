"""SSH key pairs: generated or imported, one set per user."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from .schema import body
from .service import forbid, next_link, page, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

BAD_NAME = (
    "An invalid 'name' value was provided. The name must be: Only expected characters:"
    " [_- 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ]"
)


@service.post("/os-keypairs")
def create(call: Call) -> Reply:
    """`POST /os-keypairs`: with `public_key` it is imported, without one the private key comes back, once."""
    wanted = body(call, "keypair", _schema(call))
    # Newer than 2.91 also allows @ and ., as v2 always did not check at all.
    allowed = r"[\w\- @.]+" if call.at_least(92) else r"[\w\- ]+"
    if call.version != "v2" and not re.fullmatch(allowed, wanted["name"], re.ASCII):
        raise HttpError(400, BAD_NAME)
    owner = _owner(call, wanted.get("user_id"), "create")
    if _find(call, owner, wanted["name"]):
        raise HttpError(409, f"Key pair '{wanted['name']}' already exists.")
    number = call.count("keypair")
    if 0 <= call.quota("key_pairs") <= number:
        raise HttpError(403, "Quota exceeded, too many key pairs.")
    kind = wanted.get("type", "ssh")
    private = None
    public = wanted.get("public_key")
    if public is None:
        private, public = _generate(owner, kind)
    pair = {
        "id": f"{owner}/{wanted['name']}",
        "number": number + 1,
        "name": wanted["name"],
        "public_key": public,
        "fingerprint": _fingerprint(public, kind),
        "user_id": owner,
        "type": kind,
        "created": call.now,
    }
    call.put("keypair", pair)
    shown = _shown(call, pair) | {"user_id": pair["user_id"]}
    if private:
        shown = {"private_key": private, **shown}
    return Reply(201 if call.at_least(2) else 200, {"keypair": shown})


def _schema(call: Call) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "public_key": {"type": "string"},
    }
    if call.at_least(2):
        properties["type"] = {"type": "string", "enum": ["ssh", "x509"]}
    if call.at_least(10):
        properties["user_id"] = {"type": "string"}
    required = ["name", "public_key"] if call.at_least(92) else ["name"]
    return {"type": "object", "properties": properties, "required": required}


@service.get("/os-keypairs")
def index(call: Call) -> dict[str, Any]:
    """`GET /os-keypairs`, by name."""
    pairs = sorted(
        call.find("keypair", user_id=_owner(call, call.param("user_id"), "index")), key=lambda pair: pair["name"]
    )
    answer: dict[str, Any] = {}
    if call.at_least(35):
        marker, limit = page(call)
        names = [pair["name"] for pair in pairs]
        if marker is not None:
            if marker not in names:
                raise HttpError(400, f"marker [{marker}] not found")
            pairs = pairs[names.index(marker) + 1 :]
        if call.param("limit") and len(pairs) > limit:
            answer["keypairs_links"] = next_link(call, "os-keypairs", {"id": pairs[limit - 1]["name"]})
            pairs = pairs[:limit]
    return {"keypairs": [{"keypair": _shown(call, pair)} for pair in pairs]} | answer


@service.get("/os-keypairs/{name}")
def show(call: Call, name: str) -> dict[str, Any]:
    """`GET /os-keypairs/{name}`."""
    pair = _found(call, name, "show")
    more = {
        "user_id": pair["user_id"],
        "created_at": to_microsecond(int(pair["created"])),
        "deleted": False,
        "deleted_at": None,
        "id": pair["number"],
        "updated_at": None,
    }
    return {"keypair": _shown(call, pair) | more}


@service.delete("/os-keypairs/{name}")
def delete(call: Call, name: str) -> Reply:
    """`DELETE /os-keypairs/{name}`."""
    call.remove("keypair", _found(call, name, "delete")["id"])
    return Reply(204 if call.at_least(2) else 202)


def _owner(call: Call, user_id: str | None, verb: str) -> str:
    """Whose key pair it is about; from microversion 2.10 on an administrator may name another user."""
    if user_id in (None, call.user_id) or not call.at_least(10):
        return call.user_id
    if not call.is_admin:
        raise forbid(f"os-keypairs:{verb}")
    return str(user_id)


def _find(call: Call, owner: str, name: str) -> Document | None:
    return call.get("keypair", f"{owner}/{name}")


def _found(call: Call, name: str, verb: str) -> Document:
    owner = _owner(call, call.param("user_id"), verb)
    pair = _find(call, owner, name)
    if pair is None:
        raise HttpError(404, f"Keypair {name} not found for user {owner}")
    return pair


def _shown(call: Call, pair: Document) -> dict[str, Any]:
    shown = {field: pair[field] for field in ("name", "public_key", "fingerprint")}
    return {"type": pair["type"], **shown} if call.at_least(2) else shown


def _generate(user_id: str, kind: str) -> tuple[str, str]:
    """A new private key and what is made public of it."""
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
    """For WinRM: a PKCS #12 archive, and the certificate."""
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
    """MD5 of an SSH key's blob, SHA-1 of a certificate, as Nova shows them; 400 for what is neither."""
    if kind == "x509":
        try:
            certificate = x509.load_pem_x509_certificate(public.encode())
        except ValueError as error:
            message = f"failed to generate X509 fingerprint. Error message: {error}"
            raise HttpError(400, f"Keypair data is invalid: {message}") from None
        return certificate.fingerprint(hashes.SHA1()).hex(":")  # noqa: S303  # it is Nova's
    parts = public.split()
    try:
        serialization.load_ssh_public_key(" ".join(parts[:2]).encode())
        blob = base64.b64decode(parts[1], validate=True)
    except (ValueError, IndexError):
        raise HttpError(400, "Keypair data is invalid: failed to generate fingerprint") from None
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")
