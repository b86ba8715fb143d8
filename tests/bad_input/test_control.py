"""The emulator's own API under `/_emulator` refuses what it cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_pulumi.emulator import Emulator
from ecs_pulumi.emulator.faults import Fault
from tests.support.bad_values import TEXTS, json_values
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
SECONDS = 20.0
PATH = "/RegionOne/network/v2.0/networks"
JSON = {"Content-Type": "application/json"}
QUOTAS = ("instances", "port", "volumes", "self", "gigabytes")

fault_fields = st.fixed_dictionaries(
    {},
    optional={name: json_values() for name in Fault.model_fields if name not in ("path", "latency", "drop")}
    | {
        "status": st.integers(-1, 1000) | st.sampled_from((204, 304, 503)),
        "headers": st.dictionaries(st.sampled_from((*TEXTS, "X-Name")), st.sampled_from(TEXTS), max_size=2),
    },
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """An emulator."""
    with Emulator(dialect="openstack", speed=100) as running:
        yield running


def put(cloud: Emulator, method: str, path: str, document: Any) -> int:
    """Send a document to the API and return the status."""
    data = json.dumps(document).encode()
    return requests.request(method, f"{cloud.url}{path}", data=data, headers=JSON, timeout=SECONDS).status_code


@given(fields=fault_fields)
@examples(60)
@example(fields={"status": 42})
@example(fields={"status": 204, "body": "a"})
@example(fields={"status": 503, "headers": {"a\nb": "c"}})
@example(fields={"status": 503, "headers": {"a": "b\r\nc: d"}})
@example(fields={"status": 503, "headers": {"a": "\u2603"}})
@example(fields={"status": 503, "body": "\ud800"})
@example(fields={"method": "\ud800"})
@example(fields={"headers": {"a": "\ud800"}})
@example(fields={"status": 503, "latency": float("inf")})
def test_fault_is_refused_or_injected(
    cloud: Emulator, count: Callable[[str, int], None], caplog: pytest.LogCaptureFixture, fields: dict[str, Any]
) -> None:
    """A fault that HTTP cannot express is refused; any other one is injected."""
    status = put(cloud, "POST", "/_emulator/faults", {**fields, "path": PATH})
    assert status in (201, 400, 422)
    try:
        answer = requests.get(cloud.url + PATH, timeout=SECONDS)
        acts = status == 201 and fields.get("method", "*") in ("*", "GET") and fields.get("name", "*") in ("*", "")
        if acts and fields.get("status") is not None and not fields.get("skip") and not fields.get("outcome"):
            assert answer.status_code in (fields["status"], fields.get("gateway"))
        assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    finally:
        caplog.clear()
        cloud.clear_faults()
    assert requests.get(f"{cloud.url}/_emulator/topology", timeout=SECONDS).status_code == 200
    count("requests", 3)


@given(limits=st.dictionaries(st.sampled_from((*QUOTAS, *TEXTS)), json_values() | st.integers(), max_size=3))
@examples(40)
@example(limits={"self": 1})
@example(limits={"instances": 10**30})
@example(limits={"\ud800": 1})
def test_quotas_are_refused_or_set(cloud: Emulator, count: Callable[[str, int], None], limits: dict[str, Any]) -> None:
    """Quotas that are no numbers are refused, and requests that need a quota are answered afterwards."""
    assert put(cloud, "PUT", "/_emulator/quotas", limits) in (204, 400, 422)
    requests.get(f"{cloud.url}/_emulator/topology", timeout=SECONDS).raise_for_status()
    count("requests", 2)
