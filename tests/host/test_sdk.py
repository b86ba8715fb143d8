"""Behaviour of Pulumi's host that the package needs besides the bridge. It determines the oldest supported SDK."""

import base64
import pickletools
from collections.abc import Iterator

import pytest

from tests.host.harness import UNKNOWN, Plugin, ResourceState, secret
from tests.host.probes import Named


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    """A plugin process with settings."""
    with Plugin({"ecs:region": "eu-de", "ecs:password": secret("hunter2")}) as running:
        yield running


def test_provider_is_pickled_by_reference(plugin: Plugin) -> None:
    """The state contains a reference to the provider's class and the name of the kind, but no code."""
    pickled = base64.b64decode(plugin.serve(Named("Server")).pickle)
    strings = {argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)}
    assert strings == {"tests.host.probes", "Named", "kind_name", "Server", "configured"}


def test_provider_is_configured_once_per_kind(plugin: Plugin) -> None:
    """Each kind is configured once, before its first request. It can read all namespaces, with secrets in clear."""
    servers, volumes = plugin.serve(Named("Server")), plugin.serve(Named("Volume"))
    outputs = [served.create("web", {}).properties for served in (servers, servers, volumes)]
    settings = {"region": "eu-de", "password": "hunter2", "configured": 1}
    assert outputs == [{**settings, "kind": kind} for kind in ("Server", "Server", "Volume")]


def test_check_receives_unknown_values(plugin: Plugin) -> None:
    """A check receives and returns unknown values."""
    inputs = plugin.serve(Named("Server")).check("web", {"size": UNKNOWN})
    assert inputs["sizes_type"] == "Unknown"
    assert isinstance(inputs["size"], type(UNKNOWN))


def test_read_can_change_inputs(plugin: Plugin) -> None:
    """A refresh can return changed inputs, so that the next preview shows the drift."""
    state = plugin.serve(Named("Server")).read("web", "made", {"size": 2}, {"size": 2})
    assert state == ResourceState("made", {"size": 1, "status": "ACTIVE"}, {"size": 1})


def test_get_without_properties(plugin: Plugin) -> None:
    """A read for `Kind.get(…)` works without outputs in the request, as newer engines send it."""
    assert plugin.serve(Named("Server")).read("web", "found", None, {"size": 2}).id == "found"
