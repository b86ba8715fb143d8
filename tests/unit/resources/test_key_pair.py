"""Key pairs: what happens to a pair whose create request got no response, and the requests for those of other users."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.handler import Provenance, auto_name
from ecs_pulumi.resources import key_pair
from ecs_pulumi.resources.key_pair import HANDLER, KeyPairInputs
from tests.unit.cloud.fakes import GUIDE_VERSIONS, PROJECT, FakeClock, FakeCloud, Reply, Request, region_of

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

PATH = f"/v2.1/{PROJECT}/os-keypairs"
KEY, OTHER_KEY = "ssh-ed25519 AAAA me", "ssh-ed25519 BBBB you"
LOST = Reply(502, "<html>Bad Gateway</html>")


class KeyPairs:
    """Nova's key pairs.

    Attributes:
        pairs: The key pairs by user and name.
        log: The requests, with the user of the query and the microversion.
        replies: Sent instead of the responses to the first creates, which take effect nevertheless.
        is_late: Whether such a create takes effect only when the next one arrives.
    """

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str], dict[str, Any]] = {}
        self.log: list[str] = []
        self.replies: list[Reply] = []
        self.is_late = False
        self.provenance = Provenance.FOREIGN
        self.id: str | None = None
        self._late: list[dict[str, Any]] = []
        cloud = FakeCloud()
        newest = {**GUIDE_VERSIONS["versions"][1], "version": "2.96"}
        cloud.on("GET", "/", lambda _: Reply(200, {"versions": [newest]}))
        cloud.on("POST", PATH, self._create)
        cloud.on("GET", f"{PATH}/*", self._show)
        cloud.on("DELETE", f"{PATH}/*", self._delete)
        region = region_of(cloud, FakeClock())
        clients = SimpleNamespace(
            compute=region.compute,
            region=region,
            connection=SimpleNamespace(user_id="me"),
            deadline=None,
            writes=region.compute.writes,
        )
        self.context = cast(
            "Context",
            SimpleNamespace(
                cloud=clients,
                resource="key",
                signer="",
                inputs={},
                prior={},
                provenance=lambda *_: self.provenance,
                record_id=lambda id_: setattr(self, "id", id_),
            ),
        )

    def create(self, **inputs: Any) -> dict[str, Any]:
        """Create a key pair."""
        return HANDLER.create(self.context, KeyPairInputs(**inputs))

    def _place(self, request: Request) -> tuple[str, str]:
        user = request.query.get("user_id", ["me"])[0]
        version = request.headers.get("OpenStack-API-Version", "").rpartition(" ")[2]
        self.log.append(" ".join(filter(None, [request.method, user, version])))
        return user, unquote(request.path.removeprefix(PATH + "/"))

    def _create(self, request: Request) -> Reply:
        body, version = request.body["keypair"], request.headers.get("OpenStack-API-Version", "").rpartition(" ")[2]
        self.log.append(" ".join(filter(None, ["POST", body.get("user_id", "me"), version])))
        if ("type" in body and not version) or ("user_id" in body and version != "2.10"):
            return Reply(400, {"badRequest": {"message": "Additional properties are not allowed"}})
        for late in self._late:
            self.pairs[late.get("user_id", "me"), late["name"]] = late
        self._late = []
        place = body.get("user_id", "me"), body["name"]
        if place in self.pairs:
            return Reply(409, {"conflictingRequest": {"message": f"Key pair '{body['name']}' already exists."}})
        pair = {"public_key": OTHER_KEY, **body, "number": len(self.log), "created_at": None}
        if self.replies and self.is_late:
            self._late.append(pair)
        else:
            self.pairs[place] = pair
        return self.replies.pop(0) if self.replies else Reply(200, {"keypair": {**pair, "private_key": "secret"}})

    def _show(self, request: Request) -> Reply:
        pair = self.pairs.get(self._place(request))
        return Reply(200, {"keypair": pair}) if pair else Reply(404, {"itemNotFound": {"message": "not found"}})

    def _delete(self, request: Request) -> Reply:
        gone = self.pairs.pop(self._place(request), None)
        return Reply(202) if gone else Reply(404, {"itemNotFound": {"message": "not found"}})


@pytest.fixture
def nova(monkeypatch: pytest.MonkeyPatch) -> KeyPairs:
    """Nova, in which the account has no key pairs."""
    monkeypatch.setattr(key_pair, "catalog", lambda _: SimpleNamespace(key_pair_names=list))
    return KeyPairs()


@pytest.mark.parametrize("is_late", [True, False])
@pytest.mark.parametrize(
    ("inputs", "version"),
    [({}, ""), ({"type": "ssh"}, " 2.2"), ({"user_id": "you"}, " 2.10"), ({"type": "ssh", "user_id": "you"}, " 2.10")],
)
def test_pair_whose_private_key_was_lost_is_generated_anew(
    nova: KeyPairs, inputs: dict[str, str], version: str, *, is_late: bool
) -> None:
    """It is deleted, also if it appears only when the request is sent again; the new request is like the first one."""
    nova.replies, nova.is_late = [LOST], is_late
    created = nova.create(name=auto_name("key", b""), **inputs)
    user = inputs.get("user_id", "me")
    assert created["private_key"] == "secret"
    assert nova.pairs[user, created["name"]]["number"] == created["number"]
    assert nova.id == created["name"]
    assert {line for line in nova.log if line.startswith("POST")} == {f"POST {user}{version}"}
    of_user = " 2.10" if user == "you" else ""
    assert [line for line in nova.log if line.startswith("DELETE")] == [f"DELETE {user}{of_user}"]


def test_imported_key_that_the_lost_request_created_is_the_result(nova: KeyPairs) -> None:
    """Its private key is not the cloud's, so that nothing is lost."""
    nova.replies = [LOST]
    assert nova.create(name=auto_name("key", b""), public_key=KEY)["public_key"] == KEY
    assert [line for line in nova.log if not line.startswith("GET")] == ["POST me"]


