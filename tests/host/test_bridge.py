"""What the bridge finds in Pulumi's host, and what is left where it finds nothing."""

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
from tests.host.harness import REPOSITORY, Failed, Made, Plugin, Served, secret
from tests.host.probes import Counting, Failing, Keeping, Reporting, Telling

URN = "urn:pulumi:dev::demo::pulumi-python:dynamic/ecs:Probe::web"
NOTHING = {"urn": "", "resource": "", "stack": "", "project": "", "kind_token": "", "found": False}
LINES = [
    {"message": "BUILD: spawning, 12 s", "severity": "info", "ephemeral": True},
    {"message": "GET /servers 200 12 ms", "severity": "debug", "ephemeral": False},
]
ASKED = {"password": "hunter2", "reason": "create Probe web: Quota exceeded. Free some.", "size": 2}
SAID = "No valid host.; Second thing."


def test_current_knows_resource_and_timeout_of_a_create(plugin: Plugin) -> None:
    """A create tells its URN, everything derived from it, its timeout and that it is no preview."""
    told = plugin.serve(Telling()).create("web", {}, timeout=90).properties
    assert told["urn"] == URN
    assert (told["stack"], told["project"], told["resource"]) == ("dev", "demo", "web")
    assert told["kind_token"] == "pulumi-python:dynamic/ecs:Probe"
    assert told["timeout"] == 90
    assert told["preview"] is False
    assert told["found"] is True


def test_a_timeout_that_is_not_set_is_none(plugin: Plugin) -> None:
    """The engine's 0 for "not set" is no timeout of 0 seconds."""
    assert "timeout" not in plugin.serve(Telling()).create("web", {}).properties


def test_names_and_parents_do_not_confuse_the_urn(plugin: Plugin) -> None:
    """A name may contain the URN's separator, and a type may be nested in its parents' types."""
    told = plugin.serve(Telling(), "my:Lab$pulumi-python:dynamic/ecs:Probe").create("a::b", {}).properties
    assert told["resource"] == "a::b"
    assert told["kind_token"] == "pulumi-python:dynamic/ecs:Probe"


def test_current_knows_the_random_seed_of_a_check(plugin: Plugin) -> None:
    """A check tells the seed that makes automatic names stable, and its URN."""
    told = plugin.serve(Telling()).check("web", {}, random_seed=b"one")
    assert (told["random_seed"], told["urn"]) == ("one", URN)


def test_current_knows_old_inputs_of_diff_update_and_read(plugin: Plugin) -> None:
    """Old inputs come as plain values, with secrets in clear, wherever the request carries them."""
    served, old = plugin.serve(Telling()), {"size": 1, "key": secret({"inner": "s3cret"})}
    plain = {"size": 1, "key": {"inner": "s3cret"}}
    assert served.update("web", "made", {}, {}, old_inputs=old)["old_inputs"] == plain
    assert served.read("web", "made", {"size": 3}, old).properties["old_inputs"] == plain
    difference = served.diff("web", "made", {}, {}, old_inputs=old, ignore_changes=["size"])
    told = json.loads(difference.replaces[0])
    assert (told["old_inputs"], told["ignore_changes"]) == (plain, ["size"])


def test_old_inputs_that_were_not_sent_are_none(plugin: Plugin) -> None:
    """An engine that sends no old inputs is not mistaken for one whose old inputs were empty."""
    assert "old_inputs" not in plugin.serve(Telling()).update("web", "made", {}, {})


def test_current_tells_a_refresh_from_a_get(plugin: Plugin) -> None:
    """A refresh may run without the program, and so with stored settings; a `.get` is part of the program."""
    served = plugin.serve(Telling())
    assert served.read("web", "made", {"size": 3}).properties["has_state"] is True
    assert served.read("web", "made", None).properties["has_state"] is False


def test_the_names_of_all_settings_are_known() -> None:
    """The SDK keeps the settings of every namespace, and only answers for one that is asked for by name."""
    config = Config(raw_config={"ecs:regoin": "x", "shop:size": "1"}, project_name="shop")
    assert rpc_bridge.setting_names(config) == ("ecs:regoin", "shop:size")
    assert rpc_bridge.setting_names(object()) == ()


def test_state_can_be_kept_in_create_and_update_only(plugin: Plugin) -> None:
    """Elsewhere the engine would not know what to do with it."""
    served = plugin.serve(Telling())
    assert served.create("web", {}).properties["can_keep"] is True
    assert served.update("web", "made", {}, {})["can_keep"] is True
    assert served.read("web", "made", {}).properties["can_keep"] is False
    assert served.check("web", {})["can_keep"] is False
    with pytest.raises(Failed, match=r"^web 7\.0 False$"):
        served.delete("web", "made", {}, timeout=7)


