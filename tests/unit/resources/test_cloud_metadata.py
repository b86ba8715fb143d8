"""Which metadata of a server belongs to the cloud."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ecs_pulumi.resources.cloud_metadata import keys_in_server

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
