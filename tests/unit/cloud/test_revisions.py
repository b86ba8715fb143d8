"""Updates that must not overwrite a change that another client made meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.cloud import network, routers
from ecs_pulumi.cloud.errors import ApiError
from tests.unit.cloud.fakes import FakeCloud, Reply, Request, region_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.cloud.api import ServiceClient

ROUTE = {"destination": "10.0.0.0/8", "nexthop": "10.1.0.1"}
UPDATES: list[Callable[[ServiceClient, int | None], object]] = [
    lambda api, revision: network.update(api, "router", "r", {"routes": [ROUTE]}, revision=revision),
    lambda api, revision: routers.replace_routes(api, {"id": "r", "revision_number": revision}, [ROUTE]),
]


@pytest.mark.parametrize("update", UPDATES)
def test_update_names_the_revision_that_was_read(
    cloud: FakeCloud, update: Callable[[ServiceClient, int | None], object]
) -> None:
    """The cloud compares it with its own; a refusal is an error. Without a revision there is nothing to compare."""

    def answer(request: Request) -> Reply:
        is_current = request.headers.get("If-Match") in (None, "revision_number=8")
        assert request.body == {"router": {"routes": [ROUTE]}}
        return Reply(200, {"router": {"id": "r"}}) if is_current else Reply(412, {"NeutronError": {"message": "old"}})

    cloud.on("PUT", "/v2.0/routers/r", answer)
    api = region_of(cloud).network
    assert update(api, 8) == {"id": "r"}
    assert update(api, None) == {"id": "r"}
    assert ["If-Match" in request.headers for request in cloud.log if request.method == "PUT"] == [True, False]
    with pytest.raises(ApiError) as caught:
        update(api, 7)
    assert caught.value.status == 412
