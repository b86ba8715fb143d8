"""The bridge with Pulumi's host, and its behaviour if it finds no request."""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from pulumi.dynamic import Config

from ecs_pulumi.dynamic import rpc_bridge
from tests.host.harness import REPOSITORY, Failed, Plugin, ResourceState, Served, secret
from tests.host.probes import Counting, Failing, Inspecting, Logging, Recording

URN = "urn:pulumi:dev::demo::pulumi-python:dynamic/ecs:Probe::web"
WITHOUT_BRIDGE = {"urn": "", "resource": "", "stack": "", "project": "", "kind_token": "", "available": False}
LINES = [
    {"message": "BUILD: spawning, 12 s", "severity": "info", "ephemeral": True},
    {"message": "GET /servers 200 12 ms", "severity": "debug", "ephemeral": False},
]
INPUTS = {"password": "hunter2", "reason": "create Probe web: Quota exceeded. Free some.", "size": 2}
REASON = "No valid host.; Second thing."


def test_create_request_has_urn_and_timeout(plugin: Plugin) -> None:
    """The bridge finds the URN of a create, the names in it, its timeout, and that it is not a preview."""
    found = plugin.serve(Inspecting()).create("web", {}, timeout=90).properties
    assert found["urn"] == URN
    assert (found["stack"], found["project"], found["resource"]) == ("dev", "demo", "web")
    assert found["kind_token"] == "pulumi-python:dynamic/ecs:Probe"
    assert found["timeout"] == 90
    assert found["preview"] is False
    assert found["available"] is True


def test_unset_timeout_is_none(plugin: Plugin) -> None:
    """The engine sends 0 for an unset timeout; the bridge returns None."""
    assert "timeout" not in plugin.serve(Inspecting()).create("web", {}).properties


def test_urn_with_separator_in_name_and_parent_type(plugin: Plugin) -> None:
    """The name may contain the separator of the URN, and the type may contain the types of parents."""
    found = plugin.serve(Inspecting(), "my:Lab$pulumi-python:dynamic/ecs:Probe").create("a::b", {}).properties
    assert found["resource"] == "a::b"
    assert found["kind_token"] == "pulumi-python:dynamic/ecs:Probe"


def test_check_request_has_random_seed(plugin: Plugin) -> None:
    """The bridge finds the URN and the random seed of a check."""
    found = plugin.serve(Inspecting()).check("web", {}, random_seed=b"one")
    assert (found["random_seed"], found["urn"]) == ("one", URN)


def test_diff_update_and_read_requests_have_old_inputs(plugin: Plugin) -> None:
    """The bridge finds the prior inputs as plain values, with secrets in clear."""
    served, old = plugin.serve(Inspecting()), {"size": 1, "key": secret({"inner": "s3cret"})}
    plain = {"size": 1, "key": {"inner": "s3cret"}}
    assert served.update("web", "made", {}, {}, old_inputs=old)["old_inputs"] == plain
    assert served.read("web", "made", {"size": 3}, old).properties["old_inputs"] == plain
    difference = served.diff("web", "made", {}, {}, old_inputs=old, ignore_changes=["size"])
    found = json.loads(difference.replaces[0])
    assert (found["old_inputs"], found["ignore_changes"]) == (plain, ["size"])


def test_missing_old_inputs_are_none(plugin: Plugin) -> None:
    """Prior inputs that the engine did not send are None, not empty."""
    assert "old_inputs" not in plugin.serve(Inspecting()).update("web", "made", {}, {})


def test_read_request_distinguishes_refresh_and_get(plugin: Plugin) -> None:
    """`has_state` is true for a refresh, and false for `.get` in a program."""
    served = plugin.serve(Inspecting())
    assert served.read("web", "made", {"size": 3}).properties["has_state"] is True
    assert served.read("web", "made", None).properties["has_state"] is False


def test_setting_names_of_all_namespaces() -> None:
    """`setting_names` returns the names in all namespaces, from the SDK's private map; none if it is missing."""
    config = Config(raw_config={"ecs:regoin": "x", "shop:size": "1"}, project_name="shop")
    assert rpc_bridge.setting_names(config) == ("ecs:regoin", "shop:size")
    assert rpc_bridge.setting_names(object()) == ()


def test_can_keep_state_only_in_create_and_update(plugin: Plugin) -> None:
    """The engine records the resource of a failed request only for a create and an update."""
    served = plugin.serve(Inspecting())
    assert served.create("web", {}).properties["can_keep"] is True
    assert served.update("web", "made", {}, {})["can_keep"] is True
    assert served.read("web", "made", {}).properties["can_keep"] is False
    assert served.check("web", {})["can_keep"] is False
    with pytest.raises(Failed, match=r"^web 7\.0 False$"):
        served.delete("web", "made", {}, timeout=7)


