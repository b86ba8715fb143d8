"""The dynamic provider, tested with the handler of an imaginary kind that uses no cloud."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from unittest import mock

import grpc
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.output import UNKNOWN
from pulumi.runtime.proto import provider_pb2
from pydantic import Field

from ecs_pulumi.dynamic import fields, rpc_bridge, run, state, status
from ecs_pulumi.dynamic.fields import Advisory, Computed, GrowOnly, InPlace, Inputs, Outputs, Problem, Replace, Secret
from ecs_pulumi.dynamic.handler import OperationContext, ResourceHandler, is_auto_name
from ecs_pulumi.dynamic.ownership import ObjectKey, Ownership
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.dynamic.rpc_bridge import Failure
from ecs_pulumi.dynamic.state import Owner, StackState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

RemoteObject = dict[str, Any]
STACK = "urn:pulumi:test::story::pulumi-python:dynamic/ecs:Cake"


class OvenError(Exception):
    """An error that the handler can format."""


class CakeInputs(Inputs):
    """Inputs with every field option that the provider uses."""

    flour: Annotated[str, Replace()]
    name: Annotated[str | None, InPlace()] = None
    layers: Annotated[int, GrowOnly()] = 1
    plate: Annotated[str | None, Replace(), Computed(), Advisory()] = None
    shelf: Annotated[str | None, Replace(), Computed()] = None
    toppings: Annotated[list[dict[str, str]] | None, InPlace(), fields.Set()] = None
    recipe: Annotated[str | None, InPlace(), Secret(), fields.WriteOnly()] = Field(None, min_length=3)


class CakeOutputs(Outputs):
    """Outputs that are not inputs."""

    status: str | None = None


class _Bakery(ResourceHandler[None, CakeInputs, RemoteObject]):
    """A handler with its objects in a dictionary. `errors` maps a step to the error that it raises."""

    name = "Cake"
    inputs = CakeInputs
    outputs = CakeOutputs
    timeout = 7.0

    def __init__(self) -> None:
        self.cakes: dict[str, RemoteObject] = {}
        self.errors: dict[str, Exception] = {}
        self.steps: list[str] = []
        self.preflight_verbs: list[str] = []

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.errors:
            raise self.errors[name]

    def connect(
        self, config: Callable[[str], str | None], region: str | None, timeout: float, cloud: str | None = None
    ) -> None:
        raise AssertionError("the provider must not connect to a cloud")

    def format_error(self, error: Exception) -> str | None:
        return str(error) if isinstance(error, OvenError) else None

    def preview_warning(self, error: Exception) -> str | None:
        return "could not check" if "offline" in str(error) else None

    def stored_settings_hint(self, error: Exception) -> str | None:
        return "Stored settings are used." if "locked" in str(error) else None

    def preflight_disabled(self, config: Callable[[str], str | None]) -> str | None:
        if "settings" in self.errors:
            raise self.errors["settings"]
        return "nothing was tasted" if config("bakery:preflight") == "off" else None

    def setting_warnings(self, names: Iterable[str]) -> list[str]:
        return [f"no setting {name}" for name in names if name == "ecs:oven"]

    def validate(self, checked: fields.CheckInputs) -> Iterator[Problem]:
        if checked.known("flour") == checked.known("name") is not None:
            yield Problem("name", "not a name")

    def preflight(self, context: OperationContext[None], checked: fields.CheckInputs) -> Iterator[Problem]:
        self.preflight_verbs.append(context.verb)
        self.step("preflight")
        if checked.known("flour") == "sand":
            yield Problem("flour", "there is no flour sand")

    def tainted(self, context: OperationContext[None], id_: str, prior: Mapping[str, Any]) -> list[str]:
        self.step("tainted")
        return ["status"] if prior.get("status") == "burnt" else []

    def pending_work(self, prior: Mapping[str, Any]) -> str | None:
        return "it still has to be cooled" if prior.get("status") == "hot" else None

    def delete_before_replace(
        self, context: OperationContext[None], prior: Mapping[str, Any], new: Mapping[str, Any]
    ) -> bool:
        return new.get("plate") is not None

    def create(self, context: OperationContext[None], desired: CakeInputs) -> RemoteObject:
        self.step("create")
        cake = {**fields.to_plain(desired), "id": "c1", "status": "baked", "shelf": desired.shelf or "s1"}
        self.cakes["c1"] = cake
        context.record_id("c1")
        self.step("wait")
        return cake

    def read_cached(self, context: OperationContext[None], id_: str) -> RemoteObject | None:
        self.step("read")
        return self.cakes.get(id_)

    def to_outputs(self, context: OperationContext[None], remote: RemoteObject) -> dict[str, Any]:
        return {key: value for key, value in remote.items() if key not in ("id", "recipe")}

    def update(
        self, context: OperationContext[None], id_: str, desired: CakeInputs, prior: Mapping[str, Any]
    ) -> RemoteObject:
        self.step("update")
        self.cakes[id_] |= {key: value for key, value in fields.to_plain(desired).items() if key != "adopt"}
        return self.cakes[id_]

    def delete(self, context: OperationContext[None], id_: str, prior: Mapping[str, Any]) -> None:
        self.step("delete")
        self.cakes.pop(id_, None)


@pytest.fixture
def bakery(monkeypatch: pytest.MonkeyPatch) -> _Bakery:
    """The handler that the provider finds for every kind."""
    handler = _Bakery()
    monkeypatch.setattr("ecs_pulumi.dynamic.provider.get_handler", lambda _: handler)
    return handler


@pytest.fixture
def provider(bakery: _Bakery) -> Provider:
    """The provider of the handler, in a stack without settings."""
    return configured({})


def configured(settings: Mapping[str, str]) -> Provider:
    """Return a provider that is configured with these settings."""
    provider = Provider("Cake")
    provider.configure(ConfigureRequest(config=SimpleNamespace(get=settings.get)))  # type: ignore[arg-type]
    return provider


class Kept(Exception):  # noqa: N818
    """Raised instead of the failure that records a resource in the state."""

    def __init__(self, id_: str, properties: Mapping[str, Any], inputs: Mapping[str, Any], reasons: list[str]) -> None:
        super().__init__(*reasons)
        self.id, self.properties, self.inputs, self.reasons = id_, properties, inputs, reasons


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    """A working bridge: a failed operation can record the resource in the state."""

    def keep(id_: str, properties: Mapping[str, Any], inputs: Mapping[str, Any], reasons: list[str]) -> NoReturn:
        raise Kept(id_, properties, inputs, reasons)

    monkeypatch.setattr(rpc_bridge, "can_keep_state", lambda: True)
    monkeypatch.setattr(rpc_bridge, "fail_with_state", keep)


def failures(provider: Provider, news: dict[str, Any], olds: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Return the failures of a check."""
    return [(failure.property, failure.reason) for failure in provider.check(olds or {}, news).failures]


