"""One token, the catalog's endpoints, and versions only where they matter."""

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


def test_nothing_goes_over_the_wire_before_a_region_is_asked_for(cloud: FakeCloud) -> None:
    """Making a connection costs no request."""
    connect(cloud)
    assert cloud.log == []


def test_the_token_request_is_the_guides(cloud: FakeCloud) -> None:
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


def test_one_token_serves_every_thread(cloud: FakeCloud) -> None:
    """Forty threads that begin together share one token request."""
    connection = connect(cloud)
    cloud.on("GET", DETAIL, lambda _: SERVERS)
    threads = [threading.Thread(target=lambda: compute.list_servers(connection.region().compute)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cloud.tokens == 1
    assert connection.requests["GET", "/v2.1/{project_id}/servers/detail"] == 40


def test_an_expired_token_is_renewed_once_for_all(cloud: FakeCloud) -> None:
    """Threads that all find the token expired cause one renewal, and each request succeeds."""
    region = region_of(cloud)
    refused = Reply(401, {"error": {"code": 401, "message": "…", "title": "Unauthorized"}})
    cloud.on("GET", DETAIL, lambda r: refused if r.headers["X-Auth-Token"] == "token-1" else SERVERS)
    threads = [threading.Thread(target=lambda: compute.list_servers(region.compute)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cloud.tokens == 2


def test_wrong_credentials_are_tried_once_in_a_process(cloud: FakeCloud) -> None:
    """However many resources ask, a wrong password is sent once: more would lock the account."""
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


def test_a_401_that_a_new_token_does_not_cure_is_an_error(cloud: FakeCloud) -> None:
    """A service that refuses even a fresh token is not asked forever."""
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
    ids=["guide", "null", "legacy only", "Zed", "no version document"],
)
def test_discovery_finds_versions_and_microversions(cloud: FakeCloud, versions: Any, expected: str) -> None:
    """The guide's document, null and empty versions, and today's are all understood."""
    cloud.on("GET", "/", lambda _: Reply(200, versions))
    assert str(region_of(cloud).compute.versions) == expected


def test_discovery_is_asked_once_and_only_where_it_matters(cloud: FakeCloud) -> None:
    """Plain requests need no version document; microversions need one per process."""
    region = region_of(cloud)
    cloud.on("GET", DETAIL, lambda _: SERVERS)
    cloud.on("GET", "/v2.0/networks", lambda _: Reply(200, {"networks": []}))
    compute.list_servers(region.compute)
    network.list_all(region.network, "network")
    assert "GET /" not in cloud.seen()
    assert region.compute.supports("2.14")
    assert not region.compute.supports("2.15")
    assert region.server_microversion == "2.9"
    assert cloud.seen().count("GET /") == 1


def test_a_gateway_without_a_version_list_is_asked_at_the_version(cloud: FakeCloud) -> None:
    """Where the root is closed, the version's own document tells the microversions."""
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
def test_a_forced_version_is_the_highest_that_is_used(
    cloud: FakeCloud, forced: str, path: str, microversion: str | None
) -> None:
    """``ecs:apiVersions`` chooses /v2, plain /v2.1, or the highest microversion; the host stays the catalog's."""
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
def test_compute_endpoints_in_every_form(
    cloud: FakeCloud, catalog: dict[str, str], versions: Any, expected: str
) -> None:
    """With or without version, project or prefix, the catalog's host answers at the newest version."""
    cloud.catalog = catalog
    cloud.on("GET", "/", lambda _: Reply(200, versions))
    cloud.on("GET", "/compute/", lambda _: Reply(200, versions))
    assert region_of(cloud).compute.url == expected


@pytest.mark.parametrize("kind", ["block-storage", "volumev3", "volume", "volumev2", "block-store"])
def test_block_storage_is_found_under_each_of_its_names(cloud: FakeCloud, kind: str) -> None:
    """The catalog's type for Cinder changed over the years."""
    cloud.catalog = {kind: f"https://cinder.test/v3/{PROJECT}"}
    assert region_of(cloud).block_storage.url == f"https://cinder.test/v3/{PROJECT}"


def test_unversioned_network_and_image_endpoints_get_their_version(cloud: FakeCloud) -> None:
    """Neutron and Glance have one version each; no request is spent on asking."""
    region = region_of(cloud)
    assert region.network.url == "https://neutron.test:9696/v2.0"
    assert region.image.url == "https://glance.test/v2"
    assert cloud.seen() == []


def test_configured_endpoints_replace_the_catalogs(cloud: FakeCloud) -> None:
    """``ecs:endpoints`` wins for the service that it names."""
    region = region_of(cloud, endpoints={"network": "https://elsewhere.test/net"})
    assert region.network.url == "https://elsewhere.test/net/v2.0"
    assert region.compute.url.startswith(NOVA)


def test_microversion_headers_are_both_sent_and_only_where_asked(cloud: FakeCloud) -> None:
    """Guide 3.2: both headers name the microversion that the request needs, and a plain request names none."""
    region = region_of(cloud)
    cloud.on("GET", f"/v2.1/{PROJECT}/servers/1", lambda _: Reply(200, {"server": {}}))
    compute.get_server(region.compute, "1")
    compute.get_server(region.compute, "1", microversion="2.4")
    plain, raised = cloud.log[-2:]
    assert not [name for name in plain.headers if "api-version" in name.lower()]
    assert raised.headers["X-OpenStack-Nova-API-Version"] == "2.4"
    assert raised.headers["OpenStack-API-Version"] == "compute 2.4"
    assert raised.headers["User-Agent"].startswith("ecs-pulumi/")


def test_volume_microversions_have_their_own_header(cloud: FakeCloud) -> None:
    """Cinder is ``volume`` in the header."""
    region = region_of(cloud)
    cloud.on("POST", f"/v3/{PROJECT}/volumes/1/action", lambda _: Reply(202))
    region.block_storage.post("/volumes/1/action", json={}, microversion="3.42")
    assert cloud.log[-1].headers["OpenStack-API-Version"] == "volume 3.42"


def test_what_the_cloud_cannot_do_says_what_it_offers(cloud: FakeCloud) -> None:
    """A feature above the offered microversions is refused by name, with the versions found."""
    with pytest.raises(Unsupported) as caught:
        region_of(cloud).compute.require("tags", "2.26")
    assert str(caught.value) == (
        "tags needs compute microversion 2.26; this cloud offers compute v2.1 with microversions 2.1 to 2.14"
    )


def test_what_a_forced_version_cannot_do_names_the_setting(cloud: FakeCloud) -> None:
    """Whoever forced an old version learns that it was the setting, not the cloud."""
    with pytest.raises(Unsupported, match=r"v2 without microversions \(ecs:apiVersions asks for no more than 2\)"):
        region_of(cloud, api_versions={"compute": "2"}).compute.require("tags", "2.26")


def test_the_only_region_needs_no_name(cloud: FakeCloud) -> None:
    """A cloud of one region is used without ``ecs:region``; by name or not it is the same object."""
    connection = connect(cloud, region=None)
    assert connection.region() is connection.region("eu-de")


def test_an_unknown_or_missing_region_lists_what_there_is(cloud: FakeCloud) -> None:
    """The message names the setting and the regions of the catalog."""
    cloud.regions = ["eu-de", "eu-nl"]
    with pytest.raises(ConfigurationError, match=r"ecs:region \(or OS_REGION_NAME\) is missing; .* eu-de, eu-nl"):
        connect(cloud, region=None).region()
    with pytest.raises(ConfigurationError, match=r"no region 'mars'; the catalog has eu-de, eu-nl"):
        connect(cloud).region("mars")


def test_a_missing_service_lists_what_there_is(cloud: FakeCloud) -> None:
    """A catalog without block storage says so and names the setting that helps."""
    cloud.catalog = {"compute": f"{NOVA}/v2.1"}
    with pytest.raises(ConfigurationError, match=r"no block-storage service in region eu-de .*; it has compute"):
        _ = region_of(cloud).block_storage


def test_two_regions_share_a_token_but_no_pollers(cloud: FakeCloud) -> None:
    """Each region watches its own servers; the token is the connection's."""
    cloud.regions = ["eu-de", "eu-nl"]
    connection = connect(cloud)
    one, two = connection.region("eu-de"), connection.region("eu-nl")
    assert one.servers is connection.region("eu-de").servers
    assert one.servers is not two.servers
    assert cloud.tokens == 1


def test_an_insecure_connection_warns(cloud: FakeCloud) -> None:
    """Whoever switches verification off is told once per run."""
    assert "ecs:insecure" in connect(cloud, insecure=True).warnings[0]
    assert connect(cloud).warnings == []


def test_the_trace_tells_each_request_in_a_line(cloud: FakeCloud) -> None:
    """Method, path, status, time and request id; no host, header or body."""
    lines: list[str] = []
    region = region_of(cloud, trace=lines.append)
    cloud.on("GET", DETAIL, lambda _: Reply(200, {"servers": []}, {"X-Compute-Request-Id": "req-7"}))
    compute.list_servers(region.compute, name="web")
    assert lines[0].startswith("POST /v3/auth/tokens 201 ")
    assert lines[1].startswith(f"GET {DETAIL}?name=web 200 ")
    assert lines[1].endswith(" ms req-7")
    assert not any(PASSWORD in line or "token-1" in line for line in lines)


def test_all_ten_filters_of_the_guide(cloud: FakeCloud) -> None:
    """Guide 3.3, step 2: the query names are the API's own."""
    region = region_of(cloud)
    cloud.on("GET", DETAIL, lambda _: SERVERS)
    compute.list_servers(
        region.compute,
        changes_since="2018-05-10T00:00:00Z",
        image="i",
        flavor="f",
        name="n",
        status="ACTIVE",
        limit=2,
        marker="m",
        not_tags=["a", "b"],
        reservation_id="r",
        all_tenants=True,
    )
    assert cloud.log[-1].query == {
        "changes-since": ["2018-05-10T00:00:00Z"],
        "image": ["i"],
        "flavor": ["f"],
        "name": ["n"],
        "status": ["ACTIVE"],
        "limit": ["2"],
        "marker": ["m"],
        "not-tags": ["a,b"],
        "reservation_id": ["r"],
        "all_tenants": ["1"],
    }


def test_pages_follow_the_query_of_links_whose_host_is_wrong(cloud: FakeCloud) -> None:
    """The guide's own links say ``https://None/…``: only their query is used."""
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


def test_the_reason_of_a_failed_action_is_found(cloud: FakeCloud) -> None:
    """Nova's actions tell why a resize silently fell back, as far as the account may see it."""
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
        "resize failed: Nova says only 'Error', as it does where no host has room (req-2)"
    )
    events.append({"event": "compute_resize_instance", "result": "Error"})
    assert compute.last_failed_action(region.compute, "1", "resize") == (
        "resize failed: the step compute_resize_instance ended in error (req-2)"
    )
    events.append({"event": "cold_migrate", "result": "Error"})
    assert "no host has room" in str(compute.last_failed_action(region.compute, "1"))
    events.append({"event": "x", "result": "Error", "traceback": "Traceback …\nNoValidHost: none fits\n"})
    assert compute.last_failed_action(region.compute, "1") == "resize failed: NoValidHost: none fits (req-2)"


def test_an_action_that_did_not_fail_has_no_reason(cloud: FakeCloud) -> None:
    """An older failure does not explain a newer success, and what cannot be read explains nothing."""
    region = region_of(cloud)
    actions = [
        {"action": "resize", "message": None, "request_id": "req-2"},
        {"action": "resize", "message": "Error", "request_id": "req-1"},
    ]
    path = f"/v2.1/{PROJECT}/servers/1/os-instance-actions"
    cloud.on("GET", path, lambda _: Reply(200, {"instanceActions": actions}))
    assert compute.last_failed_action(region.compute, "1", "resize") is None
    assert compute.last_failed_action(region.compute, "unknown") is None


def test_the_version_list_is_the_services_own(cloud: FakeCloud) -> None:
    """Guide 3.2: the documents come as they are."""
    assert compute.list_versions(region_of(cloud).compute) == GUIDE_VERSIONS["versions"]


def test_a_version_list_that_fails_is_an_error(cloud: FakeCloud) -> None:
    """A cloud that is down is not taken for an old one."""
    cloud.script("GET", "/", Reply(503))
    with pytest.raises(ApiError, match="HTTP 503"):
        _ = region_of(cloud).compute.versions


def test_the_newest_microversion_is_no_matter_of_text() -> None:
    """2.9 is older than 2.14, and 2.100 newer than 2.99."""
    assert ServiceClient.newest(["2.9", "2.14"]) == "2.14"
    assert ServiceClient.newest(["2.100", "2.99"]) == "2.100"
    assert ServiceClient.newest([]) is None