@pytest.mark.parametrize("verb", ["check", "diff", "create", "read", "update", "delete"])
def test_failure_shows_only_the_reason(plugin: Plugin, verb: str) -> None:
    """The user is shown only the reason of a failure, and no other part of the error is sent."""
    failed = _failure(plugin, verb)
    assert failed.message == INPUTS["reason"]
    assert not failed.recorded
    assert "hunter2" not in failed.traceback
    assert plugin.printed() == ""


@pytest.mark.parametrize("verb", ["check", "diff", "create", "read", "update", "delete"])
def test_without_bridge_reason_is_last_line_of_traceback(renamed: Plugin, verb: str) -> None:
    """Without the bridge the reason is the last line of the traceback, which contains no secrets."""
    failed = _failure(renamed, verb)
    assert failed.message.strip().splitlines()[-1].endswith(f": {INPUTS['reason']}")
    assert "hunter2" not in failed.traceback
    assert renamed.printed() == ""


def test_failed_create_is_recorded(plugin: Plugin) -> None:
    """The engine receives id, outputs, inputs and reasons of a failed create."""
    with pytest.raises(Failed) as caught:
        plugin.serve(Recording()).create("web", INPUTS)
    failed = caught.value
    assert (failed.recorded, failed.id) == (True, "made")
    assert failed.properties == {**INPUTS, "status": "ERROR"}
    assert failed.inputs == INPUTS
    assert failed.reasons == ["No valid host.", "Second thing."]
    assert failed.message == REASON
    assert "hunter2" not in failed.traceback


def test_reason_is_shown_before_and_after_engine_error(plugin: Plugin) -> None:
    """The reason is shown beside the resource before the engine's own line, "1 error occurred:", and again after it."""
    with pytest.raises(Failed):
        plugin.serve(Recording()).create("shown", INPUTS)

    def shown() -> list[Any]:
        return [line for line in plugin.engine.lines if line.urn.endswith("::shown")]

    first = shown()[0]
    assert (first.message, first.severity, first.ephemeral) == (REASON, 3, True)
    end = time.monotonic() + 30
    while len(shown()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert shown() == [first, first]


def test_failed_update_is_recorded(plugin: Plugin) -> None:
    """The engine receives id and outputs of a failed update."""
    with pytest.raises(Failed) as caught:
        plugin.serve(Recording()).update("web", "old-id", {}, INPUTS)
    failed = caught.value
    assert (failed.recorded, failed.id) == (True, "old-id")
    assert failed.properties == {**INPUTS, "status": "ERROR"}


def test_large_object_is_recorded(plugin: Plugin) -> None:
    """A failed resource with user data of 500,000 characters is recorded."""
    large = {**INPUTS, "user_data": "x" * 500_000}
    with pytest.raises(Failed) as caught:
        plugin.serve(Recording()).create("web", large)
    assert caught.value.properties["user_data"] == large["user_data"]


def test_without_bridge_failed_create_is_not_recorded(renamed: Plugin) -> None:
    """Without the bridge `can_keep_state` is false, nothing is recorded, and the message has all reasons."""
    assert renamed.serve(Inspecting()).create("web", {}).properties["can_keep"] is False
    with pytest.raises(Failed) as caught:
        renamed.serve(Recording()).create("web", INPUTS)
    assert not caught.value.recorded
    assert caught.value.message.strip().endswith(REASON)


def test_without_bridge_request_is_empty(renamed: Plugin) -> None:
    """Without the bridge the resource, the timeout, the seed and the prior inputs are empty."""
    served = renamed.serve(Inspecting())
    created = served.create("web", {}, timeout=90).properties
    assert {name: created[name] for name in WITHOUT_BRIDGE} == WITHOUT_BRIDGE
    assert "timeout" not in created
    assert "preview" not in created
    assert served.check("web", {}, random_seed=b"one")["random_seed"] == ""
    assert "old_inputs" not in served.update("web", "made", {}, {}, old_inputs={"size": 1})


def test_log_lines_reach_engine(plugin: Plugin) -> None:
    """Status and debug lines from another thread reach the engine in order, with the URN of the resource."""
    plugin.engine.lines.clear()
    plugin.serve(Logging()).create("web", {"lines": LINES})
    status, debug = plugin.engine.lines
    assert (status.message, status.urn, status.ephemeral) == ("BUILD: spawning, 12 s", URN, True)
    assert (debug.message, debug.ephemeral) == ("GET /servers 200 12 ms", False)
    assert (status.severity, debug.severity) == (1, 0)


def test_engine_address_after_flags() -> None:
    """The address of the engine is found after flags, as with `pulumi up --logflow -v=9`."""
    with Plugin(command=("-u", "-m", "pulumi.dynamic", "--logtostderr", "-v=9")) as verbose:
        verbose.serve(Logging()).create("web", {"lines": LINES})
        assert len(verbose.engine.lines) == len(LINES)


def test_engine_is_connected_without_proxy() -> None:
    """The connection to the engine does not use the proxy in the environment variables."""
    proxies = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    with Plugin(env=proxies) as proxied:
        proxied.serve(Logging()).create("web", {"lines": LINES})
        assert len(proxied.engine.lines) == len(LINES)


def test_log_ignores_closed_engine() -> None:
    """A line that cannot be delivered is dropped, and the operation continues."""
    with Plugin() as orphan:
        orphan.engine.close()
        assert orphan.serve(Logging()).create("web", {"lines": LINES}).id == "made"
        assert orphan.printed() == ""


def test_log_without_engine_drops_lines(renamed: Plugin) -> None:
    """If the process has no address of an engine, `log` does nothing."""
    renamed.serve(Logging()).create("web", {"lines": LINES})
    assert renamed.engine.lines == []


def test_forty_creates_run_concurrently(plugin: Plugin) -> None:
    """Forty creates that arrive at the same time, as the first of the run, are served concurrently."""
    responses = _create_forty(plugin.serve(Counting()), {"expected": 40, "seconds": 30})
    assert all(response.properties["widened"] for response in responses)
    assert max(response.properties["peak"] for response in responses) == 40


def test_queued_requests_get_new_workers() -> None:
    """Requests that were queued before the pool was enlarged are served by the new workers."""
    all_submitted, all_running = threading.Event(), threading.Barrier(8)

    def serve() -> None:
        all_submitted.wait()
        rpc_bridge.set_max_workers(8)
        all_running.wait(timeout=30)

    with ThreadPoolExecutor(4) as pool:
        served = [pool.submit(serve) for _ in range(8)]
        all_submitted.set()
        assert [each.result() for each in served] == [None] * 8


def test_worker_with_queued_request_is_not_idle() -> None:
    """A worker that continues with a queued request is not counted as idle, so the next request gets a new thread."""
    queued, enlarged, all_running = threading.Event(), threading.Event(), threading.Barrier(3)

    def enlarge() -> None:
        rpc_bridge.set_max_workers(3)
        enlarged.set()
        all_running.wait(timeout=30)

    with ThreadPoolExecutor(1) as pool:
        served: list[Future[Any]] = [pool.submit(queued.wait), pool.submit(enlarge)]
        queued.set()
        enlarged.wait()
        served += [pool.submit(all_running.wait, 30) for _ in range(2)]
        for each in served:
            each.result()


def test_without_bridge_four_creates_run_concurrently(renamed: Plugin) -> None:
    """Without the bridge the host's pool of four workers is used, and `set_max_workers` returns false."""
    responses = _create_forty(renamed.serve(Counting()), {"expected": 40, "seconds": 0.1})
    assert not any(response.properties["widened"] for response in responses)
    assert max(response.properties["peak"] for response in responses) == 4


ENDING = """
import threading
from concurrent.futures import ThreadPoolExecutor

from ecs_pulumi.dynamic import rpc_bridge

rpc_bridge.suppress_shutdown_traceback()
workers = ThreadPoolExecutor()


def serve():
    threading.main_thread().join()
    {last}


threading.Thread(target=serve).start()
"""


@pytest.mark.parametrize(("last", "expected"), [("workers.submit(int)", ""), ("workers.missing()", "AttributeError")])
def test_interrupted_host_ends_without_traceback(last: str, expected: str) -> None:
    """A request after the workers have ended prints no traceback. Any other error in a thread does."""
    command = [sys.executable, "-c", ENDING.format(last=last)]
    output = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60).stderr
    assert (expected in output) if expected else output == ""