# ---------------------------------------------------------------- check


def test_check_generates_name_once(provider: Provider) -> None:
    """A new resource without a name gets an automatic one, and later checks keep it."""
    first = provider.check({}, {"flour": "rye"}).inputs
    assert is_auto_name(first["name"], "ecs")
    assert provider.check(first, {"flour": "rye"}).inputs == first


def test_check_generates_no_name_for_imported_object(provider: Provider) -> None:
    """An imported object keeps its name if the program sets none."""
    assert "name" not in provider.check({}, {"flour": "rye", "adopt": "c1"}).inputs
    assert "name" not in provider.check({"flour": "rye"}, {"flour": "rye"}).inputs


@pytest.fixture
def stack_reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Requests of a resource that the state contains; the reads of the state."""
    request = rpc_bridge.RequestContext(urn=f"{STACK}::cake")
    reads: list[object] = []

    def read(*stack: object) -> StackState:
        reads.append(stack)
        resource = {"urn": request.urn, "type": "pulumi-python:dynamic/ecs:Cake", "id": "c1"}
        return StackState([resource], {ObjectKey("Cake", "", "c1"): [Owner(request.urn)]})

    monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
    monkeypatch.setattr(state, "read", read)
    monkeypatch.setattr("ecs_pulumi.dynamic.provider._existing", set())
    monkeypatch.setattr(run, "_checked_as_new", set())
    return reads


def test_forced_replacement_creates_an_imported_object(provider: Provider, stack_reads: list[object]) -> None:
    """The replacement of an imported object is created, also if the engine checks it without its prior inputs."""
    assert "adopt" not in provider.check({}, {"flour": "rye", "adopt": "c1"}).inputs
    assert ("story", "test") in stack_reads


def test_first_check_with_prior_inputs_keeps_the_import(provider: Provider, stack_reads: list[object]) -> None:
    """The second check of such a resource, without them, is that of its replacement."""
    imported = {"flour": "rye", "adopt": "c1"}
    assert provider.check(imported, imported).inputs["adopt"] == "c1"
    assert "adopt" not in provider.check({}, imported).inputs
    assert stack_reads == []


def test_check_without_import_does_not_read_the_state(provider: Provider, stack_reads: list[object]) -> None:
    """The state is read only for an import, because reading it takes time."""
    provider.check({}, {"flour": "rye"})
    assert stack_reads == []


def test_check_without_prior_inputs_of_existing_resource_is_a_replacement(
    provider: Provider, stack_reads: list[object]
) -> None:
    """The engine checks a resource that `--replace` names as a new one."""
    urn = rpc_bridge.current_request().urn
    provider.check({"flour": "rye"}, {"flour": "rye"})
    assert not run.replaces(urn, "Cake", "c1")
    provider.check({}, {"flour": "rye"})
    assert run.replaces(urn, "Cake", "c1")


def test_check_ignores_internal_properties(provider: Provider) -> None:
    """The property `__provider`, which the host adds, is neither an input nor a problem."""
    assert failures(provider, {"flour": "rye", "__provider": "…"}) == []


def test_check_rejects_smaller_value_of_grow_only_field(provider: Provider) -> None:
    """Check rejects a smaller value of a `GrowOnly` field. It accepts a larger or an unknown value."""
    prior = {"flour": "rye", "layers": 3.0, "name": "a"}
    assert failures(provider, {"flour": "rye", "layers": 2.0}, prior) == [
        ("layers", "can only grow: it is 3 and the program sets 2")
    ]
    assert failures(provider, {"flour": "rye", "layers": 4.0}, prior) == []
    assert failures(provider, {"flour": "rye", "layers": UNKNOWN}, prior) == []


def test_validate_treats_invalid_input_as_unknown(provider: Provider) -> None:
    """An input with a wrong type is reported once, because the handler's rules see it as unknown."""
    assert failures(provider, {"flour": "rye", "name": "rye"}) == [("name", "not a name")]
    assert failures(provider, {"flour": ["rye"], "name": "rye"}) == [("", "flour: must be a valid string")]


