"""Two regions of a cloud on which a token is valid in one region only."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pulumi.runtime import set_all_config

import ecs_pulumi as ecs
from ecs_pulumi.cloud.api import COMPUTE, NETWORK
from ecs_pulumi.cloud.connection import Connection, Settings
from ecs_pulumi.cloud.errors import ConfigurationError
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.emulator.accounts import fixed_id
from tests.support.clouds import entry, hide_clouds, write_clouds
from tests.support.steps import Failed, Resource, clear_caches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TYPO = "region: no region 'eu-xx'; the catalog has eu-de, and there is no project 'eu-xx' for another region"
TOKENS = ("POST", "/v3/auth/tokens")


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulator with dialect `otc`."""
    with Emulator(speed=500) as running:
        clear_caches()
        yield running


@pytest.fixture(autouse=True)
def _no_other_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the variables and files that configure another cloud."""
    hide_clouds(tmp_path, monkeypatch)


def connect(cloud: Emulator, **changes: str | None) -> Connection:
    """Open a connection; None omits a setting."""
    settings = {f"ecs:{name}": value for name, value in {**cloud.settings, **changes}.items()}
    return Connection(Settings.from_config(settings.get))


def test_program_has_objects_in_two_regions(cloud: Emulator) -> None:
    """Create, preview, refresh and delete of a resource use the project of its region, with one more token."""
    config = {f"ecs:{name}": value for name, value in cloud.settings.items()}
    here, there = Resource("Network", config, "here"), Resource("Network", config, "there")
    here.up(name="shop")
    there.up(name="shop", region="eu-nl")
    for region, resource in (("eu-de", here), ("eu-nl", there)):
        with cloud.state(region) as state:
            (found,) = state.find("network", name="shop")
            assert (found["id"], found["project_id"]) == (resource.id, fixed_id(f"project/{region}"))
        resource.refresh()
        assert resource.outputs["region"] == region
    there.destroy()
    here.destroy()
    logins = [request for request in cloud.requests if (request.method, request.path) == TOKENS]
    assert [request.body["auth"]["scope"]["project"]["name"] for request in logins] == ["eu-de", "eu-nl"]


def test_misspelled_region_is_refused_in_preview_after_one_request(cloud: Emulator) -> None:
    """The error is one line with the regions that there are, and a second resource costs no further request."""
    config = {f"ecs:{name}": value for name, value in cloud.settings.items()}
    for name in ("one", "two"):
        with pytest.raises(Failed) as failed:
            Resource("Network", config, name).preview(name="shop", region="eu-xx")
        assert str(failed.value) == f"check Network {name}: {TYPO}"
    assert [request.status for request in cloud.requests if request.path == TOKENS[1]] == [201, 401]


def test_lookup_in_another_region(cloud: Emulator) -> None:
    """A lookup of a program finds what is in the project of its region."""
    set_all_config({f"ecs:{name}": value for name, value in cloud.settings.items()}, ["ecs:password"])
    with cloud.state("eu-nl") as state:
        (network,) = state.find("network", name="demo-net")
    assert ecs.get_network("demo-net", region="eu-nl").id == network["id"]
    with pytest.raises(ecs.LookupFailed, match=f"^get_network: {TYPO}$"):
        ecs.get_network("demo-net", region="eu-xx")


@pytest.mark.parametrize(
    "changes",
    [
        {"region": "eu-nl"},
        {"region": "eu-nl", "projectDomainName": None},
        {"region": "eu-nl", "projectName": None, "projectDomainName": None, "projectId": fixed_id("project/eu-de")},
    ],
    ids=["name", "no project domain", "project id"],
)
def test_configured_region_of_another_project(changes: dict[str, str | None], cloud: Emulator) -> None:
    """The configured region may also be another one than that of the configured project."""
    region = connect(cloud, **changes).region()
    assert (region.name, region.project_id) == ("eu-nl", fixed_id("project/eu-nl"))
    assert region.differences.has_project_per_region
    assert "/eu-nl/compute/" in region.connection.endpoint(COMPUTE, "eu-nl")


@pytest.mark.parametrize(
    ("configured", "of_configured"),
    [("eu-de", {"eu-de": True, "eu-nl": False}), ("eu-nl", {"eu-de": False, "eu-nl": True})],
)
def test_endpoints_are_those_of_the_configured_region(
    configured: str, of_configured: dict[str, bool], cloud: Emulator
) -> None:
    """A region with another token gets the URLs of its own catalog, whether the project is its own or the other's."""
    config = {f"ecs:{name}": value for name, value in {**cloud.settings, "region": configured}.items()}
    url = "https://network.test"
    connection = Connection(Settings.from_config({**config, "ecs:endpoints": json.dumps({"network": url})}.get))
    for name, is_configured in of_configured.items():
        region = connection.region(name)
        found = region.connection.endpoint(NETWORK, name)
        assert found == url if is_configured else f"/{name}/network" in found


