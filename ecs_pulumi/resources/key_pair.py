"""KeyPair: the key that logs in to a server (guide, chapter 4; Nova API reference, "Keypairs")."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic.fields import (
    CloudDefault,
    Given,
    Inputs,
    Outputs,
    Problem,
    Replace,
    Secret,
)
from ecs_pulumi.dynamic.kind import Provenance, is_automatic, signed_for
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import EcsKind, Live, Op, found_or_failed, sent
from ecs_pulumi.resources.once import is_younger, once

_TYPED, _OF_USER = "2.2", "2.10"
_PRIVATE = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File|Private-Lines:")
_CLOCKS_DIFFER = 2.0


class KeyPairInputs(Inputs):
    """What a program may ask of a key pair."""

    name: Annotated[str | None, Replace()] = Field(
        None, min_length=1, max_length=255, description="Name, and the id; letters, digits, blanks, `@._-`."
    )
    public_key: Annotated[str | None, Replace(), CloudDefault()] = Field(
        None, description="Key to import, in OpenSSH's form. If unset the cloud generates a pair."
    )
    type: Annotated[Literal["ssh", "x509"] | None, Replace(), CloudDefault()] = Field(
        None, description="`ssh` (the API's default), or `x509`, which needs compute 2.2."
    )
    user_id: Annotated[str | None, Replace(), CloudDefault()] = Field(
        None, description="User who owns it, where an administrator creates it for another; needs compute 2.10."
    )


class KeyPairOutputs(Outputs):
    """What the cloud tells beyond the inputs."""

    private_key: Annotated[str | None, Secret()] = Field(
        None, description="Only where the cloud generated the pair; told once, kept in the state from then on."
    )
    fingerprint: str | None = Field(None, description="Fingerprint of the public key.")


class KeyPairKind(EcsKind[KeyPairInputs]):
    """Key pairs. The API has no update, and a name exists once for each user."""

    name = "KeyPair"
    inputs = KeyPairInputs
    outputs = KeyPairOutputs
    signs_names = True  # the API has no description for a mark

    def rules(self, given: Given) -> Iterator[Problem]:
        """A public key is one line of OpenSSH, or a certificate; a private one is sent nowhere and not shown."""
        key = given.known("public_key")
        if key and _PRIVATE.search(key):
            reason = "this is a private key, which belongs nowhere but on your machine; give the .pub file's text"
            yield Problem("public_key", reason, hides_value=True)
        elif key and given.known("type") != "x509" and len(key.split()) < 2:  # noqa: PLR2004
            # It may be a part of a private key.
            reason = 'not an OpenSSH public key such as "ssh-ed25519 AAAA… comment"'
            yield Problem("public_key", reason, hides_value=True)

    def same(self, name: str, wanted: Any, old: Mapping[str, Any]) -> bool:
        """The comment and the line break at a key's end are no difference."""
        if name == "public_key" and isinstance(wanted, str) and isinstance(old.get(name), str):
            wanted_words, has = wanted.split(), str(old[name]).split()
            # A certificate has no comment; its first words are those of every other.
            return wanted_words == has if wanted_words[:1] == ["-----BEGIN"] else wanted_words[:2] == has[:2]
        return super().same(name, wanted, old)

    def collides(self, resource: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """A chosen name exists once; an automatic one is made anew."""
        return new.get("name") == old.get("name") and not is_automatic(str(new.get("name")), resource)

    def preflight(self, op: Op, given: Given) -> Iterator[Problem]:
        """On v2.1 a certificate and another owner need microversions; v2 takes both words and ignores them."""
        yield from super().preflight(op, given)
        name, names = given.known("name"), catalog(op.cloud.region)
        if name:
            names.expect_key_pair(name)
            if not given.before and not given.successor and not is_automatic(name, op.resource):
                yield from self._clash(op, given, name)
        api = op.cloud.compute
        asked = (
            ("type", "an x509 certificate", _TYPED, given.known("type") == "x509"),
            ("user_id", "a key pair of another user", _OF_USER, bool(given.known("user_id"))),
        )
        for name, feature, microversion, is_asked in asked:
            if is_asked and given.changed(name) and not (api.supports(microversion) or (_is_v2(op) and name != "type")):
                needs = f"compute microversion {microversion}"
                yield Problem(name, str(errors.Unsupported(feature, needs, f"compute {api.versions}")))

    def _clash(self, op: Op, given: Given, name: str) -> Iterator[Problem]:
        """A chosen name that a key pair outside of this stack has."""
        if given.has("user_id") or name not in catalog(op.cloud.region).key_pair_names():
            return
        if op.provenance(name, name) is Provenance.FOREIGN:
            reason = f"a key pair named {name} exists already; {_WHAT_TO_DO[Provenance.FOREIGN].format(name)}"
            yield Problem("name", reason)

    def leftovers(self, op: Op, wanted: KeyPairInputs) -> list[tuple[str, None]]:
        """Those whose name is signed for this resource; not those that the state proves, which a create deletes."""
        signed = self._signed(op, wanted)
        return [(name, None) for name, provenance in signed if provenance is not Provenance.INTERRUPTED]

    def create(self, op: Op, wanted: KeyPairInputs) -> Live:
        """Generate or import; one that exists already is imported only where it is provably this stack's."""
        api = op.cloud.compute
        self._delete_interrupted(op, wanted)
        body = sent(wanted, "name", "public_key", "type", "user_id")
        microversion = None
        if wanted.type and not _is_v2(op):
            microversion = _TYPED if api.supports(_TYPED) else None
            if microversion is None:
                del body["type"]
        if wanted.user_id and api.supports(_OF_USER):
            microversion = _OF_USER
        began, response_lost = api.clock.now(), False

        def there(error: errors.EcsError) -> Live | None:
            nonlocal response_lost
            response_lost = response_lost or errors.may_have_acted(error)
            return self._there(op, wanted, body, began if response_lost else None, error)

        try:
            live = once(lambda: compute.create_key_pair(api, body, microversion=microversion), there, errors.Conflict)
        except errors.Forbidden as forbidden:
            if not body.get("user_id"):
                raise
            raise errors.Failed("user_id", f"only an administrator has key pairs of others: {forbidden}") from forbidden
        op.created(live["name"])
        return live

    def read(self, op: Op, id_: str) -> Live | None:
        """The key pair of this name."""
        return self._get(op, id_, op.inputs.get("user_id"))

    def observe(self, op: Op, live: Live) -> dict[str, Any]:
        """As the API tells it; the private key only where it was just generated."""
        told = ["name", "public_key", "type", "fingerprint"]
        asked = op.inputs.get("user_id")
        if asked in (None, live.get("user_id")) or op.cloud.compute.supports(_OF_USER):
            told.append("user_id")
        seen: dict[str, Any] = {key: live[key] for key in told if key in live}
        private_key = live.get("private_key") or op.old.get("private_key")
        return {**seen, "private_key": private_key, "region": op.cloud.region.name}

    def update(self, op: Op, id_: str, wanted: KeyPairInputs, old: Mapping[str, Any]) -> Live:  # noqa: ARG002
        """Nothing of a key pair can be changed; this only reads it."""
        return found_or_failed(self.fetch(op, id_), self.name, id_)

    def delete(self, op: Op, id_: str, old: Mapping[str, Any]) -> None:
        """Delete; servers that have the key keep it."""
        owner, microversion = self._owner(op, old.get("user_id"))
        with contextlib.suppress(errors.NotFound):
            compute.delete_key_pair(op.cloud.compute, id_, user_id=owner, microversion=microversion)

    def _get(self, op: Op, name: str, user_id: str | None) -> Live | None:
        owner, microversion = self._owner(op, user_id)
        try:
            return compute.get_key_pair(op.cloud.compute, name, user_id=owner, microversion=microversion)
        except errors.NotFound:
            return None

    @staticmethod
    def _signed(op: Op, wanted: KeyPairInputs) -> Iterator[tuple[str, Provenance]]:
        """The names that an earlier run signed for this resource, where its name is an automatic one."""
        for name in catalog(op.cloud.region).key_pair_names() if is_automatic(wanted.name or "", op.resource) else ():
            if name != wanted.name and signed_for(name, op.signer) == op.resource:
                yield name, op.provenance(name, name)

    def _delete_interrupted(self, op: Op, wanted: KeyPairInputs) -> None:
        """Delete what a killed run left under another automatic name: no server has it yet, and its key may be lost."""
        for name, provenance in self._signed(op, wanted):
            if provenance is Provenance.INTERRUPTED:
                self.delete(op, name, {})

    def _there(
        self, op: Op, wanted: KeyPairInputs, body: Live, sent: float | None, error: errors.EcsError
    ) -> Live | None:
        """The key pair that a request was refused for, or that it made when it was sent and its response lost."""
        name = body["name"]
        there = self._get(op, name, wanted.user_id)
        if there is None:
            if isinstance(error, errors.Conflict):
                raise error
            return None
        is_same = bool(wanted.public_key) and self.same("public_key", wanted.public_key, there)
        is_ours = sent is not None and self._is_ours(op, there, sent)
        provenance = Provenance.INTERRUPTED if is_ours else op.provenance(name, name)
        if is_same and provenance in (Provenance.INTERRUPTED, Provenance.RENAMED):
            return there
        if not wanted.public_key and provenance is Provenance.INTERRUPTED:
            # The private key went with the response; the pair is of no use.
            self.delete(op, name, body)
            if isinstance(error, errors.Conflict):
                return compute.create_key_pair(op.cloud.compute, body)
            return None
        raise errors.Failed(f"a key pair named {name} exists already", _WHAT_TO_DO[provenance].format(name)) from error

    @staticmethod
    def _is_ours(op: Op, there: Live, began: float) -> bool:
        """Whether the request made it: its name is random, or it is younger than the request."""
        if is_automatic(there["name"], op.resource):
            return True
        return bool(there.get("created_at")) and is_younger(op.cloud.compute, there, began, _CLOCKS_DIFFER)

    @staticmethod
    def _owner(op: Op, user_id: str | None) -> tuple[str | None, str | None]:
        """The query for another user's key pair, and the microversion it needs; one's own needs neither."""
        if user_id in (None, op.cloud.connection.user_id) or not op.cloud.compute.supports(_OF_USER):
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


def _is_v2(op: Op) -> bool:
    return op.cloud.compute.versions.id in ("v2", "v2.0")


KIND = KeyPairKind()


class KeyPair(EcsResource, kind=KIND):
    """The key that logs in to a server: imported, or generated by the cloud.

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
        """Declare a key pair. Every argument is described in the reference of the kind."""
