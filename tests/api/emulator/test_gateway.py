"""The gateway of the dialect `otc`: it responds itself to a request that no service documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.emulator.account import Account


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /network/v2.0/extensions",
        "GET /network/v2.0/extensions/qos",
        "GET /network/v2.0/availability_zones",
        "GET /network/v2.0/quotas/{project}",
        "GET /network/v2.0/quotas/{project}/details",
        "GET /network/v2.0/service-providers",
        "POST /network/v2.0/qos/policies",
        "GET /network/v2.0/segments",
        "GET /network/v2.0/trunks",
        "PUT /network/v2.0/routers/some-router/add_extraroutes",
        "PUT /network/v2.0/networks",
        "GET /volume/v2/{project}/limits",
        "GET /volume/v3/{project}/limits",
        "GET /volume/v2/{project}/types/default",
        "GET /volume/v3/{project}/messages",
        "GET /volume/v3/{project}/attachments",
        "GET /volume/v2/{project}/backups/detail",
        "GET /compute/v2.1/{project}/no-such-path",
        "PUT /compute/v2.1/{project}/servers",
        "GET /compute/v3/{project}/servers",
        "GET /image/v2/tasks",
        "GET /no-such-service/v1",
    ],
)
def test_gateway_refuses_undocumented_request(account: Account, request_line: str) -> None:
    """The response names the request in its body only, and has no header of the service."""
    method, path = request_line.replace("{project}", account.project_id).split()
    response = account.send(method, path)
    assert response.status == 404
    assert response.body == {"message": "API not found", "request_id": account.cloud.requests[-1].request_id}
    assert not [name for name in response.headers if "request-id" in name.lower() or "version" in name.lower()]


def test_service_responds_for_missing_object(account: Account) -> None:
    """A missing object of a documented request is the service's own 404, with its request id."""
    response = account.neutron("GET", "/networks/no-such-network")
    assert response.status == 404
    assert "NeutronError" in response.body
    assert response.headers["X-Openstack-Request-Id"]
