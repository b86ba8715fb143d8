"""The emulator answers every request: random, nearly valid and stateful ones.

The requests are those that other tests send, with changes (`requests.py`). They reach the emulator with a function
call; `test_connections.py` tests what a connection may contain besides.
"""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.bad_input.in_process import Target, target
from tests.bad_input.requests import CHANGING, TEMPLATES, Sent, of_template, requests
from tests.support.examples import FACTOR, examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
LIKE_NOVA = ("Unexpected API Error", "internal server error", "SubnetAllocationError")
"""Parts of the answers with status 500 that a real OpenStack gives as well."""
MOST_REQUESTS = 20
PAUSES = (0, 1, 60)
ROUNDS = 3 if FACTOR == 1 else 20
MOST_GROWTH = 8 * 2**20
"""In bytes; an allocator does not return all of its memory."""


@pytest.fixture(scope="module", params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Target]:
    """An emulator with an object of every kind."""
    with target(request.param) as created:
        yield created


def check_answer(cloud: Target, sent: Sent, pick: int) -> None:
    """Send a request and check that the emulator answers it with a body that can be parsed."""
    answer = cloud.send(sent, pick)
    text = answer.content.decode()
    assert answer.status < 500 or any(words in text for words in LIKE_NOVA), text[:300]
    if text and answer.headers["Content-Type"] == "application/json":
        json.loads(text, parse_constant=pytest.fail)


def check_usable(cloud: Target) -> None:
    """Check that valid requests of every service are answered."""
    for service, path in (
        ("compute", "v2.1/servers/detail"),
        ("network", "v2.0/ports"),
        ("volume", "v3/{project}/volumes/detail"),
        ("image", "v2/images"),
    ):
        assert cloud.send(Sent("GET", service, path)).status == 200
    assert cloud.send(Sent("POST", "network", "v2.0/networks", body={"network": {"name": "after"}})).status in (
        201,
        409,
    )


def _post(service: str, path: str, body: Any, **more: Any) -> list[tuple[Sent, int, int]]:
    return [(Sent("POST", service, path, body=body, **more), 0, 0)]


def _get(service: str, path: str, query: str = "", **more: Any) -> list[tuple[Sent, int, int]]:
    return [(Sent("GET", service, path, query=query, **more), 0, 0)]


_PASSWORD = {"methods": ["password"], "password": {"user": {"name": "demo"}}}
SERVER_WITH_WRONG_ADDRESS = {
    "server": {
        "name": "a",
        "flavorRef": "{flavor}",
        "imageRef": "{image}",
        "networks": [{"uuid": "{network}", "fixed_ip": "x"}],
    }
}
"""The build of such a server failed, and with it every later request."""
_DIGITS = "9" * 5000
_ACTION, _SERVER_INTERFACE = "v2.1/servers/{server}/action", "v2.1/servers/{server}/os-interface"


@given(
    sequence=st.lists(
        st.tuples(requests(), st.integers(0, 3), st.sampled_from(PAUSES)), min_size=1, max_size=MOST_REQUESTS
    )
)
@examples(150)
@example(_get("compute", "v2.1/servers", version=f"{_DIGITS}.1"))
@example(_get("compute", "v2.1/os-server-groups", "offset=a"))
@example(_get("compute", "v2.1/flavors/detail", "minDisk=%C2%B2"))
@example(_get("network", "v2.0/ports", "limit=%C2%B2"))
@example(_get("network", "v2.0/ports", f"limit={_DIGITS}"))
@example(_get("volume", "v3/{project}/volumes", f"limit={_DIGITS}"))
@example(_get("image", "v2/images", f"limit={_DIGITS}"))
@example(
    [(Sent("DELETE", "network", "v2.0/routers/{router}", headers={"if-match": f"revision_number={_DIGITS}"}), 0, 0)]
)
@example(_post("", "v3/auth/tokens", {"auth": {"identity": _PASSWORD | {"methods": [["password"]]}}}))
@example(_post("", "v3/auth/tokens", {"auth": {"identity": _PASSWORD | {"password": {"user": "demo"}}}}))
@example(_post("", "v3/auth/tokens", {"auth": {"identity": _PASSWORD | {"methods": ["password", {}]}}}))
@example(_post("compute", "v2.1/os-keypairs", {"keypair": {"name": "a", "public_key": "ssh AAAAC3NzaC1lZDI1NTE5"}}))
@example(_post("compute", _ACTION, {"lock": 1}, version="2.93"))
@example(_post("compute", _ACTION, {"rescue": "a"}, version="2.93"))
@example(
    _post(
        "compute",
        _SERVER_INTERFACE,
        {"interfaceAttachment": {"net_id": "{network}", "fixed_ips": [{"ip_address": ""}]}},
    )
)
@example(_post("compute", "v2.1/os-keypairs", {"keypair": {"name": "\ud800"}}))
@example(_post("compute", "v2.1/servers", SERVER_WITH_WRONG_ADDRESS))
@example(_post("network", "v2.0/networks", {"network": {"name": "a", "mtu": float("inf")}}))
@example(_post("network", "v2.0/networks", None, raw=b'{"network": {"name": "a", "value": 1e999}}'))
@example([(Sent("PUT", "network", "v2.0/subnets/{subnet}", body={"subnet": {"dns_nameservers": 1}}), 0, 0)])
@example([(Sent("PUT", "network", "v2.0/routers/{router}/tags", raw=b"[" * 100_000), 0, 0)])
@example(_post("network", "v2.0/address-groups", {"address_group": {"name": "a"}}))
def test_every_request_is_answered(
    cloud: Target, count: Callable[[str, int], None], sequence: list[tuple[Sent, int, int]]
) -> None:
    """No sequence of requests makes the emulator fail, and it is usable afterwards."""
    cloud.restore()
    for sent, pick, pause in sequence:
        cloud.account.clock.advance(pause)
        check_answer(cloud, sent, pick)
    check_usable(cloud)
    count("requests", len(sequence))


def test_memory_stays_flat(cloud: Target, count: Callable[[str, int], None]) -> None:
    """The same requests, sent again and again, do not make the process grow."""
    process, sizes = psutil.Process(), []
    for _ in range(ROUNDS):
        cloud.restore()
        cloud.account.cloud.requests.clear()
        for template in TEMPLATES:
            check_answer(cloud, of_template(template), 0)
        gc.collect()
        sizes.append(process.memory_info().rss)
    count("requests", ROUNDS * len(TEMPLATES))
    assert max(sizes[2:]) - sizes[1] <= MOST_GROWTH, sizes


def test_templates_are_valid_requests(cloud: Target) -> None:
    """The emulator knows the path and the method of nearly every template, so that the changed requests go deep."""
    cloud.restore()
    unknown = []
    for template in CHANGING:
        cloud.restore()
        if cloud.send(of_template(template)).status == 405:
            unknown.append(template["path"])
    assert unknown == []