@pytest.mark.parametrize(
    ("provenance", "public_key", "text"),
    [
        (Provenance.FOREIGN, KEY, "it is not in the state of this stack"),
        (Provenance.FOREIGN, None, "it is not in the state of this stack"),
        (Provenance.RENAMED, OTHER_KEY, "a renamed resource keeps its key pair"),
        (Provenance.RENAMED, None, "a renamed resource keeps its key pair"),
        (Provenance.PREDECESSOR, KEY, "set delete_before_replace=True"),
        (Provenance.INTERRUPTED, OTHER_KEY, "an interrupted run created it with another key"),
    ],
)
def test_existing_pair_of_another_owner_is_an_error(
    nova: KeyPairs, provenance: Provenance, public_key: str | None, text: str
) -> None:
    """It is neither used nor deleted; the error says what to do."""
    nova.pairs["me", "k"], nova.provenance = {"name": "k", "public_key": KEY}, provenance
    with pytest.raises(errors.OperationFailed, match=f"a key pair named k exists already: .*{text}"):
        nova.create(name="k", public_key=public_key)
    assert [line for line in nova.log if not line.startswith("GET")] == ["POST me"]
    assert nova.id is None


@pytest.mark.parametrize("provenance", [Provenance.INTERRUPTED, Provenance.RENAMED])
def test_existing_pair_with_the_same_key_is_used(nova: KeyPairs, provenance: Provenance) -> None:
    """It is that of an interrupted run, or of the same resource under another name."""
    nova.pairs["me", "k"], nova.provenance = {"name": "k", "public_key": KEY}, provenance
    assert nova.create(name="k", public_key=KEY)["name"] == "k"
    assert [line for line in nova.log if not line.startswith("GET")] == ["POST me"]


def test_pair_of_an_interrupted_run_without_its_private_key_is_generated_anew(nova: KeyPairs) -> None:
    """No server uses it yet."""
    nova.pairs["me", "k"], nova.provenance = {"name": "k", "public_key": KEY}, Provenance.INTERRUPTED
    assert nova.create(name="k", type="ssh")["private_key"] == "secret"
    assert [line for line in nova.log if not line.startswith("GET")] == ["POST me 2.2", "DELETE me", "POST me 2.2"]


@pytest.mark.parametrize(
    ("prior", "line"),
    [({}, "DELETE me"), ({"user_id": "me"}, "DELETE me"), ({"user_id": "you"}, "DELETE you 2.10")],
)
def test_delete_is_of_the_pair_of_the_user(nova: KeyPairs, prior: dict[str, str], line: str) -> None:
    """Users may have pairs of the same name; one that does not exist is deleted."""
    nova.pairs = {("me", "k"): {"name": "k"}, ("you", "k"): {"name": "k"}}
    HANDLER.delete(nova.context, "k", prior)
    assert nova.log == [line]
    assert list(nova.pairs) == [("me" if "you" in line else "you", "k")]
    HANDLER.delete(nova.context, "k", prior)