@pytest.mark.parametrize("verb", ["check", "diff", "create", "read", "update", "delete"])
def test_a_failure_is_the_reason_alone(plugin: Plugin, verb: str) -> None:
    """Whatever the engine asked, its user is shown one line, and nothing else of the error goes anywhere."""
    failed = _failure(plugin, verb)
    assert failed.message == ASKED["reason"]
    assert not failed.kept
    assert "hunter2" not in failed.traceback
    assert plugin.printed() == ""


@pytest.mark.parametrize("verb", ["check", "diff", "create", "read", "update", "delete"])
def test_without_the_bridge_the_reason_ends_the_traceback(renamed: Plugin, verb: str) -> None:
    """The user finds the reason as the last line, and no secret above it."""
    failed = _failure(renamed, verb)
    assert failed.message.strip().splitlines()[-1].endswith(f": {ASKED['reason']}")
    assert "hunter2" not in failed.traceback
    assert renamed.printed() == ""


def test_a_failed_create_is_kept(plugin: Plugin) -> None:
    """The engine gets id, outputs, inputs and reasons of what a failed create left behind."""
    with pytest.raises(Failed) as caught:
        plugin.serve(Keeping()).create("web", ASKED)
    failed = caught.value
    assert (failed.kept, failed.id) == (True, "made")
    assert failed.properties == {**ASKED, "status": "ERROR"}
    assert failed.inputs == ASKED
    assert failed.reasons == ["No valid host.", "Second thing."]
    assert failed.message == SAID
    assert "hunter2" not in failed.traceback


