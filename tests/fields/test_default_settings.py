"""`ecs:defaultTags` and `ecs:defaultMetadata`: values that settings add to an input of every resource that has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.rpc_bridge import ADDED_KEY, _warned
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.registry import handlers
from tests.fields.assertions import assert_complete, assert_no_changes
from tests.fields.test_common import SPECIMENS
from tests.fields.test_versions import forced_version
from tests.support.messages import recorded
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, Resource, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecs_pulumi.resources.clients import Context
    from tests.fields.cloud_fixtures import CloudFixtures

    New = Callable[..., Resource]

TAGGED = ["Network", "Subnet", "SecurityGroup", "Port", "Router", "Server", "FloatingIp"]
WITH_METADATA = ["Volume", "Server"]
DEFAULTS: dict[str, Any] = {"tags": ["dev", "shop"], "metadata": {"owner": "shop", "stage": "dev"}}
OWN: dict[str, Any] = {"tags": ["mine", "dev"], "metadata": {"mine": "1", "stage": "own"}}
MERGED: dict[str, Any] = {"tags": ["mine", "dev", "shop"], "metadata": {"mine": "1", "stage": "own", "owner": "shop"}}
CASES = [(kind, "tags") for kind in TAGGED] + [(kind, "metadata") for kind in WITH_METADATA]
each_label = pytest.mark.parametrize(("kind", "name"), CASES)


def setting(name: str, value: Any) -> dict[str, str]:
    """Return the setting that adds a value to this input."""
    return {f"ecs:default{name.title()}": value if isinstance(value, str) else json.dumps(value)}


@pytest.fixture
def under(new: New) -> Callable[..., Resource]:
    """Return a function that continues a resource with other settings, or creates one."""

    def continued(resource: Resource | str, settings: dict[str, str] | None = None) -> Resource:
        kind = resource if isinstance(resource, str) else resource.kind
        other = new(kind, config=settings or {})
        if isinstance(resource, Resource):
            other.state, resource.state = resource.state, None
        return other

    return continued


@pytest.fixture(autouse=True)
def warnings() -> Iterator[list[str]]:
    """The warnings of the run."""
    _warned.clear()
    with recorded("warning") as found:
        yield found


def fault(fixtures: CloudFixtures, **fields_: Any) -> None:
    """Make the emulator fail one request."""
    if fixtures.landscape.live:
        pytest.skip("needs an injected fault")
    url = fixtures.landscape.settings["ecs:authUrl"].removesuffix("/v3")
    requests.post(f"{url}/_emulator/faults", json={"times": 1, **fields_}, timeout=10).raise_for_status()


def shown(value: Any) -> Any:
    """Return a value of the input without the order of tags."""
    return sorted(value) if isinstance(value, list) else value


def test_kinds() -> None:
    """The settings apply to every kind that has such an input, and each of them can change it in place."""
    found = [
        (each.name, name) for each in handlers() for name in each.default_settings if name in each.inputs.model_fields
    ]
    assert sorted(found) == sorted(CASES)
    for kind, name in found:
        (handler,) = (each for each in handlers() if each.name == kind)
        assert fields.fields_of(handler.inputs)[name].has(fields.InPlace)


@each_label
def test_values_of_program_and_setting(under: New, fixtures: CloudFixtures, kind: str, name: str) -> None:
    """Tags are a union; of metadata with the same key, the program's has precedence. The cloud has all of them."""
    base = SPECIMENS[kind].inputs(fixtures)
    base.pop(name, None)
    resource = under(kind, setting(name, DEFAULTS[name]))
    program = base | {name: OWN[name]}
    resource.up(**program)
    assert resource.state
    assert resource.state.inputs[name] == MERGED[name]
    assert shown(resource.outputs[name]) == shown(MERGED[name])
    assert_complete(resource, program)
    # An empty value of the program is like none.
    for value in (DEFAULTS[name].__class__(), None):
        step = resource.up(**base | {name: value})
        assert step == (updates(name) if value is not None else SAME)
        assert shown(resource.outputs[name]) == shown(DEFAULTS[name])
    assert_complete(resource, base)


@each_label
def test_changed_setting_updates_each_resource(under: New, fixtures: CloudFixtures, kind: str, name: str) -> None:
    """A new value of the setting is an update; without the setting, what it had added is removed and nothing else."""
    base = SPECIMENS[kind].inputs(fixtures)
    base.pop(name, None)
    resource = under(kind)
    resource.up(**base)
    resource = under(resource, setting(name, DEFAULTS[name]))
    assert resource.preview(**base) == updates(name)
    resource.up(**base)
    assert_complete(resource, base)

    changed = {"tags": ["dev", "new"], "metadata": {"owner": "other"}}[name]
    resource = under(resource, setting(name, changed))
    assert resource.up(**base) == updates(name)
    assert shown(resource.outputs[name]) == shown(changed)
    resource.refresh()

    resource = under(resource)
    assert resource.up(**base) == updates(name)
    assert not resource.outputs[name]
    assert_complete(resource, base)
    assert resource.state
    assert ADDED_KEY not in resource.state.inputs

    resource = under(resource, setting(name, DEFAULTS[name]))
    resource.up(**base | {name: OWN[name]})
    resource = under(resource)
    assert resource.up(**base) == updates(name)
    rest = {"tags": ["mine", "dev"], "metadata": {"mine": "1", "stage": "own"}}[name]
    assert shown(resource.outputs[name]) == shown(rest)
    assert_complete(resource, base)


