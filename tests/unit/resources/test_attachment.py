"""When a refused detach is left to the deletion of the server, and the ids of attachments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic import run
from ecs_pulumi.resources.attachment import left_to_server, split_id

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context


@pytest.fixture
def notices() -> list[str]:
    """The notices of the operation."""
    return []


@pytest.fixture
def context(notices: list[str]) -> Context:
    """An operation."""
    return cast("Context", SimpleNamespace(cloud=SimpleNamespace(compute=None), notify=notices.append))


@pytest.mark.parametrize(
    ("status", "task", "is_deleted", "expected"),
    [
        ("ACTIVE", None, False, False),
        ("ACTIVE", "detaching", False, False),
        ("ACTIVE", None, True, True),
        ("ACTIVE", "deleting", False, True),
        ("ERROR", None, False, True),
        ("DELETED", None, False, True),
        ("SOFT_DELETED", None, False, True),
    ],
)
def test_refused_detach_is_left_to_a_server_that_ends(
    context: Context,
    notices: list[str],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    task: str | None,
    *,
    is_deleted: bool,
    expected: bool,
) -> None:
    """A detach is skipped, with a notice, only if the server is in `ERROR`, is being deleted, or the run deletes it."""
    server = {"id": "s", "status": status, "OS-EXT-STS:task_state": task}
    monkeypatch.setattr(compute, "get_server", lambda *_: server)
    monkeypatch.setattr(run, "also_deletes", lambda _urn, kind, id_, **_: is_deleted and (kind, id_) == ("Server", "s"))
    assert left_to_server(context, "s") is expected
    text = f"the server s is in status {status} and does not detach it; its deletion releases what it uses"
    assert notices == ([text] if expected else [])


def test_server_that_does_not_exist_has_detached(
    context: Context, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is attached to a server that does not exist."""

    def missing(*_: object) -> None:
        raise errors.NotFound(404, "no such server")

    monkeypatch.setattr(compute, "get_server", missing)
    assert left_to_server(context, "s")
    assert notices == []


@pytest.mark.parametrize("id_", ["", "s", "s/", "/v", "/"])
def test_incomplete_id_of_an_attachment(id_: str) -> None:
    """The id of an attachment consists of two ids."""
    assert split_id("s/v", "VolumeAttachment") == ("s", "v")
    with pytest.raises(errors.ConfigurationError, match='the id of a VolumeAttachment is "<server>/<other>", got "'):
        split_id(id_, "VolumeAttachment")
