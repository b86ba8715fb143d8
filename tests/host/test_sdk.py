"""What the package relies on in Pulumi's host besides the bridge. It decides which SDK is the oldest supported."""

import base64
import pickletools
from collections.abc import Iterator

import pytest

from tests.host.harness import UNKNOWN, Made, Plugin, secret
from tests.host.probes import Named


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    """A host with settings of its run."""
    with Plugin({"ecs:region": "eu-de", "ecs:password": secret("hunter2")}) as running:
        yield running


def test_a_provider_is_pickled_by_reference(plugin: Plugin) -> None:
    """The state holds where the provider's class is found and the kind's name: no code that grows stale."""
    pickled = base64.b64decode(plugin.serve(Named("Server")).pickle)
    words = {argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)}
    assert words == {"tests.host.probes", "Named", "kind_name", "Server", "configured"}


def test_a_provider_is_configured_once_per_kind_and_run(plugin: Plugin) -> None:
    """Each kind is configured once, before its first request, and reads any namespace, secrets in clear."""
    servers, volumes = plugin.serve(Named("Server")), plugin.serve(Named("Volume"))
    told = [served.create("web", {}).properties for served in (servers, servers, volumes)]
    settings = {"region": "eu-de", "password": "hunter2", "configured": 1}
    assert told == [{**settings, "kind": kind} for kind in ("Server", "Server", "Volume")]


def test_a_check_is_given_what_is_not_known_yet(plugin: Plugin) -> None:
    """Values unknown in a preview arrive as such and can be passed on."""
    inputs = plugin.serve(Named("Server")).check("web", {"size": UNKNOWN})
    assert inputs["sizes_type"] == "Unknown"
    assert isinstance(inputs["size"], type(UNKNOWN))


def test_a_refresh_can_change_the_inputs(plugin: Plugin) -> None:
    """Drift becomes a change of the inputs, which the next preview shows."""
    read = plugin.serve(Named("Server")).read("web", "made", {"size": 2}, {"size": 2})
    assert read == Made("made", {"size": 1, "status": "ACTIVE"}, {"size": 1})


def test_a_get_is_served_where_the_engine_sends_inputs_only(plugin: Plugin) -> None:
    """Engines differ in what they send for `Kind.get(…)`; the newest send no outputs."""
    assert plugin.serve(Named("Server")).read("web", "found", None, {"size": 2}).id == "found"
