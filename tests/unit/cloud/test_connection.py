"""Connections: token handling, endpoints from the catalog, and version discovery."""

import threading
from typing import Any

import pytest

from ecs_pulumi.cloud import compute, network
from ecs_pulumi.cloud.api import ServiceClient
from ecs_pulumi.cloud.errors import ApiError, ConfigurationError, Unauthorized, Unsupported
from tests.unit.cloud.fakes import (
    GUIDE_VERSIONS,
    NOVA,
    PASSWORD,
    PROJECT,
    FakeCloud,
    Reply,
    connect,
    region_of,
)

SERVERS = Reply(200, {"servers": []})
DETAIL = f"/v2.1/{PROJECT}/servers/detail"


def test_connection_sends_no_request_before_first_use(cloud: FakeCloud) -> None:
    """Creating a connection sends no request."""
    connect(cloud)
    assert cloud.log == []


def test_token_request_matches_guide(cloud: FakeCloud) -> None:
    """Guide 3.3, step 1: password with user name and domain id, scoped to a project id, at /v3/auth/tokens."""
    region_of(cloud)
    assert cloud.log[0].url == "https://iam.test/v3/auth/tokens"
    assert cloud.log[0].body == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": "testuser",
                        "domain": {"id": "2aa29cbca17a4822abd096610e378ffa"},
                        "password": PASSWORD,
                    },
                },
            },
            "scope": {"project": {"id": PROJECT}},
        },
    }


