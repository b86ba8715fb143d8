"""The zones of a volume and of the server that it is attached to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.resources import idempotent_create
from ecs_pulumi.resources.volume_attachment import VolumeAttachmentHandler

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

SERVER_ZONE = "OS-EXT-AZ:availability_zone"


@pytest.mark.parametrize(
    ("server", "volume", "is_refused"),
    [
        ({SERVER_ZONE: "one"}, {"availability_zone": "two"}, True),
        ({SERVER_ZONE: "one"}, {"availability_zone": "one"}, False),
        ({SERVER_ZONE: ""}, {"availability_zone": "two"}, False),
        ({}, {"availability_zone": "two"}, False),
        ({SERVER_ZONE: "one"}, {}, False),
        (None, {"availability_zone": "two"}, False),
        ({SERVER_ZONE: "one"}, None, False),
    ],
)
@pytest.mark.parametrize("within_zone_only", [True, False])
@pytest.mark.parametrize("created", ["", "s", "v"])
def test_zones_of_an_attachment(
    monkeypatch: pytest.MonkeyPatch,
    server: dict[str, Any] | None,
    volume: dict[str, Any] | None,
    created: str,
    *,
    is_refused: bool,
    within_zone_only: bool,
) -> None:
    """The preview refuses an attachment across zones where the cloud does, if both exist and their zones are known.

    An object that this run has created is not read: the program has chosen its zone, and the cloud decides.
    """
    reads: list[str] = []

    def read(id_: str) -> dict[str, Any] | None:
        reads.append(id_)
        return {"s": server, "v": volume}[id_]

    monkeypatch.setattr(idempotent_create, "_created", {created})
    objects, differences = SimpleNamespace(read=read), SimpleNamespace(attaches_within_zone_only=within_zone_only)
    region = SimpleNamespace(servers=objects, volumes=objects, differences=differences)
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=region)))
    found = [each.reason for each in VolumeAttachmentHandler._other_zone(context, "s", "v")]
    assert [reason.partition(":")[0] for reason in found] == (
        ["the volume is in two, the server in one"] if is_refused and within_zone_only and not created else []
    )
    assert reads == (["s", "v"] if within_zone_only and not created else [])
    assert list(VolumeAttachmentHandler._other_zone(context, None, "v")) == []
    assert list(VolumeAttachmentHandler._other_zone(context, "s", None)) == []