def test_the_reason_is_shown_beside_the_resource(plugin: Plugin) -> None:
    """Before the engine's own line, "1 error occurred:", and after it for as long as other resources are worked on."""
    with pytest.raises(Failed):
        plugin.serve(Keeping()).create("shown", ASKED)

    def shown() -> list[Any]:
        return [line for line in plugin.engine.lines if line.urn.endswith("::shown")]

    first = shown()[0]
    assert (first.message, first.severity, first.ephemeral) == (SAID, 3, True)
    end = time.monotonic() + 30
    while len(shown()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert shown() == [first, first]


def test_a_failed_update_is_kept(plugin: Plugin) -> None:
    """The state follows an update as far as it came."""
    with pytest.raises(Failed) as caught:
        plugin.serve(Keeping()).update("web", "old-id", {}, ASKED)
    failed = caught.value
    assert (failed.kept, failed.id) == (True, "old-id")
    assert failed.properties == {**ASKED, "status": "ERROR"}


def test_a_large_object_is_kept(plugin: Plugin) -> None:
    """User data and injected files of the largest size do not keep a failed server out of the state."""
    large = {**ASKED, "user_data": "x" * 500_000}
    with pytest.raises(Failed) as caught:
        plugin.serve(Keeping()).create("web", large)
    assert caught.value.properties["user_data"] == large["user_data"]


def test_without_the_bridge_nothing_is_kept_but_all_reasons_are_told(renamed: Plugin) -> None:
    """The provider, which asked `can_keep_state` first, can undo what it did."""
    assert renamed.serve(Telling()).create("web", {}).properties["can_keep"] is False
    with pytest.raises(Failed) as caught:
        renamed.serve(Keeping()).create("web", ASKED)
    assert not caught.value.kept
    assert caught.value.message.strip().endswith(SAID)


def test_without_the_bridge_current_is_empty(renamed: Plugin) -> None:
    """Nothing is known and nothing is guessed: not the resource, the timeout, the seed or the old inputs."""
    served = renamed.serve(Telling())
    created = served.create("web", {}, timeout=90).properties
    assert {name: created[name] for name in NOTHING} == NOTHING
    assert "timeout" not in created
    assert "preview" not in created
    assert served.check("web", {}, random_seed=b"one")["random_seed"] == ""
    assert "old_inputs" not in served.update("web", "made", {}, {}, old_inputs={"size": 1})


def test_lines_reach_the_engine(plugin: Plugin) -> None:
    """Status and debug lines arrive beside their resource, in order, from whatever thread."""
    plugin.engine.lines.clear()
    plugin.serve(Reporting()).create("web", {"lines": LINES})
    status, debug = plugin.engine.lines
    assert (status.message, status.urn, status.ephemeral) == ("BUILD: spawning, 12 s", URN, True)
    assert (debug.message, debug.ephemeral) == ("GET /servers 200 12 ms", False)
    assert (status.severity, debug.severity) == (1, 0)


def test_flags_of_the_engine_do_not_hide_its_address() -> None:
    """`pulumi up --logflow -v=9` puts flags before the address."""
    with Plugin(command=("-u", "-m", "pulumi.dynamic", "--logtostderr", "-v=9")) as verbose:
        verbose.serve(Reporting()).create("web", {"lines": LINES})
        assert len(verbose.engine.lines) == len(LINES)


def test_a_proxy_does_not_hide_the_engine() -> None:
    """The proxy that leads to the cloud is not asked for the way to the engine."""
    proxies = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    with Plugin(env=proxies) as proxied:
        proxied.serve(Reporting()).create("web", {"lines": LINES})
        assert len(proxied.engine.lines) == len(LINES)


def test_an_engine_that_is_gone_does_not_matter() -> None:
    """A line that cannot be delivered is dropped, and the work goes on."""
    with Plugin() as orphan:
        orphan.engine.close()
        assert orphan.serve(Reporting()).create("web", {"lines": LINES}).id == "made"
        assert orphan.printed() == ""


def test_without_an_engine_lines_are_dropped(renamed: Plugin) -> None:
    """Where the process does not know its engine, reporting does nothing."""
    renamed.serve(Reporting()).create("web", {"lines": LINES})
    assert renamed.engine.lines == []


def test_forty_creates_run_at_a_time(plugin: Plugin) -> None:
    """Forty creates that arrive at once, as the first of the run, are all in work at the same time."""
    answers = _many(plugin.serve(Counting()), {"company": 40, "patience": 30})
    assert all(answer.properties["widened"] for answer in answers)
    assert max(answer.properties["peak"] for answer in answers) == 40


def test_requests_that_already_wait_get_workers_too() -> None:
    """What came in before the provider could widen the pool does not stand in line for the first four."""
    all_in, together = threading.Event(), threading.Barrier(8)

    def serve() -> None:
        all_in.wait()
        rpc_bridge.set_max_workers(8)
        together.wait(timeout=30)

    with ThreadPoolExecutor(4) as pool:
        served = [pool.submit(serve) for _ in range(8)]
        all_in.set()
        assert [each.result() for each in served] == [None] * 8


def test_a_worker_that_goes_on_at_once_is_not_taken_for_idle() -> None:
    """Nobody stands in line behind a worker that finished one request and is busy with the next."""
    queued, widened, together = threading.Event(), threading.Event(), threading.Barrier(3)

    def widen() -> None:
        rpc_bridge.set_max_workers(3)
        widened.set()
        together.wait(timeout=30)

    with ThreadPoolExecutor(1) as pool:
        served: list[Future[Any]] = [pool.submit(queued.wait), pool.submit(widen)]
        queued.set()
        widened.wait()
        served += [pool.submit(together.wait, 30) for _ in range(2)]
        for each in served:
            each.result()


def test_without_the_bridge_four_creates_run_at_a_time(renamed: Plugin) -> None:
    """The host's own pool serves, and the provider is told that it was not widened."""
    answers = _many(renamed.serve(Counting()), {"company": 40, "patience": 0.1})
    assert not any(answer.properties["widened"] for answer in answers)
    assert max(answer.properties["peak"] for answer in answers) == 4


ENDING = """
import threading
from concurrent.futures import ThreadPoolExecutor

from ecs_pulumi.dynamic import host

host.end_quietly()
workers = ThreadPoolExecutor()


def serve():
    threading.main_thread().join()
    {last}


threading.Thread(target=serve).start()
"""


@pytest.mark.parametrize(("last", "told"), [("workers.submit(int)", ""), ("workers.lost()", "AttributeError")])
def test_a_host_that_is_interrupted_ends_quietly(last: str, told: str) -> None:
    """Of a request that comes when the workers are gone nobody is told; any other failure of a thread is."""
    ending = [sys.executable, "-c", ENDING.format(last=last)]
    said = subprocess.run(ending, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60).stderr
    assert (told in said) if told else said == ""


def test_outside_a_host_everything_is_harmless() -> None:
    """A direct call, from a test for example, finds nothing and breaks nothing."""
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
        "check": lambda: served.check("web", ASKED),
        "diff": lambda: served.diff("web", "made", {}, ASKED),
        "create": lambda: served.create("web", ASKED),
        "read": lambda: served.read("web", "made", ASKED),
        "update": lambda: served.update("web", "made", {}, ASKED),
        "delete": lambda: served.delete("web", "made", ASKED),
    }
    with pytest.raises(Failed) as caught:
        calls[verb]()
    return caught.value


def _many(served: Served, inputs: dict[str, Any]) -> list[Made]:
    with ThreadPoolExecutor(40) as clients:
        return list(clients.map(lambda number: served.create(f"web-{number}", inputs), range(40)))