def test_threads_share_one_token(cloud: FakeCloud) -> None:
    """Forty threads that start together send one token request."""
    connection = connect(cloud)
    cloud.on("GET", DETAIL, lambda _: SERVERS)
    threads = [threading.Thread(target=lambda: compute.list_servers(connection.region().compute)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cloud.tokens == 1
    assert connection.requests["GET", "/v2.1/{project_id}/servers/detail"] == 40


def test_expired_token_is_renewed_once(cloud: FakeCloud) -> None:
    """If several threads find the token expired, it is renewed once, and each request succeeds."""
    region = region_of(cloud)
    expired = Reply(401, {"error": {"code": 401, "message": "…", "title": "Unauthorized"}})
    cloud.on("GET", DETAIL, lambda r: expired if r.headers["X-Auth-Token"] == "token-1" else SERVERS)
    threads = [threading.Thread(target=lambda: compute.list_servers(region.compute)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cloud.tokens == 2


def test_rejected_credentials_are_not_sent_again(cloud: FakeCloud) -> None:
    """A process sends a rejected password only once, because more attempts could lock the account."""
    body = {
        "error": {
            "code": 401,
            "message": "The request you have made requires authentication.",
            "title": "Unauthorized",
        },
    }
    cloud.script("POST", "/v3/auth/tokens", Reply(401, body, {"X-Openstack-Request-Id": "req-1"}))
    connection = connect(cloud)
    for _ in range(3):
        with pytest.raises(Unauthorized) as caught:
            connection.region()
    assert len(cloud.log) == 1
    assert str(caught.value).startswith(
        "The request you have made requires authentication (HTTP 401, req-1). Check ecs:username, ecs:password, "
        "ecs:userDomainId, ecs:projectId."
    )
    assert PASSWORD not in str(caught.value)


def test_401_after_token_renewal_is_an_error(cloud: FakeCloud) -> None:
    """A request whose renewed token is rejected as well fails instead of being retried."""
    region = region_of(cloud)
    cloud.script("GET", DETAIL, Reply(401, {"error": {"message": "no", "title": "Unauthorized"}}))
    with pytest.raises(Unauthorized, match=r"Check ecs:username, ecs:password, "):
        compute.list_servers(region.compute)
    assert cloud.tokens == 2


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (GUIDE_VERSIONS, "v2.1 with microversions 2.1 to 2.14"),
        (
            {"versions": [{**version, "version": None, "min_version": None} for version in GUIDE_VERSIONS["versions"]]},
            "v2.1 without microversions",
        ),
        ({"versions": GUIDE_VERSIONS["versions"][:1]}, "v2 without microversions"),
        (
            {"versions": [GUIDE_VERSIONS["versions"][0], {**GUIDE_VERSIONS["versions"][1], "version": "2.93"}]},
            "v2.1 with microversions 2.1 to 2.93",
        ),
        ({"unexpected": []}, "v2.1 without microversions"),
    ],
    ids=["guide", "null versions", "legacy only", "Zed", "no version document"],
)
def test_discovery_reads_versions_and_microversions(cloud: FakeCloud, versions: Any, expected: str) -> None:
    """Discovery supports the guide's document, null and empty versions, and current documents."""
    cloud.on("GET", "/", lambda _: Reply(200, versions))
    assert str(region_of(cloud).compute.versions) == expected


def test_discovery_request_is_sent_once_and_only_if_needed(cloud: FakeCloud) -> None:
    """Requests without microversions need no version document; others read it once per process."""
    region = region_of(cloud)
    cloud.on("GET", DETAIL, lambda _: SERVERS)
    cloud.on("GET", "/v2.0/networks", lambda _: Reply(200, {"networks": []}))
    compute.list_servers(region.compute)
    network.list_all(region.network, "network")
    assert "GET /" not in cloud.sent()
    assert region.compute.supports("2.14")
    assert not region.compute.supports("2.15")
    assert region.server_microversion == "2.9"
    assert cloud.sent().count("GET /") == 1


def test_discovery_falls_back_to_version_url(cloud: FakeCloud) -> None:
    """If a gateway hides the root URL, the microversions are read at the version's URL."""
    cloud.on("GET", "/", lambda _: Reply(404, "<html><title>Not here</title></html>"))
    cloud.on("GET", "/v2.1/", lambda _: Reply(200, {"version": GUIDE_VERSIONS["versions"][1]}))
    assert region_of(cloud).compute.versions.max == "2.14"


@pytest.mark.parametrize(
    ("forced", "path", "microversion"),
    [
        ("2", f"/v2/{PROJECT}", None),
        ("v2.0", f"/v2/{PROJECT}", None),
        ("2.1", f"/v2.1/{PROJECT}", None),
        ("2.10", f"/v2.1/{PROJECT}", "2.9"),
        ("2.60", f"/v2.1/{PROJECT}", "2.9"),
    ],
)
def test_forced_version_limits_microversion(cloud: FakeCloud, forced: str, path: str, microversion: str | None) -> None:
    """``ecs:apiVersions`` selects /v2, /v2.1 without microversions, or the highest microversion."""
    region = region_of(cloud, api_versions={"compute": forced})
    assert region.compute.url == NOVA + path
    assert region.server_microversion == microversion


@pytest.mark.parametrize(
    ("catalog", "versions", "expected"),
    [
        ({"compute": f"{NOVA}/v2.1/{PROJECT}"}, GUIDE_VERSIONS, f"{NOVA}/v2.1/{PROJECT}"),
        ({"compute": f"{NOVA}/v2/{PROJECT}"}, GUIDE_VERSIONS, f"{NOVA}/v2.1/{PROJECT}"),
        ({"compute_legacy": f"{NOVA}/v2/{PROJECT}"}, {}, f"{NOVA}/v2/{PROJECT}"),
        ({"compute": "https://gate.test/compute"}, GUIDE_VERSIONS, f"https://gate.test/compute/v2.1/{PROJECT}"),
        (
            {"compute": "https://gate.test/compute/v2.1/"},
            GUIDE_VERSIONS,
            f"https://gate.test/compute/v2.1/{PROJECT}",
        ),
    ],
)
def test_compute_url_for_each_form_of_endpoint(
    cloud: FakeCloud, catalog: dict[str, str], versions: Any, expected: str
) -> None:
    """The newest version is used for a catalog endpoint with or without version, project and prefix."""
    cloud.catalog = catalog
    cloud.on("GET", "/", lambda _: Reply(200, versions))
    cloud.on("GET", "/compute/", lambda _: Reply(200, versions))
    assert region_of(cloud).compute.url == expected


@pytest.mark.parametrize("kind", ["block-storage", "volumev3", "volume", "volumev2", "block-store"])
def test_block_storage_is_found_by_each_service_type(cloud: FakeCloud, kind: str) -> None:
    """Catalogs use different service types for Cinder."""
    cloud.catalog = {kind: f"https://cinder.test/v3/{PROJECT}"}
    assert region_of(cloud).block_storage.url == f"https://cinder.test/v3/{PROJECT}"


def test_network_and_image_urls_get_version_without_discovery(cloud: FakeCloud) -> None:
    """Neutron and Glance have one version each, so no discovery request is sent."""
    region = region_of(cloud)
    assert region.network.url == "https://neutron.test:9696/v2.0"
    assert region.image.url == "https://glance.test/v2"
    assert cloud.sent() == []


def test_configured_endpoint_replaces_catalog_endpoint(cloud: FakeCloud) -> None:
    """``ecs:endpoints`` has precedence for the services that it names."""
    region = region_of(cloud, endpoints={"network": "https://other.test/net"})
    assert region.network.url == "https://other.test/net/v2.0"
    assert region.compute.url.startswith(NOVA)


def test_both_microversion_headers_are_sent_if_requested(cloud: FakeCloud) -> None:
    """Guide 3.2: both headers contain the requested microversion; a request without one sends neither header."""
    region = region_of(cloud)
    cloud.on("GET", f"/v2.1/{PROJECT}/servers/1", lambda _: Reply(200, {"server": {}}))
    compute.get_server(region.compute, "1")
    compute.get_server(region.compute, "1", microversion="2.4")
    without, with_microversion = cloud.log[-2:]
    assert not [name for name in without.headers if "api-version" in name.lower()]
    assert with_microversion.headers["X-OpenStack-Nova-API-Version"] == "2.4"
    assert with_microversion.headers["OpenStack-API-Version"] == "compute 2.4"
    assert with_microversion.headers["User-Agent"].startswith("ecs-pulumi/")


def test_block_storage_microversion_header(cloud: FakeCloud) -> None:
    """The header names Cinder ``volume``."""
    region = region_of(cloud)
    cloud.on("POST", f"/v3/{PROJECT}/volumes/1/action", lambda _: Reply(202))
    region.block_storage.post("/volumes/1/action", json={}, microversion="3.42")
    assert cloud.log[-1].headers["OpenStack-API-Version"] == "volume 3.42"


def test_unsupported_microversion_error_lists_offered_versions(cloud: FakeCloud) -> None:
    """The error names the feature, the microversion that it needs, and the versions that the cloud offers."""
    with pytest.raises(Unsupported) as caught:
        region_of(cloud).compute.require("tags", "2.26")
    assert str(caught.value) == (
        "tags needs compute microversion 2.26; this cloud offers compute v2.1 with microversions 2.1 to 2.14"
    )


def test_unsupported_microversion_error_names_forced_version(cloud: FakeCloud) -> None:
    """If ``ecs:apiVersions`` limits the version, the error names the setting."""
    with pytest.raises(Unsupported, match=r"v2 without microversions \(limited to 2 by ecs:apiVersions\)"):
        region_of(cloud, api_versions={"compute": "2"}).compute.require("tags", "2.26")


def test_only_region_is_used_by_default(cloud: FakeCloud) -> None:
    """If the catalog has one region, ``ecs:region`` is optional, and both forms return the same object."""
    connection = connect(cloud, region=None)
    assert connection.region() is connection.region("eu-de")


def test_unknown_or_missing_region_error_lists_regions(cloud: FakeCloud) -> None:
    """The error names the setting and lists the regions of the catalog."""
    cloud.regions = ["eu-de", "eu-nl"]
    with pytest.raises(ConfigurationError, match=r"ecs:region \(or OS_REGION_NAME\) is missing; .* eu-de, eu-nl"):
        connect(cloud, region=None).region()
    with pytest.raises(ConfigurationError, match=r"no region 'mars'; the catalog has eu-de, eu-nl"):
        connect(cloud).region("mars")


def test_missing_service_error_lists_services(cloud: FakeCloud) -> None:
    """The error lists the services of the catalog and names ``ecs:endpoints``."""
    cloud.catalog = {"compute": f"{NOVA}/v2.1"}
    with pytest.raises(ConfigurationError, match=r"no block-storage service in region eu-de .*; it has compute"):
        _ = region_of(cloud).block_storage


def test_regions_share_token_but_not_pollers(cloud: FakeCloud) -> None:
    """Each region has its own collections; the token belongs to the connection."""
    cloud.regions = ["eu-de", "eu-nl"]
    connection = connect(cloud)
    one, two = connection.region("eu-de"), connection.region("eu-nl")
    assert one.servers is connection.region("eu-de").servers
    assert one.servers is not two.servers
    assert cloud.tokens == 1


def test_insecure_connection_adds_warning(cloud: FakeCloud) -> None:
    """A connection that does not verify certificates has one warning."""
    assert "ecs:insecure" in connect(cloud, insecure=True).warnings[0]
    assert connect(cloud).warnings == []


def test_trace_has_one_line_per_request(cloud: FakeCloud) -> None:
    """A trace line contains method, path, status, time and request id, but no host, header or body."""
    lines: list[str] = []
    region = region_of(cloud, trace=lines.append)
    cloud.on("GET", DETAIL, lambda _: Reply(200, {"servers": []}, {"X-Compute-Request-Id": "req-7"}))
    compute.list_servers(region.compute, name="web")
    assert lines[0].startswith("POST /v3/auth/tokens 201 ")
    assert lines[1].startswith(f"GET {DETAIL}?name=web&limit=1000 200 ")
    assert lines[1].endswith(" ms req-7")
    assert not any(PASSWORD in line or "token-1" in line for line in lines)


def test_paging_uses_only_query_of_next_link(cloud: FakeCloud) -> None:
    """The guide's links have the URL ``https://None/…``, so only their query is used."""
    region = region_of(cloud)
    link = {"rel": "next", "href": f"https://None/v2.1/{PROJECT}/servers/detail?limit=1&marker=a"}
    cloud.on(
        "GET",
        DETAIL,
        lambda request: (
            Reply(200, {"servers": [{"id": "b"}]})
            if "marker" in request.query
            else Reply(200, {"servers": [{"id": "a"}], "servers_links": [link]})
        ),
    )
    assert [server["id"] for server in compute.list_servers(region.compute, name="x")] == ["a", "b"]
    assert cloud.log[-1].query == {"name": ["x"], "limit": ["1"], "marker": ["a"]}
    assert cloud.log[-1].url.startswith(NOVA)


def test_last_failed_action_returns_reason(cloud: FakeCloud) -> None:
    """The reason of a failed resize is read from Nova's instance actions, as far as the account may see it."""
    region = region_of(cloud)
    base = f"/v2.1/{PROJECT}/servers/1/os-instance-actions"
    actions = [
        {"action": "stop", "message": None, "request_id": "req-3"},
        {"action": "resize", "message": "Error", "request_id": "req-2"},
        {"action": "create", "message": None, "request_id": "req-1"},
    ]
    events: list[dict[str, str]] = []
    cloud.on("GET", base, lambda _: Reply(200, {"instanceActions": actions}))
    action = {"message": "Error", "events": events}
    cloud.on("GET", f"{base}/req-2", lambda _: Reply(200, {"instanceAction": action}))

    assert compute.last_failed_action(region.compute, "1") == (
        "resize failed: Nova reports only 'Error', as it does if no host has room (req-2)"
    )
    events.append({"event": "compute_resize_instance", "result": "Error"})
    assert compute.last_failed_action(region.compute, "1", "resize") == (
        "resize failed: the step compute_resize_instance ended in error (req-2)"
    )
    events.append({"event": "cold_migrate", "result": "Error"})
    assert "no host has room" in str(compute.last_failed_action(region.compute, "1"))
    events.append({"event": "x", "result": "Error", "traceback": "Traceback …\nNoValidHost: none fits\n"})
    assert compute.last_failed_action(region.compute, "1") == "resize failed: NoValidHost: none fits (req-2)"


def test_last_failed_action_returns_none_if_newest_action_succeeded(cloud: FakeCloud) -> None:
    """Older failures of the same action and unreadable actions are ignored."""
    region = region_of(cloud)
    actions = [
        {"action": "resize", "message": None, "request_id": "req-2"},
        {"action": "resize", "message": "Error", "request_id": "req-1"},
    ]
    path = f"/v2.1/{PROJECT}/servers/1/os-instance-actions"
    cloud.on("GET", path, lambda _: Reply(200, {"instanceActions": actions}))
    assert compute.last_failed_action(region.compute, "1", "resize") is None
    assert compute.last_failed_action(region.compute, "unknown") is None


def test_list_versions_returns_documents_unchanged(cloud: FakeCloud) -> None:
    """Guide 3.2: the version documents are returned as the service sends them."""
    assert compute.list_versions(region_of(cloud).compute) == GUIDE_VERSIONS["versions"]


def test_failed_discovery_is_an_error(cloud: FakeCloud) -> None:
    """A 503 during discovery raises an error; it does not mean that the cloud has no microversions."""
    cloud.script("GET", "/", Reply(503))
    with pytest.raises(ApiError, match="HTTP 503"):
        _ = region_of(cloud).compute.versions


def test_newest_microversion_compares_numerically() -> None:
    """2.9 is older than 2.14, and 2.100 newer than 2.99."""
    assert ServiceClient.newest(["2.9", "2.14"]) == "2.14"
    assert ServiceClient.newest(["2.100", "2.99"]) == "2.100"
    assert ServiceClient.newest([]) is None