@pytest.mark.parametrize("kind", ["Network", "Server", "Volume"])
def test_failed_removal_is_repeated(under: New, fixtures: CloudFixtures, kind: str) -> None:
    """If the update that removes values fails, the next `up` removes them."""
    name = "metadata" if kind == "Volume" else "tags"
    base = SPECIMENS[kind].inputs(fixtures)
    base.pop(name, None)
    resource = under(kind, setting(name, DEFAULTS[name]))
    resource.up(**base)
    resource = under(resource)
    fault(fixtures, method="PUT", path=f"*/{name}", status=400)
    with pytest.raises(Failed):
        resource.up(**base)
    resource.up(**base)
    assert not resource.outputs[name]
    assert_complete(resource, base)


def test_ignored_input(under: New, fixtures: CloudFixtures) -> None:
    """With `ignore_changes`, a new resource has the default, and a change of the setting does not change it."""
    del fixtures
    network = under("Network", setting("tags", ["a"]))
    network.ignore_changes = ("tags",)
    network.up(name="fields-ignored")
    assert network.outputs["tags"] == ["a"]
    network = under(network, setting("tags", ["b"]))
    network.ignore_changes = ("tags",)
    assert network.up(name="fields-ignored") == SAME
    assert network.up(name="fields-ignored", description="new") == updates("description")
    assert network.outputs["tags"] == ["a"]
    network.ignore_changes = ()
    network.up(name="fields-ignored", description="new")
    assert network.outputs["tags"] == ["b"]


def test_unknown_values(under: New, fixtures: CloudFixtures) -> None:
    """What is unknown in a preview stays unknown; the rest is merged."""
    network = under("Network", setting("tags", ["a"]))
    checked = network._check({}, {"tags": UNKNOWN})
    assert fields.is_unknown(checked["tags"])
    assert checked[ADDED_KEY] == {"tags": ["a"]}
    first, second = network._check({}, {"tags": [UNKNOWN]})["tags"]
    assert (fields.is_unknown(first), second) == (True, "a")
    volume = under("Volume", setting("metadata", {"a": "1", "b": "2"}))
    metadata = volume._check({}, {"size": 1, "metadata": {"a": UNKNOWN}})["metadata"]
    assert metadata["b"] == "2"
    assert fields.is_unknown(metadata["a"])
    # Another cloud that is not known yet cannot be asked.
    server = under("Server", setting("tags", ["a"]) | forced_version("2"))
    assert server._check({}, fixtures.server_inputs | {"cloud": UNKNOWN})["tags"] == ["a"]


def test_invalid_value_of_program(under: New) -> None:
    """An invalid input is reported as without the setting."""
    with pytest.raises(Refused, match="tags: must be a valid list, got") as refused:
        under("Network", setting("tags", ["a"])).preview(tags="abc")
    assert "ecs:defaultTags" not in str(refused.value)


def test_read_adds_nothing(new: New, under: New) -> None:
    """`get` and a refresh show what the object has."""
    network = new("Network")
    network.up(name="fields-read", tags=["own"])
    reader = under("Network", setting("tags", ["a"]))
    assert reader.get(network.id).outputs["tags"] == ["own"]
    network = under(network, setting("tags", ["a"]))
    network.refresh()
    assert network.outputs["tags"] == ["own"]


def test_import(new: New, under: New) -> None:
    """An import adds the default, and the preview says so before; an object that has it is not changed."""
    existing, imported = new("Network"), under("Network", setting("tags", "a,b"))
    existing.up(name="fields-imported", tags=["own", "a"])
    program = {"name": "fields-imported", "adopt": existing.id, "tags": ["own"]}
    with recorded("info") as notices:
        imported.preview(**program)
    assert f"importing {existing.id} changes it [import-changes: tags]" in notices
    imported.up(**program)
    existing.forget()
    assert shown(imported.outputs["tags"]) == ["a", "b", "own"]
    assert_complete(imported, program)


def test_other_cloud(under: New, fixtures: CloudFixtures) -> None:
    """A resource with a region of its own gets the default as well."""
    network = under("Network", setting("tags", ["a"]))
    program = {"name": "fields-elsewhere", "region": fixtures.region}
    network.up(**program)
    assert network.outputs["tags"] == ["a"]
    assert_no_changes(network, program)


