"""KeyPair: the key pair for the login to a server (guide, chapter 4; Nova API reference, "Keypairs")."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic.fields import (
    CheckInputs,
    Computed,
    Inputs,
    Outputs,
    Problem,
    Replace,
    Secret,
)
from ecs_pulumi.dynamic.kind import Provenance, is_auto_name, owner_from_name
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import Context, EcsHandler, RemoteObject, create_body, require_exists
from ecs_pulumi.resources.idempotent_create import is_younger, send_once

_TYPED, _OF_USER = "2.2", "2.10"
_PRIVATE = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File|Private-Lines:")
_CLOCKS_DIFFER = 2.0


class KeyPairInputs(Inputs):
    """Inputs of a key pair."""

    name: Annotated[str | None, Replace()] = Field(
        None, min_length=1, max_length=255, description="Name and id: letters, digits, spaces and `@._-`."
    )
    public_key: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Public key to import, in OpenSSH format. If unset, the cloud generates a pair."
    )
    type: Annotated[Literal["ssh", "x509"] | None, Replace(), Computed()] = Field(
        None, description="`ssh` (the API's default), or `x509`, which needs compute 2.2."
    )
    user_id: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Id of the owner, if an administrator creates it for another user; needs compute 2.10."
    )


class KeyPairOutputs(Outputs):
    """Outputs of a key pair that are not inputs."""

    private_key: Annotated[str | None, Secret()] = Field(
        None, description="Private key of a generated pair. The API returns it only once, so the state keeps it."
    )
    fingerprint: str | None = Field(None, description="Fingerprint of the public key.")


class KeyPairHandler(EcsHandler[KeyPairInputs]):
    """Key pairs. The API has no update, and a name is unique per user."""

    name = "KeyPair"
    inputs = KeyPairInputs
    outputs = KeyPairOutputs
    encodes_owner_in_name = True  # key pairs have no description for an owner marker

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Require an OpenSSH public key or a certificate; reject a private key without showing it."""
        key = checked.known("public_key")
        if key and _PRIVATE.search(key):
            reason = "this is a private key, which must not leave your machine; use the content of the .pub file"
            yield Problem("public_key", reason, hides_value=True)
        elif key and checked.known("type") != "x509" and len(key.split()) < 2:  # noqa: PLR2004
            # Hide the value: it may be a part of a private key.
            reason = 'not an OpenSSH public key such as "ssh-ed25519 AAAA… comment"'
            yield Problem("public_key", reason, hides_value=True)

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Ignore the comment and the final line break of a public key."""
        if name == "public_key" and isinstance(desired, str) and isinstance(prior.get(name), str):
            desired_words, prior_words = desired.split(), str(prior[name]).split()
            # A certificate has no comment, and all certificates start with the same words.
            is_certificate = desired_words[:1] == ["-----BEGIN"]
            return desired_words == prior_words if is_certificate else desired_words[:2] == prior_words[:2]
        return super().is_equal(name, desired, prior)

    def delete_before_replace(self, resource: str, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Delete first if the replacement has the same name; an automatic name is generated anew."""
        return new.get("name") == prior.get("name") and not is_auto_name(str(new.get("name")), resource)

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check the name and the microversions for `type` and `user_id`; API v2 accepts and ignores both."""
        yield from super().preflight(context, checked)
        name, names = checked.known("name"), catalog(context.cloud.region)
        if name:
            names.register_planned_key_pair(name)
            if not checked.prior and not checked.is_replacement and not is_auto_name(name, context.resource):
                yield from self._clash(context, checked, name)
        api = context.cloud.compute
        features = (
            ("type", "an x509 certificate", _TYPED, checked.known("type") == "x509"),
            ("user_id", "a key pair of another user", _OF_USER, bool(checked.known("user_id"))),
        )
        for name, feature, microversion, is_used in features:
            if (
                is_used
                and checked.changed(name)
                and not (api.supports(microversion) or (_is_v2(context) and name != "type"))
            ):
                needs = f"compute microversion {microversion}"
                yield Problem(name, str(errors.Unsupported(feature, needs, f"compute {api.versions}")))

    def _clash(self, context: Context, checked: CheckInputs, name: str) -> Iterator[Problem]:
        """Report a name that a key pair outside of this stack already has."""
        if checked.has("user_id") or name not in catalog(context.cloud.region).key_pair_names():
            return
        if context.provenance(name, name) is Provenance.FOREIGN:
            reason = f"a key pair named {name} exists already; {_WHAT_TO_DO[Provenance.FOREIGN].format(name)}"
            yield Problem("name", reason)

    def find_own_orphans(self, context: Context, desired: KeyPairInputs) -> list[tuple[str, None]]:
        """Find the key pairs whose automatic name encodes this resource, except those that `create` deletes."""
        signed = self._signed(context, desired)
        return [(name, None) for name, provenance in signed if provenance is not Provenance.INTERRUPTED]

    def create(self, context: Context, desired: KeyPairInputs) -> RemoteObject:
        """Generate or import the key pair; use an existing one only if this stack provably created it."""
        api = context.cloud.compute
        self._delete_interrupted(context, desired)
        body = create_body(desired, "name", "public_key", "type", "user_id")
        microversion = None
        if desired.type and not _is_v2(context):
            microversion = _TYPED if api.supports(_TYPED) else None
            if microversion is None:
                del body["type"]
        if desired.user_id and api.supports(_OF_USER):
            microversion = _OF_USER
        began, response_lost = api.clock.now(), False

        def find_existing(error: errors.EcsError) -> RemoteObject | None:
            nonlocal response_lost
            response_lost = response_lost or errors.may_have_taken_effect(error)
            return self._find_existing(context, desired, body, began if response_lost else None, error)

        try:
            remote = send_once(
                lambda: compute.create_key_pair(api, body, microversion=microversion), find_existing, errors.Conflict
            )
        except errors.Forbidden as forbidden:
            if not body.get("user_id"):
                raise
            raise errors.OperationFailed(
                "user_id", f"only an administrator can create a key pair for another user: {forbidden}"
            ) from forbidden
        context.record_id(remote["name"])
        return remote

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the key pair with this name."""
        return self._get(context, id_, context.inputs.get("user_id"))

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert the remote object to outputs; keep the prior private key, which the API returns only once."""
        names = ["name", "public_key", "type", "fingerprint"]
        user_id = context.inputs.get("user_id")
        if user_id in (None, remote.get("user_id")) or context.cloud.compute.supports(_OF_USER):
            names.append("user_id")
        outputs: dict[str, Any] = {key: remote[key] for key in names if key in remote}
        private_key = remote.get("private_key") or context.prior.get("private_key")
        return {**outputs, "private_key": private_key, "region": context.cloud.region.name}

    def update(self, context: Context, id_: str, desired: KeyPairInputs, prior: Mapping[str, Any]) -> RemoteObject:  # noqa: ARG002
        """Read the key pair; no input can be changed in place."""
        return require_exists(self.read(context, id_), self.name, id_)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:
        """Delete the key pair; existing servers keep the key."""
        owner, microversion = self._owner(context, prior.get("user_id"))
        with contextlib.suppress(errors.NotFound):
            compute.delete_key_pair(context.cloud.compute, id_, user_id=owner, microversion=microversion)

    def _get(self, context: Context, name: str, user_id: str | None) -> RemoteObject | None:
        owner, microversion = self._owner(context, user_id)
        try:
            return compute.get_key_pair(context.cloud.compute, name, user_id=owner, microversion=microversion)
        except errors.NotFound:
            return None

    @staticmethod
    def _signed(context: Context, desired: KeyPairInputs) -> Iterator[tuple[str, Provenance]]:
        """Yield the automatic names that earlier runs generated for this resource, if its name is automatic."""
        for name in (
            catalog(context.cloud.region).key_pair_names() if is_auto_name(desired.name or "", context.resource) else ()
        ):
            if name != desired.name and owner_from_name(name, context.signer) == context.resource:
                yield name, context.provenance(name, name)

    def _delete_interrupted(self, context: Context, desired: KeyPairInputs) -> None:
        """Delete the key pairs of killed runs: no server uses them yet, and their private keys may be lost."""
        for name, provenance in self._signed(context, desired):
            if provenance is Provenance.INTERRUPTED:
                self.delete(context, name, {})

    def _find_existing(
        self, context: Context, desired: KeyPairInputs, body: RemoteObject, sent: float | None, error: errors.EcsError
    ) -> RemoteObject | None:
        """Return the key pair that caused a conflict, or that a request with a lost response created.

        Raises:
            OperationFailed: Another owner, or another resource of this stack, has a key pair with this name.
        """
        name = body["name"]
        existing = self._get(context, name, desired.user_id)
        if existing is None:
            if isinstance(error, errors.Conflict):
                raise error
            return None
        is_same = bool(desired.public_key) and self.is_equal("public_key", desired.public_key, existing)
        is_ours = sent is not None and self._was_created_by_request(context, existing, sent)
        provenance = Provenance.INTERRUPTED if is_ours else context.provenance(name, name)
        if is_same and provenance in (Provenance.INTERRUPTED, Provenance.RENAMED):
            return existing
        if not desired.public_key and provenance is Provenance.INTERRUPTED:
            # The private key was in the lost response, so the pair is useless.
            self.delete(context, name, body)
            if isinstance(error, errors.Conflict):
                return compute.create_key_pair(context.cloud.compute, body)
            return None
        raise errors.OperationFailed(
            f"a key pair named {name} exists already", _WHAT_TO_DO[provenance].format(name)
        ) from error

    @staticmethod
    def _was_created_by_request(context: Context, existing: RemoteObject, began: float) -> bool:
        """Return whether the request created the key pair: its name is random, or it is newer than the request."""
        if is_auto_name(existing["name"], context.resource):
            return True
        return bool(existing.get("created_at")) and is_younger(context.cloud.compute, existing, began, _CLOCKS_DIFFER)

    @staticmethod
    def _owner(context: Context, user_id: str | None) -> tuple[str | None, str | None]:
        """Return the query for another user's key pair and the microversion it needs; None for the account's own."""
        if user_id in (None, context.cloud.connection.user_id) or not context.cloud.compute.supports(_OF_USER):
            return None, None
        return user_id, _OF_USER


_WHAT_TO_DO: Mapping[Provenance, str] = {
    Provenance.FOREIGN: (
        "it is not in the state of this stack: "
        'import it with adopt="{0}", read it with KeyPair.get, or choose another name'
    ),
    Provenance.RENAMED: (
        "this stack has it under another resource name, with another key: a renamed resource keeps its key pair with "
        "`aliases` in its options"
    ),
    Provenance.PREDECESSOR: (
        "it is the one to be replaced: set delete_before_replace=True in the options of the resource"
    ),
    Provenance.INTERRUPTED: "an interrupted run created it with another key: `python -m ecs_pulumi.orphans` deletes it",
}


def _is_v2(context: Context) -> bool:
    return context.cloud.compute.versions.id in ("v2", "v2.0")


HANDLER = KeyPairHandler()


class KeyPair(EcsResource, kind=HANDLER):
    """A key pair for the login to a server: imported, or generated by the cloud.

    Source: guide, chapter 4 "Set the login mode to key pair"; Nova API reference, "Keypairs". Its id is its name.
    """

    name: pulumi.Output[str]
    public_key: pulumi.Output[str]
    type: pulumi.Output[str | None]
    user_id: pulumi.Output[str | None]
    private_key: pulumi.Output[str | None]
    fingerprint: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str] | None = None,
        public_key: pulumi.Input[str] | None = None,
        type: pulumi.Input[str] | None = None,  # noqa: A002  (the API's name)
        user_id: pulumi.Input[str] | None = None,
        region: pulumi.Input[str] | None = None,
        adopt: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a key pair. The reference page of `KeyPair` documents every argument."""
