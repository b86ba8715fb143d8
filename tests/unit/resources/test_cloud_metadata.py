"""Which metadata of a server belongs to the cloud."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ecs_pulumi.resources.server.cloud_metadata import keys_of_cloud

METERED = {"metering.image_id": "a", "vpc_id": "b", "os_type": "Linux", "__support_agent_list": "hss", "mine": "1"}


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
def test_keys_of_cloud(metadata: dict[str, str], declared: Any, prior: Any, of_cloud: set[str]) -> None:
    """Reserved prefixes belong to the cloud, plain names only beside `metering.*`, and no key that was declared."""
    context = SimpleNamespace(inputs={"metadata": declared}, prior={"metadata": prior})
    assert keys_of_cloud(cast("Any", context), metadata) == of_cloud
