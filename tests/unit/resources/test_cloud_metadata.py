"""Which metadata of a server belongs to the cloud, and which requests change the rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ecs_pulumi.resources import cloud_metadata
from ecs_pulumi.resources.cloud_metadata import keys_in_server
from ecs_pulumi.resources.owner_markers import MARKER_KEY

METERED = {"metering.image_id": "a", "vpc_id": "b", "os_type": "Linux", "__support_agent_list": "hss", "mine": "1"}


def of_cloud_in(metadata: dict[str, str], declared: Any, prior: Any, *, writes_metadata: bool) -> set[str]:
    """Return the keys of the cloud in a server."""
    cloud = SimpleNamespace(region=SimpleNamespace(differences=SimpleNamespace(writes_metadata=writes_metadata)))
    context = SimpleNamespace(cloud=cloud, inputs={"metadata": declared}, prior={"metadata": prior})
    return keys_in_server(cast("Any", context), metadata)


@pytest.mark.parametrize(
    ("metadata", "declared", "prior", "of_cloud"),
    [
        (METERED, {}, {}, METERED.keys() - {"mine"}),
        (METERED, {"vpc_id": "b"}, {}, METERED.keys() - {"mine", "vpc_id"}),
        (METERED, {}, {"__support_agent_list": "hss"}, {"metering.image_id", "vpc_id", "os_type"}),
        ({"vpc_id": "b", "os_type": "Linux"}, {}, {}, set()),
        ({}, None, None, set()),
    ],
    ids=["all", "declared", "declared before", "names without metering", "none"],
)
def test_keys_in_server(metadata: dict[str, str], declared: Any, prior: Any, of_cloud: set[str]) -> None:
    """Reserved prefixes belong to the cloud, plain names only beside `metering.*`, and no key that was declared."""
    assert of_cloud_in(metadata, declared, prior, writes_metadata=True) == of_cloud
    assert of_cloud_in(metadata, declared, prior, writes_metadata=False) == set()


class Requests:
    """Collects the requests for the metadata of an object."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def replace_metadata(self, _api: object, id_: str, metadata: dict[str, str]) -> None:
        """Collect a request that replaces all entries."""
        self.sent.append(("replace", id_, metadata))

    def merge_metadata(self, _api: object, id_: str, metadata: dict[str, str]) -> None:
        """Collect a request that sets entries."""
        self.sent.append(("merge", id_, metadata))

    def delete_metadata(self, _api: object, id_: str, key: str) -> None:
        """Collect a request that deletes an entry."""
        self.sent.append(("delete", id_, key))


OF_CLOUD = {"of_cloud", "readonly"}
PRESENT = {"a": "1", "b": "2", "of_cloud": "x", "readonly": "False", MARKER_KEY: "marker"}


@pytest.mark.parametrize(
    ("desired", "writes_metadata", "sent"),
    [
        (
            {"a": "1", "c": "3"},
            False,
            [("replace", "v", {"of_cloud": "x", "a": "1", "c": "3", MARKER_KEY: "marker"})],
        ),
        ({}, False, [("replace", "v", {"of_cloud": "x", MARKER_KEY: "marker"})]),
        ({"a": "1", "b": "2"}, True, []),
        ({"a": "9", "c": "3"}, True, [("merge", "v", {"a": "9", "c": "3"}), ("delete", "v", "b")]),
        ({}, True, [("delete", "v", "a"), ("delete", "v", "b")]),
    ],
)
def test_write(
    monkeypatch: pytest.MonkeyPatch, desired: dict[str, str], sent: list[Any], *, writes_metadata: bool
) -> None:
    """The owner marker and what the cloud has written stay; what the program no longer sets goes.

    A cloud that writes entries of its own gets no request that names them.
    """
    monkeypatch.setattr(cloud_metadata, "kept_marker", lambda *_: {MARKER_KEY: "marker"})
    region = SimpleNamespace(differences=SimpleNamespace(writes_metadata=writes_metadata))
    context: Any = SimpleNamespace(cloud=SimpleNamespace(region=region), prior={"metadata": {"a": "1", "b": "2"}})
    requests: Any = Requests()
    cloud_metadata.write(requests, cast("Any", None), context, {"id": "v", "metadata": PRESENT}, desired, OF_CLOUD)
    assert requests.sent == sent


def test_key_that_the_program_has_set_before_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is none of the cloud's, although it looks so."""
    monkeypatch.setattr(cloud_metadata, "kept_marker", lambda *_: {})
    region = SimpleNamespace(differences=SimpleNamespace(writes_metadata=False))
    context: Any = SimpleNamespace(cloud=SimpleNamespace(region=region), prior={"metadata": {"of_cloud": "x"}})
    requests: Any = Requests()
    cloud_metadata.write(requests, cast("Any", None), context, {"id": "v", "metadata": PRESENT}, {}, OF_CLOUD)
    assert requests.sent == [("replace", "v", {})]