def test_check_failure_hides_value_of_secret_and_list(provider: Provider) -> None:
    """A failure of a secret or a list names no property, because the engine would print the value of the property."""
    assert failures(provider, {"flour": ["rye"]}) == [("", "flour: must be a valid string")]
    assert failures(provider, {"flour": "rye", "recipe": "no"}) == [
        ("", "recipe: string must have at least 3 characters")
    ]


def test_preflight_runs_only_for_changed_valid_inputs(provider: Provider, bakery: _Bakery) -> None:
    """The preflight check runs for new or changed inputs, but not for unchanged or invalid ones."""
    inputs = provider.check({}, {"flour": "rye", "name": "a"}).inputs
    assert bakery.preflight_verbs == ["check"]
    provider.check(inputs, {"flour": "rye", "name": "a"})
    provider.check(inputs, {"flour": 1, "name": ["b"]})
    assert bakery.preflight_verbs == ["check"]
    assert failures(provider, {"flour": "sand"}) == [("flour", "there is no flour sand")]


def test_preflight_can_be_disabled(bakery: _Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the settings disable preflight checks, none runs, and a warning is shown."""
    warnings: list[str] = []
    monkeypatch.setattr(rpc_bridge, "warn_once", warnings.append)
    configured({"bakery:preflight": "off"}).check({}, {"flour": "sand"})
    assert bakery.preflight_verbs == []
    assert warnings == ["nothing was tasted"]


def test_invalid_setting_fails_check_with_one_line(provider: Provider, bakery: _Bakery) -> None:
    """A check with an invalid setting fails with the message that the handler formats."""
    bakery.errors["settings"] = OvenError("bakery:preflight: 'maybe' is neither true nor false")
    with pytest.raises(Failure, match=r"^check Cake ecs-[0-9a-f]{8}: bakery:preflight: 'maybe' is neither true nor"):
        provider.check({}, {"flour": "rye"})


def test_stored_settings_hint_only_without_program(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint on stored settings is only added to an error before a check shows that the engine runs the program."""
    monkeypatch.setattr("ecs_pulumi.dynamic.run._program", threading.Event())
    bakery.errors["delete"] = OvenError("locked")
    with pytest.raises(Failure, match=r"^delete Cake c1: locked Stored settings are used\.$"):
        provider.delete("c1", {})
    # An entry of clouds.yaml is read on every run.
    with pytest.raises(Failure, match=r"^delete Cake c1 \(cloud 'other'\): locked$"):
        provider.delete("c1", {"cloud": "other"})
    provider.check({}, {"flour": "rye"})
    with pytest.raises(Failure, match=r"^delete Cake c1: locked$"):
        provider.delete("c1", {})


def test_configure_warns_about_setting_names(bakery: _Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    """`configure` shows the handler's warnings about the names of all settings.

    If the SDK's private map of the settings is missing, it shows none.
    """
    warnings: list[str] = []
    monkeypatch.setattr(rpc_bridge, "warn_once", warnings.append)
    config = Config(raw_config={"ecs:oven": "hot", "ecs:region": "x"}, project_name="bakery")
    Provider("Cake").configure(ConfigureRequest(config=config))
    configured({"ecs:oven": "hot"})
    assert warnings == ["no setting ecs:oven"]


def test_preflight_error_is_warning_or_failure(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preflight error is shown as the handler's warning for it. Without a warning the check fails with one line."""
    warnings: list[str] = []
    monkeypatch.setattr(rpc_bridge, "warn_once", warnings.append)
    bakery.errors["preflight"] = OvenError("offline")
    assert failures(provider, {"flour": "rye"}) == []
    assert warnings == ["could not check"]
    bakery.errors["preflight"] = OvenError("wrong password")
    with pytest.raises(Failure, match=r"^check Cake ecs-[0-9a-f]{8}: wrong password$"):
        provider.check({}, {"flour": "rye"})


# ---------------------------------------------------------------- diff


def test_diff_does_not_connect_to_cloud(provider: Provider) -> None:
    """A diff compares the prior outputs with the desired inputs and does not connect."""
    result = provider.diff("c1", {"flour": "rye", "name": "a"}, {"flour": "rye", "name": "b"})
    assert (result.changes, result.replaces) == (True, [])


@pytest.mark.parametrize(
    ("prior", "new", "changes", "replaces", "first"),
    [
        ({"flour": "rye"}, {"flour": "rye"}, False, [], False),
        ({"flour": "rye"}, {"flour": "oat"}, True, ["flour"], False),
        ({"flour": "rye"}, {"flour": "oat", "plate": "p"}, True, ["flour"], True),
        ({"flour": "rye"}, {"flour": UNKNOWN}, True, ["flour"], False),
        ({"flour": "rye", "shelf": "s1"}, {"flour": "rye"}, False, [], False),
        ({"flour": "rye", "name": "a"}, {"flour": "rye", "name": None}, False, [], False),
        ({"flour": "rye", "adopt": "c1"}, {"flour": "rye", "adopt": "c2"}, False, [], False),
        ({"flour": "rye", "status": "burnt"}, {"flour": "rye"}, True, ["status"], True),
        ({"flour": "rye", "status": "burnt"}, {"flour": "oat"}, True, ["flour", "status"], True),
    ],
)
def test_diff(
    provider: Provider,
    prior: dict[str, Any],
    new: dict[str, Any],
    changes: bool,  # noqa: FBT001
    replaces: list[str],
    first: bool,  # noqa: FBT001
) -> None:
    """An unset input and `adopt` are no changes. Conflicting and tainted objects are deleted before the replacement."""
    result = provider.diff("c1", prior, new)
    assert (result.changes, result.replaces, result.delete_before_replace) == (changes, replaces, first)


def test_diff_shows_an_error_as_one_line(provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in a comparison fails the diff with one line, as any other error does."""
    monkeypatch.setattr(bakery, "is_equal", lambda *_: 1 // 0)
    with pytest.raises(Failure, match=r"^diff Cake c1: internal error .*: ZeroDivisionError at test_provider\.py:\d+$"):
        provider.diff("c1", {"flour": "rye"}, {"flour": "oat"})


def test_diff_compares_advisory_input_with_prior_input(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another remote value of an advisory input is not drift. Another desired value is a change."""
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: rpc_bridge.RequestContext(old_inputs={"plate": "p1"}))
    assert not provider.diff("c1", {"flour": "rye", "plate": "p9"}, {"flour": "rye", "plate": "p1"}).changes
    assert provider.diff("c1", {"flour": "rye", "plate": "p9"}, {"flour": "rye", "plate": "p2"}).replaces == ["plate"]


def test_diff_reports_pending_work(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pending work causes an update, and a notice with the reason, unless an input changes as well."""
    notices: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, line, **__: notices.append(line))
    result = provider.diff("c1", {"flour": "rye", "status": "hot"}, {"flour": "rye"})
    assert (result.changes, result.replaces, notices) == (True, [], ["it still has to be cooled"])
    provider.diff("c1", {"flour": "rye", "name": "a", "status": "hot"}, {"flour": "rye", "name": "b"})
    assert notices == ["it still has to be cooled"]


# ---------------------------------------------------------------- create and adopt


def test_create_returns_inputs_and_remote_values(provider: Provider) -> None:
    """The outputs contain the values that the API returns, and the desired values that it does not return."""
    result = provider.create({"flour": "rye", "layers": 1.0, "recipe": "hush", "__provider": "…"})
    assert result.id == "c1"
    assert result.outs is not None
    assert {key: value for key, value in result.outs.items() if value is not None} == {
        "flour": "rye",
        "layers": 1,
        "recipe": "hush",
        "shelf": "s1",
        "status": "baked",
    }


def test_created_object_is_not_replaced_by_its_run(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, stack_reads: list[object]
) -> None:
    """The engine checks a new resource without prior inputs, as one to be replaced; its id shows the difference."""
    monkeypatch.setattr(run, "_created", set())
    urn = rpc_bridge.current_request().urn
    provider.check({}, {"flour": "rye"})
    assert run.replaces(urn, "Cake", "c1")
    assert provider.create({"flour": "rye"}).id == "c1"
    assert not run.replaces(urn, "Cake", "c1")


def test_adopt_imports_without_change(provider: Provider, bakery: _Bakery) -> None:
    """An object that equals the desired inputs is imported without a change."""
    bakery.cakes["c7"] = {"flour": "rye", "layers": 1, "name": "mine"}
    result = provider.create({"adopt": "c7", "flour": "rye", "layers": 1})
    assert (result.id, bakery.steps) == ("c7", ["read"])
    assert result.outs is not None
    assert result.outs["name"] == "mine"


def test_adopt_changes_object_in_place(provider: Provider, bakery: _Bakery) -> None:
    """Differences of an imported object that need no replacement are changed. Values not returned are ignored."""
    bakery.cakes["c7"] = {"flour": "rye", "layers": 1, "name": "mine"}
    provider.create({"adopt": "c7", "flour": "rye", "name": "ours", "layers": 1, "plate": "p"})
    assert bakery.steps == ["read", "update"]
    assert bakery.cakes["c7"]["name"] == "ours"


def test_adopt_fails_if_replacement_is_required(provider: Provider, bakery: _Bakery) -> None:
    """The import of an object that would have to be replaced fails. The error names the differences."""
    bakery.cakes["c7"] = {"flour": "rye", "shelf": None}
    with pytest.raises(Failure) as failed:
        provider.create({"adopt": "c7", "flour": "oat", "shelf": "s2"})
    assert "c7 cannot be imported without replacing it" in str(failed.value)
    assert '`flour` is "rye", the program sets "oat"; `shelf` is not set, the program sets "s2"' in str(failed.value)
    assert bakery.cakes["c7"] == {"flour": "rye", "shelf": None}


def test_adopt_fails_if_object_does_not_exist(provider: Provider) -> None:
    """The import of an object that does not exist fails, and the error names the id."""
    with pytest.raises(Failure, match="adopt: there is no Cake c9 in this project and region"):
        provider.create({"adopt": "c9", "flour": "rye"})


# ---------------------------------------------------------------- failures after the object exists


@pytest.mark.usefixtures("bridge")
def test_failed_create_is_recorded_in_state(provider: Provider, bakery: _Bakery) -> None:
    """A failure after the id is known records the object in the state, with the reason in one line."""
    bakery.errors["wait"] = OvenError("the oven\nis cold")
    with pytest.raises(Kept) as kept:
        provider.create({"flour": "rye", "name": "a"})
    assert kept.value.id == "c1"
    assert kept.value.properties["status"] == "baked"
    assert kept.value.inputs["flour"] == "rye"
    assert kept.value.reasons == ["create Cake a (c1): the oven is cold"]
    assert "c1" in bakery.cakes


@pytest.fixture
def request_of_web(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request concerns one resource, in a run without earlier ones."""
    urn = "urn:pulumi:test::story::pulumi-python:dynamic/ecs:Cake::web"
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: rpc_bridge.RequestContext(urn=urn))
    monkeypatch.setattr("ecs_pulumi.dynamic.run._failed", {})
    monkeypatch.setattr("ecs_pulumi.dynamic.provider.OWNERSHIP", Ownership())


@pytest.mark.usefixtures("bridge", "request_of_web")
def test_repeated_create_deletes_what_the_failed_one_left(provider: Provider, bakery: _Bakery) -> None:
    """If an error hook repeats a create, the object of the failed one is deleted first, since the engine forgets it."""
    inputs = {"flour": "rye", "name": "a"}
    bakery.errors["wait"] = OvenError("cold")
    with pytest.raises(Kept):
        provider.create(inputs)
    bakery.errors = {"delete": OvenError("stuck")}
    bakery.steps.clear()
    with pytest.raises(Kept) as kept:
        provider.create(inputs)
    assert (kept.value.id, kept.value.reasons) == ("c1", ["create Cake web (c1): stuck"])
    assert bakery.steps == ["delete", "read"]

    bakery.errors = {"create": OvenError("no flour")}
    bakery.steps.clear()
    with pytest.raises(Failure, match=r"^create Cake web: no flour$"):
        provider.create(inputs)
    assert (bakery.steps, bakery.cakes) == (["delete", "create"], {})
    bakery.errors, bakery.steps = {}, []
    assert provider.create(inputs).id == "c1"
    assert bakery.steps == ["create", "wait"]


@pytest.mark.usefixtures("request_of_web")
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_repeated_operation_does_not_show_the_failure_again(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The reason of a failure would be shown beside a resource that a repeated operation has created since."""
    retracted: list[str] = []
    monkeypatch.setattr(rpc_bridge, "retract_reason", retracted.append)
    cake = {"flour": "rye", "name": "a"}
    bakery.cakes["c7"] = dict(cake)
    arguments: dict[str, tuple[Any, ...]] = {"create": (cake,), "update": ("c7", cake, cake), "delete": ("c7", cake)}
    getattr(provider, verb)(*arguments[verb])
    assert retracted == [rpc_bridge.current_request().urn]


@pytest.mark.usefixtures("bridge", "request_of_web")
def test_repeated_import_and_update_delete_nothing(provider: Provider, bakery: _Bakery) -> None:
    """An object that existed before the failed operation is never deleted."""
    bakery.cakes["c7"] = {"flour": "rye", "name": "mine"}
    bakery.errors["update"] = OvenError("too hot")
    for _ in range(2):
        with pytest.raises(Kept):
            provider.create({"adopt": "c7", "flour": "rye", "name": "ours"})
        with pytest.raises(Kept):
            provider.update("c7", {"flour": "rye"}, {"flour": "rye", "name": "ours"})
    assert "delete" not in bakery.steps


@pytest.mark.usefixtures("bridge")
def test_failed_create_without_id_is_not_recorded(provider: Provider, bakery: _Bakery) -> None:
    """A create that fails before an id is known records nothing in the state."""
    bakery.errors["create"] = OvenError("no flour")
    with pytest.raises(Failure, match=r"^create Cake a: no flour$"):
        provider.create({"flour": "rye", "name": "a"})


@pytest.mark.usefixtures("bridge")
def test_failed_create_is_recorded_if_read_fails(provider: Provider, bakery: _Bakery) -> None:
    """If the object of a failed create cannot be read, its inputs are recorded. The reason is the first error."""
    bakery.errors |= {"wait": OvenError("cold"), "read": OvenError("unreachable")}
    with pytest.raises(Kept) as kept:
        provider.create({"flour": "rye", "name": "a"})
    assert kept.value.properties == {"flour": "rye", "name": "a"}
    assert "cold" in kept.value.reasons[0]


@pytest.mark.usefixtures("bridge")
def test_failed_update_records_remote_values(provider: Provider, bakery: _Bakery) -> None:
    """A failed update records the values of the remote object, not the desired ones."""
    bakery.cakes["c1"] = {"flour": "rye", "name": "a", "layers": 1}
    bakery.errors["update"] = OvenError("too hot")
    with pytest.raises(Kept) as kept:
        provider.update("c1", {"flour": "rye", "name": "a"}, {"flour": "rye", "name": "b"})
    assert kept.value.properties["name"] == "a"
    assert kept.value.inputs["name"] == "a", "the next preview must show the change again"


def test_without_bridge_failed_create_deletes_object(provider: Provider, bakery: _Bakery) -> None:
    """If the state cannot record the object of a failed create, it is deleted again, and the error says so."""
    bakery.errors["wait"] = OvenError("cold.")
    with pytest.raises(Failure, match=r"^create Cake a \(c1\): cold\. The created object was deleted again\.$"):
        provider.create({"flour": "rye", "name": "a"})
    assert bakery.cakes == {}


def test_without_bridge_error_names_object_that_cannot_be_deleted(provider: Provider, bakery: _Bakery) -> None:
    """If the object can neither be recorded nor deleted, the error contains its id and how to import it."""
    bakery.errors |= {"wait": OvenError("cold."), "delete": OvenError("stuck")}
    with pytest.raises(Failure) as failed:
        provider.create({"flour": "rye", "name": "a"})
    assert 'could not be deleted again (stuck): import it with adopt="c1".' in str(failed.value)


def test_without_bridge_failed_import_and_update_delete_nothing(provider: Provider, bakery: _Bakery) -> None:
    """A failed import or update never deletes the object, because it existed before."""
    bakery.cakes["c7"] = {"flour": "rye", "name": "mine"}
    bakery.errors["update"] = OvenError("too hot")
    with pytest.raises(Failure, match="too hot"):
        provider.create({"adopt": "c7", "flour": "rye", "name": "ours"})
    with pytest.raises(Failure, match="too hot"):
        provider.update("c7", {"flour": "rye"}, {"flour": "rye", "name": "ours"})
    assert "delete" not in bakery.steps


def test_internal_error_names_source_line_without_message(provider: Provider, bakery: _Bakery) -> None:
    """An unexpected error is shown with its type and source line, without its message, which may contain secrets."""
    bakery.errors["create"] = ValueError("Hush-hush-5ecret")
    with pytest.raises(Failure) as failed:
        provider.create({"flour": "rye", "name": "a"})
    assert "internal error in ecs_pulumi, please report it: ValueError at test_provider.py:" in str(failed.value)
    assert "5ecret" not in str(failed.value)


# ---------------------------------------------------------------- read, update, delete


def test_read_stores_drift_in_outputs_and_inputs(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh stores remote values as inputs, so that the next preview shows the drift.

    Advisory inputs and those that the API does not return keep their values.
    """
    prior_inputs = {"flour": "rye", "name": "a", "plate": "p1", "recipe": "hush"}
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: rpc_bridge.RequestContext(old_inputs=prior_inputs))
    bakery.cakes["c1"] = {"flour": "rye", "name": "drifted", "plate": "p9", "shelf": "s1"}
    result = provider.read("c1", {**prior_inputs, "shelf": "s1"})
    assert result.outs is not None
    assert (result.outs["name"], result.outs["plate"], result.outs["recipe"]) == ("drifted", "p9", "hush")
    assert result.inputs == {"flour": "rye", "name": "drifted", "plate": "p1", "recipe": "hush"}


def test_read_keeps_order_and_form_of_set(provider: Provider, bakery: _Bakery) -> None:
    """The items of a set that the state has keep their order and their form in a refresh; further items follow."""
    plum, fig, nut = ({"fruit": each} for each in ("plum", "fig", "nut"))
    by_hand = {"fruit": "kiwi", "cut": "fine"}
    bakery.cakes["c1"] = {"flour": "rye", "toppings": [by_hand, {**fig, "cut": "thick"}, plum]}
    outs = provider.read("c1", {"flour": "rye", "toppings": [plum, nut, fig]}).outs
    assert outs is not None
    assert outs["toppings"] == [plum, fig, by_hand]


def test_read_detects_property_that_was_unset(provider: Provider, bakery: _Bakery) -> None:
    """A property that the API returns as null is null in the outputs, and the next diff shows a change."""
    bakery.cakes["c1"] = {"flour": "rye", "name": None}
    outs = provider.read("c1", {"flour": "rye", "name": "a"}).outs
    assert outs is not None
    assert outs["name"] is None
    assert provider.diff("c1", outs, {"flour": "rye", "name": "a"}).changes


def test_read_of_deleted_object_returns_empty_id(provider: Provider) -> None:
    """The empty id removes the resource from the state."""
    result = provider.read("c1", {"flour": "rye"})
    assert (result.id, result.outs) == ("", {})


def test_read_error_does_not_remove_resource(provider: Provider, bakery: _Bakery) -> None:
    """A read that fails is a failure; the resource stays in the state."""
    bakery.errors["read"] = OvenError("HTTP 503")
    with pytest.raises(Failure, match=r"^read Cake c1: HTTP 503$"):
        provider.read("c1", {"flour": "rye"})


def test_update_and_delete(provider: Provider, bakery: _Bakery) -> None:
    """An update changes the object, and a delete deletes it."""
    bakery.cakes["c1"] = {"flour": "rye", "name": "a"}
    outs = provider.update("c1", {"flour": "rye", "name": "a"}, {"flour": "rye", "name": "b"}).outs
    assert outs is not None
    assert outs["name"] == "b"
    provider.delete("c1", outs)
    assert bakery.cakes == {}


# ---------------------------------------------------------------- status line, interrupted creates, refreshes


def test_operations_clear_their_status_line(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a create, an update or a delete that succeeds, nothing remains in the status column."""
    lines: list[str] = []
    monkeypatch.setattr("ecs_pulumi.dynamic.provider.StatusLine", lambda _: lines.append)
    outs = provider.create({"flour": "rye", "name": "a"}).outs
    assert outs is not None
    assert lines == [""]
    provider.update("c1", outs, {"flour": "rye", "name": "b"})
    assert lines == [""] * 2
    provider.delete("c1", outs)
    assert lines == [""] * 3
    bakery.errors["delete"] = OvenError("too hot")
    with pytest.raises(Failure):
        provider.delete("c1", outs)
    assert lines == [""] * 3


class Interrupted:
    """A resource whose create an earlier run began: the state has its inputs, and the cloud an object with its marker.

    Attributes:
        begun: The inputs of the interrupted creates.
        notices: The lines that are shown.
        bakery: The cloud.
    """

    def __init__(self, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bakery, self.notices = bakery, list[str]()
        self.begun: list[dict[str, Any]] = [{"flour": "rye", "name": "a"}, {"flour": "rye", "name": "a"}]
        bakery.cakes["c7"] = {"flour": "rye", "name": "a", "layers": 1}
        request = rpc_bridge.RequestContext(urn=f"{STACK}::cake")
        monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
        monkeypatch.setattr(rpc_bridge, "log", lambda _, line, **__: self.notices.append(line))
        monkeypatch.setattr(state, "read", lambda *_: StackState(begun={request.urn: self.begun}))
        monkeypatch.setattr(state, "backend_fingerprint", lambda: "0a1b2c3d")
        monkeypatch.setattr(bakery, "find_own_orphans", lambda *_: [("c7", "a")])


@pytest.fixture
def interrupted(bakery: _Bakery, monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """A resource whose create was interrupted."""
    return Interrupted(bakery, monkeypatch)


def test_create_continues_with_the_object_of_an_interrupted_run(provider: Provider, interrupted: Interrupted) -> None:
    """The object is changed to the inputs of the program, and a notice says what happens."""
    result = provider.create({"flour": "rye", "name": "a", "layers": 2})
    assert (result.id, interrupted.bakery.steps) == ("c7", ["read", "update"])
    assert interrupted.bakery.cakes["c7"]["layers"] == 2
    assert interrupted.notices[0] == "continuing with c7, which an interrupted run began to create"


def test_object_of_an_interrupted_run_that_is_gone(provider: Provider, interrupted: Interrupted) -> None:
    """A list may still contain it; it is created as any other."""
    interrupted.bakery.cakes.clear()
    assert provider.create({"flour": "rye", "name": "a"}).id == "c1"


def test_object_of_an_interrupted_run_that_would_be_replaced(provider: Provider, interrupted: Interrupted) -> None:
    """The error names the inputs and what to do, and nothing is created."""
    with pytest.raises(
        Failure, match=r"an interrupted run created c7, and changing its flour to the program's value re"
    ):
        provider.create({"flour": "oat", "name": "a"})
    assert list(interrupted.bakery.cakes) == ["c7"]


def test_unconfirmed_object_with_the_marker_of_the_resource(provider: Provider, interrupted: Interrupted) -> None:
    """If the state does not confirm that a run began to create it, neither is it used nor is a second one created."""
    interrupted.begun.clear()
    with pytest.raises(
        Failure, match=r"Cake a \(c7\) already exists: an earlier run created it for this resource, but"
    ):
        provider.create({"flour": "rye", "name": "a"})
    assert list(interrupted.bakery.cakes) == ["c7"]


def test_import_that_changes_the_object_is_a_notice(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preview names each input that the import changes once, also one that carries the owner marker."""
    notices: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, line, **__: notices.append(line))
    monkeypatch.setattr(status, "_drops_statuses", lambda: False)
    bakery.cakes["c7"] = {"flour": "rye", "name": "mine", "layers": 1}
    monkeypatch.setattr(bakery, "ownership_updates", lambda *_: {"name": "x", "toppings": []})
    program = {"adopt": "c7", "flour": "rye", "name": "ours", "layers": 1}
    assert failures(provider, program) == []
    assert notices == ["imports c7 as ", "importing c7 changes it [import-changes: name, toppings]"]
    assert failures(provider, {**program, "flour": "oat"}) == [
        ("flour", 'it is "rye" in c7, which would have to be replaced')
    ]


def test_import_without_the_cloud_is_marked(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview without credentials, which compares nothing, shows an import as well."""
    notices: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, line, **__: notices.append(line))
    monkeypatch.setattr(status, "_drops_statuses", lambda: False)
    bakery.errors["read"] = OvenError("offline")
    assert failures(provider, {"adopt": "c7", "flour": "rye"}) == []
    assert notices[-1] == "imports c7 as "


def test_diff_after_a_refresh_shows_what_the_next_update_does(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine requests a diff to show what a refresh has changed: it shows replacements, and sends no request."""
    request = rpc_bridge.RequestContext(urn=f"{STACK}::cake")
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
    monkeypatch.setattr(run, "_refreshed", {request.urn})
    result = provider.diff("c1", {"flour": "rye", "layers": 1}, {"flour": "oat", "layers": 2})
    assert (result.changes, result.replaces) == (True, ["flour"])
    assert bakery.steps == []
    # Only the first one ends the refresh.
    provider.diff("c1", {"flour": "rye"}, {"flour": "oat"})
    assert bakery.steps == ["tainted"]


@pytest.mark.parametrize(
    ("inputs", "cake", "settles"),
    [
        ({"flour": "rye"}, None, True),
        ({"flour": "rye"}, {"flour": "oat"}, True),
        ({"flour": "rye", "shelf": "s1"}, {"flour": "rye", "shelf": "s2"}, True),
        ({"flour": "rye"}, {"flour": "rye", "shelf": "s2"}, False),
        ({"flour": "rye", "name": "a"}, {"flour": "rye", "name": "b"}, False),
        ({"flour": "rye", "shelf": "s1"}, {"flour": "rye"}, False),
    ],
)
def test_refresh_repeats_a_read_that_would_replace_the_object(
    provider: Provider,
    bakery: _Bakery,
    monkeypatch: pytest.MonkeyPatch,
    inputs: dict[str, Any],
    cake: dict[str, Any] | None,
    settles: bool,  # noqa: FBT001
) -> None:
    """A list may be out of date: without the object, or with another one in its place, the object is read again."""
    request = rpc_bridge.RequestContext(urn=f"{STACK}::cake", old_inputs=inputs, has_state=True)
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)

    def settle(*_: object) -> bool:
        bakery.step("settle")
        return True

    def read(*_: object) -> RemoteObject:
        bakery.step("read again")
        return {"flour": "rye", "name": "new"}

    monkeypatch.setattr(bakery, "settle", settle)
    monkeypatch.setattr(bakery, "read", read)
    if cake is not None:
        bakery.cakes["c1"] = cake
    outs = provider.read("c1", inputs).outs
    assert bakery.steps == ["read", *(["settle", "read again"] if settles else [])]
    assert outs is not None
    assert (outs["name"] == "new") is settles


@pytest.mark.usefixtures("stack_reads")
def test_refresh_is_followed_by_a_diff_that_ends_it(provider: Provider, bakery: _Bakery) -> None:
    """Only the diff after a refresh ends it: one after a `get` is none."""
    bakery.cakes["c1"] = {"flour": "rye"}
    urn = rpc_bridge.current_request().urn
    provider.read("c1", {"flour": "rye"})
    assert run.ends_refresh(urn)
    assert not run.ends_refresh(urn)


def test_diff_of_an_advisory_input_that_is_new(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a prior input it is compared with the remote value."""
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: rpc_bridge.RequestContext(old_inputs={"flour": "rye"}))
    prior = {"flour": "rye", "plate": "p9"}
    assert not provider.diff("c1", prior, {"flour": "rye", "plate": "p9"}).changes
    assert provider.diff("c1", prior, {"flour": "rye", "plate": "p2"}).replaces == ["plate"]


@pytest.mark.parametrize(("encodes", "urn", "signs"), [(True, STACK, 1), (False, STACK, 0), (True, "", 0)])
def test_automatic_name_encodes_the_owner(
    provider: Provider,
    bakery: _Bakery,
    monkeypatch: pytest.MonkeyPatch,
    encodes: bool,  # noqa: FBT001
    urn: str,
    signs: int,
) -> None:
    """The name encodes the resource if the kind has no better place for it, and the stack is known."""
    signed: list[object] = []

    def sign(*parts: object) -> str:
        signed.append(parts)
        return "0a1b"

    request = rpc_bridge.RequestContext(urn=urn and f"{urn}::cake")
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
    monkeypatch.setattr(bakery, "encodes_owner_in_name", encodes)
    monkeypatch.setattr("ecs_pulumi.dynamic.provider.signer", sign)
    monkeypatch.setattr(state, "backend_fingerprint", lambda: "backend")
    provider.check({}, {"flour": "rye"})
    assert signed == [("story", "test", "backend")] * signs


def test_automatic_name_follows_the_seed_of_the_engine(provider: Provider) -> None:
    """The engine sends the seed, so that a repeated check of a new resource gives the same name."""

    def name(seed: bytes) -> str:
        # The bridge looks for the request and its gRPC context in the frames of the host.
        return serve(provider_pb2.CheckRequest(urn=f"{STACK}::cake", randomSeed=seed), context)

    def serve(request: provider_pb2.CheckRequest, context: object) -> str:
        return str(provider.check({}, {"flour": "rye"}).inputs["name"])

    context = mock.NonCallableMock(spec=grpc.ServicerContext)
    assert name(b"a" * 32) == name(b"a" * 32) != name(b"b" * 32)


def test_outputs_contain_what_an_operation_has_recorded(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the response to the create contains is in the state."""

    def create(context: OperationContext[None], desired: CakeInputs) -> RemoteObject:
        context.record_id("c1")
        context.record_outputs(status="secret of the oven")
        return {**fields.to_plain(desired), "status": "baked"}

    monkeypatch.setattr(bakery, "create", create)
    outs = provider.create({"flour": "rye", "name": "a"}).outs
    assert outs is not None
    assert outs["status"] == "secret of the oven"


def test_problems_of_a_resource_that_an_interrupted_run_created(
    provider: Provider, interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own object may be their cause: they are warnings, and the create continues with it."""
    warnings: list[str] = []

    def log(_: str, line: str, *, severity: str = "info", **__: object) -> None:
        if severity == "warning":
            warnings.append(line)

    monkeypatch.setattr(rpc_bridge, "log", log)
    assert failures(provider, {"flour": "sand", "name": "a"}) == []
    assert warnings == ["flour: there is no flour sand; an interrupted run already created this resource"]
    monkeypatch.setattr(interrupted.bakery, "find_own_orphans", lambda *_: [])
    assert failures(provider, {"flour": "sand", "name": "a"}) == [("flour", "there is no flour sand")]
