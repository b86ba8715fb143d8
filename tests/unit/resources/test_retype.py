"""How a cloud that knows no action for it changes the type of a volume."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.resources import volume_requests

ACTION = errors.BadRequest(400, "There is no such action.")


class Cloud:
    """A cloud with one volume.

    Attributes:
        errors: The errors of the next requests.
        type: The type of the volume.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: list[errors.EcsError] = []
        self.sent: list[Any] = []
        self.facts: set[Fact] = set()
        self.type = "SATA"
        self.region = cast(
            "Any",
            SimpleNamespace(differences=self, block_storage=SimpleNamespace(of_version=lambda version: version)),
        )
        names = SimpleNamespace(volume_type=lambda name: {"name": name.upper()})
        monkeypatch.setattr(volume_requests, "catalog", lambda _: names)
        monkeypatch.setattr(block_storage, "retype_by_path", self._retype)
        monkeypatch.setattr(block_storage, "get_volume", lambda api, id_: {"volume_type": self.type, "id": api + id_})

    def note(self, fact: Fact) -> None:
        """Note a difference."""
        self.facts.add(fact)

    def _retype(self, api: str, id_: str, name: str) -> None:
        self.sent.append((api, id_, name))
        if self.errors:
            raise self.errors.pop(0)

    def retype(self, policy: str = "on-demand", refused: errors.BadRequest | None = ACTION) -> errors.EcsError | None:
        """Change the type of the volume."""
        return volume_requests.retype_by_path(self.region, "v", "ssd", policy, refused)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with a volume."""
    return Cloud(monkeypatch)


def test_request(cloud: Cloud) -> None:
    """The request has the name of the type, and shows how this cloud changes types."""
    assert cloud.retype() is None
    assert (cloud.sent, cloud.facts) == ([("v2", "v", "SSD")], {Fact.RETYPES_BY_PATH})


@pytest.mark.parametrize(("refused", "start"), [(ACTION, "There is no such action (HTTP 400). this"), (None, "this")])
def test_data_may_not_move(cloud: Cloud, refused: errors.BadRequest | None, start: str) -> None:
    """The path lets the cloud decide, so that a program that forbids it gets an error, and no request is sent."""
    with pytest.raises(errors.OperationFailed) as caught:
        cloud.retype("never", refused)
    assert str(caught.value) == (
        f"retype_policy: {start} cloud decides itself whether the data move: set it to `on-demand` to change "
        "`volume_type`"
    )
    assert cloud.sent == []


@pytest.mark.parametrize("error", [errors.NotFound(404, "nothing here"), errors.ProxyNotFound(404, "nothing here")])
def test_cloud_without_the_path(cloud: Cloud, error: errors.EcsError) -> None:
    """The error contains both refusals, and nothing is noted about the cloud."""
    cloud.errors = [error]
    with pytest.raises(
        errors.OperationFailed, match=r"There is no such action .*no path of its own for it either: noth"
    ):
        cloud.retype()
    assert cloud.facts == set()


@pytest.mark.parametrize(("code", "facts"), [("EVS.5400", {Fact.RETYPES_BY_PATH}), (None, set())])
def test_refusal(cloud: Cloud, code: str | None, facts: set[Fact]) -> None:
    """An earlier run may have requested the change: the refusal is returned. Only its code proves the path."""
    refusal = errors.BadRequest(400, "The volume is being retyped.", body_type=code)
    cloud.errors = [refusal]
    assert cloud.retype() is refusal
    assert cloud.facts == facts


def test_lost_response(cloud: Cloud) -> None:
    """The request is repeated unless the volume has the type; a refusal then shows that the first one took effect."""
    cloud.errors = [errors.ResponseLost("broke")]
    assert cloud.retype() is None
    assert len(cloud.sent) == 2
    cloud.errors = [errors.ResponseLost("broke"), errors.BadRequest(400, "busy", body_type="EVS.5400")]
    assert cloud.retype() is None
    assert len(cloud.sent) == 4
    cloud.errors, cloud.type = [errors.ResponseLost("broke")], "SSD"
    assert cloud.retype() is None
    assert len(cloud.sent) == 5