@pytest.mark.parametrize("version", ["2", "2.1"])
def test_servers_without_tags(under: New, fixtures: CloudFixtures, warnings: list[str], version: str) -> None:
    """An API without tags of servers: one warning, no error; tags of the program are an error that names `tags`."""
    config = setting("tags", ["a"]) | forced_version(version)
    program = fixtures.server_inputs
    server, other = under("Server", config), under("Server", config)
    server.up(**program)
    other.preview(**program)
    assert_no_changes(server, program)
    (warning,) = (each for each in warnings if "defaultTags" in each)
    assert warning.startswith(
        "ecs:defaultTags is not applied to resources of kind Server: needs compute microversion 2.26"
    )
    with pytest.raises(Refused, match=r"tags: needs compute microversion 2\.26") as refused:
        other.preview(**program, tags=["mine"])
    assert "defaultTags" not in str(refused.value)
    # A newer API gets them.
    server = under(server, setting("tags", ["a"]))
    assert server.up(**program) == updates("tags")
    # What an older one cannot change stays in the state.
    server = under(server, forced_version(version))
    assert server.preview(**program) == SAME


def test_preview_without_the_cloud(under: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `ecs:preflight` false and no cloud, a preview shows the tags, and only the first server waits for it."""
    unreachable = {"ecs:authUrl": "http://127.0.0.1:9/v3", "ecs:preflight": "false", "ecs:maxRetries": "0"}
    attempts: list[str] = []
    ask = EcsHandler._missing_version

    def counted(context: Context, name: str, since: fields.RequiresMicroversion) -> str | None:
        attempts.append(name)
        return ask(context, name, since)

    monkeypatch.setattr(EcsHandler, "_missing_version", staticmethod(counted))
    for _ in range(3):
        server = under("Server", setting("tags", ["a"]) | unreachable)
        assert server._check({}, fixtures.server_inputs)["tags"] == ["a"]
        assert attempts == ["tags"]


def test_limits_name_the_setting(under: New, fixtures: CloudFixtures) -> None:
    """A limit that the default exceeds names the setting in the preview; a limit that the program exceeds does not."""
    tags = [f"t{number}" for number in range(50)]
    server = under("Server", setting("tags", ["a"]))
    with pytest.raises(Refused, match=r'tags: list must have at most 50 items, not 51 \(ecs:defaultTags adds "a"\)$'):
        server.preview(**fixtures.server_inputs, tags=tags)
    with pytest.raises(Refused, match=r"tags: list must have at most 50 items[^()]*$"):
        server.preview(**fixtures.server_inputs, tags=[*tags, "one more"])
    volume = under("Volume", setting("metadata", {"readonly": "x"}))
    with pytest.raises(Refused, match=r'metadata: `readonly` is written by the cloud .*adds "readonly"\)$'):
        volume.preview(size=1)
    volume = under("Volume", setting("metadata", {"owner": "x"}))
    with pytest.raises(Refused, match=r"metadata: `readonly` is written by the cloud itself; set `read_only`$"):
        volume.preview(size=1, metadata={"readonly": "x"})


def test_no_additional_requests(under: New, fixtures: CloudFixtures) -> None:
    """A server gets its tags and metadata in the request that creates it; a preview without changes sends nothing."""
    if fixtures.landscape.live:
        pytest.skip("reads the request log of the emulator")
    log = f"{fixtures.landscape.settings['ecs:authUrl'].removesuffix('/v3')}/_emulator/requests"

    program = fixtures.server_inputs

    def sent(settings: dict[str, str]) -> tuple[list[str], list[str]]:
        server = under("Server", settings)
        requests.delete(log, timeout=10)
        server.up(**program)
        answered = requests.get(log, timeout=10).json()
        writes = [each["path"] for each in answered if each["method"] != "GET" and "tokens" not in each["path"]]
        requests.delete(log, timeout=10)
        assert server.preview(**program) == SAME
        return writes, requests.get(log, timeout=10).json()

    without = sent({})
    assert sent(setting("tags", ["a"]) | setting("metadata", {"a": "b"})) == without
    assert without[1] == []


def test_refusal_of_cloud_names_the_setting(under: New, fixtures: CloudFixtures) -> None:
    """An error of the API about tags says what the setting adds."""
    body = {"NeutronError": {"type": "TagLimit", "message": "Exceeded maximum amount of tags", "detail": ""}}
    fault(fixtures, method="PUT", path="*/tags", status=400, body=body)
    with pytest.raises(Failed, match=r'Exceeded maximum amount of tags.*\(ecs:defaultTags adds "a", "b"\)$'):
        under("Network", setting("tags", "a, b")).up(name="fields-refused")