def test_endpoints_hold_for_all_regions_of_a_catalog() -> None:
    """On a cloud whose token is valid in several regions, the URLs replace those of each region."""
    with Emulator(dialect="openstack") as upstream:
        dialect = upstream.cloud.dialect
        upstream.cloud.dialect = replace(dialect, regions={**dialect.regions, "RegionTwo": ("nova",)})
        config = {f"ecs:{name}": value for name, value in upstream.settings.items()}
        url = "https://network.test"
        connection = Connection(Settings.from_config({**config, "ecs:endpoints": json.dumps({"network": url})}.get))
        assert [connection.region(name).connection.endpoint(NETWORK, name) for name in ("RegionOne", "RegionTwo")] == [
            url,
            url,
        ]


def test_service_without_endpoint_in_other_region(cloud: Emulator) -> None:
    """If the catalog of the other region lacks a service, the error says that ecs:endpoints does not add it."""
    dialect = cloud.cloud.dialect
    cloud.cloud.dialect = replace(dialect, catalog=tuple(each for each in dialect.catalog if each[0] != "network"))
    connection = connect(cloud)
    with pytest.raises(ConfigurationError, match=r"in region eu-de .* Set the service's URL in ecs:endpoints\.$"):
        connection.region("eu-de").network.get("/networks")
    with pytest.raises(ConfigurationError, match=r"in region eu-nl .* An entry of clouds.yaml .* for that region\.$"):
        connection.region("eu-nl").network.get("/networks")


def test_regions_of_an_entry(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of clouds.yaml without a domain of the project works in both regions, and so does a token."""
    for name, value in write_clouds(tmp_path, {"shop": entry(cloud, project_domain_name=None)}).items():
        monkeypatch.setenv(name, value)
    connection = Connection(Settings().of_entry("shop"))
    assert [connection.region(name).project_id for name in (None, "eu-nl")] == [
        fixed_id("project/eu-de"),
        fixed_id("project/eu-nl"),
    ]
    token = connection.transport.access().auth_token
    by_token = connect(cloud, token=token, username=None, password=None, userDomainName=None)
    assert by_token.region("eu-nl").project_id == fixed_id("project/eu-nl")


def test_threads_share_the_token_of_a_region(cloud: Emulator) -> None:
    """Resources that are created at the same time log in to a region once, and share its lists."""
    connection = connect(cloud)
    found = []
    threads = [threading.Thread(target=lambda: found.append(connection.region("eu-nl"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert connection.requests[TOKENS] == 2


def test_expired_tokens_are_renewed_in_each_region(cloud: Emulator) -> None:
    """After the tokens have expired, each region obtains a new one for its own project."""
    connection = connect(cloud)
    regions = [connection.region(name) for name in ("eu-de", "eu-nl")]
    cloud.expire_tokens()
    for region in regions:
        (network,) = region.network.get("/networks", params={"name": "demo-net"}, key="networks")
        assert network["project_id"] == region.project_id
    assert connection.requests[TOKENS] == 4


def test_failed_login_to_a_region_is_no_misspelled_region(cloud: Emulator) -> None:
    """If Keystone fails during the second login, the error is Keystone's, and a later attempt succeeds."""
    connection = connect(cloud, maxRetries="0")
    connection.region()
    cloud.fault(method="POST", path="/v3/auth/tokens", status=500, times=1)
    with pytest.raises(Exception, match="500"):
        connection.region("eu-nl")
    assert connection.region("eu-nl").name == "eu-nl"


def test_misspelled_region_costs_no_request_elsewhere() -> None:
    """On a cloud whose projects are not named like regions, a misspelled region costs no second login."""
    with Emulator(dialect="openstack") as upstream:
        connection = connect(upstream)
        with pytest.raises(ConfigurationError, match=r"^region: no region 'eu-xx'; the catalog has RegionOne$"):
            connection.region("eu-xx")
        assert connection.requests[TOKENS] == 1