def test_outside_of_host() -> None:
    """A direct call outside of a host, as in a test, finds no request and raises no error."""
    assert rpc_bridge.current_request() == rpc_bridge.RequestContext()
    assert not rpc_bridge.can_keep_state()
    assert not rpc_bridge.set_max_workers()
    rpc_bridge.log(URN, "a line", severity="error")
    with pytest.raises(rpc_bridge.Failure, match=r"^the reason$"):
        rpc_bridge.fail("the reason")
    with pytest.raises(rpc_bridge.Failure, match=r"^one; two$"):
        rpc_bridge.fail_with_state("id", {}, {}, ["one", "two"])


def _failure(plugin: Plugin, verb: str) -> Failed:
    served = plugin.serve(Failing())
    calls: dict[str, Any] = {
        "check": lambda: served.check("web", INPUTS),
        "diff": lambda: served.diff("web", "made", {}, INPUTS),
        "create": lambda: served.create("web", INPUTS),
        "read": lambda: served.read("web", "made", INPUTS),
        "update": lambda: served.update("web", "made", {}, INPUTS),
        "delete": lambda: served.delete("web", "made", INPUTS),
    }
    with pytest.raises(Failed) as caught:
        calls[verb]()
    return caught.value


def _create_forty(served: Served, inputs: dict[str, Any]) -> list[ResourceState]:
    with ThreadPoolExecutor(40) as clients:
        return list(clients.map(lambda number: served.create(f"web-{number}", inputs), range(40)))
