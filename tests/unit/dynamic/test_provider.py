"""The provider with a kind of three inputs and no cloud: what it promises whatever the kind."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.output import UNKNOWN
from pydantic import Field

from ecs_pulumi.dynamic import fields, kind, rpc_bridge
from ecs_pulumi.dynamic.fields import Advisory, Computed, GrowOnly, InPlace, Inputs, Outputs, Problem, Replace, Secret
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.dynamic.rpc_bridge import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

RemoteObject = dict[str, Any]


class OvenError(Exception):
    """What the bakery's kind has words for."""


class CakeInputs(Inputs):
    """What a program may ask of a cake."""

    flour: Annotated[str, Replace()]
    name: Annotated[str | None, InPlace()] = None
    layers: Annotated[int, GrowOnly()] = 1
    plate: Annotated[str | None, Replace(), Computed(), Advisory()] = None
    shelf: Annotated[str | None, Replace(), Computed()] = None
    recipe: Annotated[str | None, InPlace(), Secret(), fields.WriteOnly()] = Field(None, min_length=3)


class CakeOutputs(Outputs):
    """What the bakery tells."""

    status: str | None = None


class _Bakery(kind.ResourceHandler[None, CakeInputs, RemoteObject]):
    """Cakes in a dictionary. `trouble` maps a step to the error it ends in."""

    name = "Cake"
    inputs = CakeInputs
    outputs = CakeOutputs
    timeout = 7.0

    def __init__(self) -> None:
        self.cakes: dict[str, RemoteObject] = {}
        self.trouble: dict[str, Exception] = {}
        self.did: list[str] = []
        self.looked: list[str] = []

    def step(self, name: str) -> None:
        self.did.append(name)
        if name in self.trouble:
            raise self.trouble[name]

    def connect(self, config: Callable[[str], str | None], region: str | None, timeout: float) -> None:
        raise AssertionError("nothing here needs a cloud")

    def format_error(self, error: Exception) -> str | None:
        return str(error) if isinstance(error, OvenError) else None

    def preview_warning(self, error: Exception) -> str | None:
        return "could not look" if "offline" in str(error) else None

    def stored_settings_hint(self, error: Exception) -> str | None:
        return "The oven was set yesterday." if "locked" in str(error) else None

    def preflight_enabled(self, config: Callable[[str], str | None]) -> bool:
        if "settings" in self.trouble:
            raise self.trouble["settings"]
        return config("ecs:preflight") != "off"

    def setting_warnings(self, names: Iterable[str]) -> list[str]:
        return [f"no setting {name}" for name in names if name == "ecs:oven"]

    def validate(self, checked: fields.CheckInputs) -> Iterator[Problem]:
        if checked.known("flour") == checked.known("name") is not None:
            yield Problem("name", "not a name")

    def preflight(self, context: kind.OperationContext[None], checked: fields.CheckInputs) -> Iterator[Problem]:
        self.looked.append(context.verb)
        self.step("preflight")
        if checked.known("flour") == "sand":
            yield Problem("flour", "there is no flour sand")

    def tainted(self, context: kind.OperationContext[None], id_: str, prior: Mapping[str, Any]) -> list[str]:
        self.step("unwell")
        return ["status"] if prior.get("status") == "burnt" else []

    def pending_work(self, prior: Mapping[str, Any]) -> str | None:
        return "it still has to cool" if prior.get("status") == "hot" else None

    def delete_before_replace(self, resource: str, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return new.get("plate") is not None

    def create(self, context: kind.OperationContext[None], desired: CakeInputs) -> RemoteObject:
        self.step("order")
        cake = {**fields.to_plain(desired), "id": "c1", "status": "baked", "shelf": desired.shelf or "s1"}
        self.cakes["c1"] = cake
        context.record_id("c1")
        self.step("bake")
        return cake

    def read_cached(self, context: kind.OperationContext[None], id_: str) -> RemoteObject | None:
        self.step("read")
        return self.cakes.get(id_)

    def to_outputs(self, context: kind.OperationContext[None], remote: RemoteObject) -> dict[str, Any]:
        return {key: value for key, value in remote.items() if key not in ("id", "recipe")}

    def update(
        self, context: kind.OperationContext[None], id_: str, desired: CakeInputs, prior: Mapping[str, Any]
    ) -> RemoteObject:
        self.step("update")
        self.cakes[id_] |= {key: value for key, value in fields.to_plain(desired).items() if key != "adopt"}
        return self.cakes[id_]

    def delete(self, context: kind.OperationContext[None], id_: str, prior: Mapping[str, Any]) -> None:
        self.step("delete")
        self.cakes.pop(id_, None)


@pytest.fixture
def bakery(monkeypatch: pytest.MonkeyPatch) -> _Bakery:
    """The kind."""
    made = _Bakery()
    monkeypatch.setattr(kind, "get_handler", lambda _: made)
    return made


@pytest.fixture
def provider(bakery: _Bakery) -> Provider:
    """Its provider, with a stack that configures nothing."""
    return configured({})


def configured(settings: Mapping[str, str]) -> Provider:
    """The provider of a run with these settings."""
    made = Provider("Cake")
    made.configure(ConfigureRequest(config=SimpleNamespace(get=settings.get)))  # type: ignore[arg-type]
    return made


class Kept(Exception):  # noqa: N818
    """Stands for the engine that keeps what a failed operation left."""

    def __init__(self, id_: str, properties: Mapping[str, Any], inputs: Mapping[str, Any], reasons: list[str]) -> None:
        super().__init__(*reasons)
        self.id, self.properties, self.inputs, self.reasons = id_, properties, inputs, reasons


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that can keep state, as where the bridge works."""

    def keep(id_: str, properties: Mapping[str, Any], inputs: Mapping[str, Any], reasons: list[str]) -> NoReturn:
        raise Kept(id_, properties, inputs, reasons)

    monkeypatch.setattr(rpc_bridge, "can_keep_state", lambda: True)
    monkeypatch.setattr(rpc_bridge, "fail_with_state", keep)


def failures(provider: Provider, news: dict[str, Any], olds: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """What check says is wrong."""
    return [(failure.property, failure.reason) for failure in provider.check(olds or {}, news).failures]


# ---------------------------------------------------------------- check


def test_a_name_is_made_once(provider: Provider) -> None:
    """A new resource without a name gets one, and keeps it from then on."""
    first = provider.check({}, {"flour": "rye"}).inputs
    assert kind.is_auto_name(first["name"], "ecs")
    assert provider.check(first, {"flour": "rye"}).inputs == first


def test_what_was_adopted_without_a_name_keeps_its_own(provider: Provider) -> None:
    """No name is invented for an object that has one."""
    assert "name" not in provider.check({}, {"flour": "rye", "adopt": "c1"}).inputs
    assert "name" not in provider.check({"flour": "rye"}, {"flour": "rye"}).inputs


def test_internal_properties_are_no_inputs(provider: Provider) -> None:
    """What the host adds, `__provider`, is neither an input nor a mistake."""
    assert failures(provider, {"flour": "rye", "__provider": "…"}) == []


def test_growing_only(provider: Provider) -> None:
    """Less of what can only grow is refused in the preview; more, or what is not known yet, is not."""
    before = {"flour": "rye", "layers": 3.0, "name": "a"}
    assert failures(provider, {"flour": "rye", "layers": 2.0}, before) == [
        ("layers", "can only grow: it is 3 and the program says 2")
    ]
    assert failures(provider, {"flour": "rye", "layers": 4.0}, before) == []
    assert failures(provider, {"flour": "rye", "layers": UNKNOWN}, before) == []


def test_rules_are_silent_about_what_is_wrong_already(provider: Provider) -> None:
    """One mistake is told once: rules see a mistyped input as one that is not known."""
    assert failures(provider, {"flour": "rye", "name": "rye"}) == [("name", "not a name")]
    assert failures(provider, {"flour": ["rye"], "name": "rye"}) == [("", "flour: must be a valid string")]


def test_the_value_of_a_secret_or_of_many_parts_is_not_shown(provider: Provider) -> None:
    """The engine prints the value of a property that a failure names; so these have their names in the text."""
    assert failures(provider, {"flour": ["rye"]}) == [("", "flour: must be a valid string")]
    assert failures(provider, {"flour": "rye", "recipe": "no"}) == [
        ("", "recipe: string must have at least 3 characters")
    ]


def test_the_preview_looks_where_something_changes(provider: Provider, bakery: _Bakery) -> None:
    """The cloud is asked about what is new or changed, not about what stays, nor where something is wrong already."""
    inputs = provider.check({}, {"flour": "rye", "name": "a"}).inputs
    assert bakery.looked == ["check"]
    provider.check(inputs, {"flour": "rye", "name": "a"})
    provider.check(inputs, {"flour": 1, "name": ["b"]})
    assert bakery.looked == ["check"]
    assert failures(provider, {"flour": "sand"}) == [("flour", "there is no flour sand")]


def test_the_preview_can_be_told_not_to_look(bakery: _Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler knows the setting; where it says no, the cloud is not asked, and a warning says so."""
    warnings: list[str] = []
    monkeypatch.setattr(rpc_bridge, "warn_once", warnings.append)
    configured({"ecs:preflight": "off"}).check({}, {"flour": "sand"})
    assert bakery.looked == []
    assert warnings == ["Nothing was checked against the cloud: ecs:preflight is false [not-checked]"]


def test_a_setting_that_cannot_be_read_fails_in_one_line(provider: Provider, bakery: _Bakery) -> None:
    """The handler finds the words for it."""
    bakery.trouble["settings"] = OvenError("ecs:preflight: 'maybe' is neither true nor false")
    with pytest.raises(Failure, match=r"^check Cake ecs-[0-9a-f]{8}: ecs:preflight: 'maybe' is neither true nor"):
        provider.check({}, {"flour": "rye"})


def test_only_a_run_without_the_program_mentions_stored_settings(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check shows that the engine runs the program, with the present settings."""
    monkeypatch.setattr("ecs_pulumi.dynamic.run._program", threading.Event())
    bakery.trouble["delete"] = OvenError("locked")
    with pytest.raises(Failure, match=r"^delete Cake c1: locked The oven was set yesterday\.$"):
        provider.delete("c1", {})
    provider.check({}, {"flour": "rye"})
    with pytest.raises(Failure, match=r"^delete Cake c1: locked$"):
        provider.delete("c1", {})


def test_the_names_of_all_settings_are_looked_through(bakery: _Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is no setting is warned about as the run begins; without the SDK's private map nothing is."""
    warnings: list[str] = []
    monkeypatch.setattr(rpc_bridge, "warn_once", warnings.append)
    config = Config(raw_config={"ecs:oven": "hot", "ecs:region": "x"}, project_name="bakery")
    Provider("Cake").configure(ConfigureRequest(config=config))
    configured({"ecs:oven": "hot"})
    assert warnings == ["no setting ecs:oven"]


def test_a_preview_that_cannot_look_goes_on_or_fails(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cloud to ask the preview warns and works; where the cloud refuses, it fails in one line."""
    warnings: list[str] = []
    monkeypatch.setattr(rpc_bridge, "warn_once", warnings.append)
    bakery.trouble["preflight"] = OvenError("offline")
    assert failures(provider, {"flour": "rye"}) == []
    assert warnings == ["could not look"]
    bakery.trouble["preflight"] = OvenError("wrong password")
    with pytest.raises(Failure, match=r"^check Cake ecs-[0-9a-f]{8}: wrong password$"):
        provider.check({}, {"flour": "rye"})


# ---------------------------------------------------------------- diff


def test_a_diff_needs_no_cloud_and_no_settings(provider: Provider) -> None:
    """What is in the state is compared with what the program says: connecting would fail here."""
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
def test_what_a_change_means(
    provider: Provider,
    prior: dict[str, Any],
    new: dict[str, Any],
    changes: bool,  # noqa: FBT001
    replaces: list[str],
    first: bool,  # noqa: FBT001
) -> None:
    """Unset is not managed, `adopt` never differs, what collides or never lived is deleted first."""
    result = provider.diff("c1", prior, new)
    assert (result.changes, result.replaces, result.delete_before_replace) == (changes, replaces, first)


def test_a_wish_is_compared_with_the_last_wish(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cloud made of a wish is no drift; another wish is a change."""
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: rpc_bridge.RequestContext(old_inputs={"plate": "p1"}))
    assert not provider.diff("c1", {"flour": "rye", "plate": "p9"}, {"flour": "rye", "plate": "p1"}).changes
    assert provider.diff("c1", {"flour": "rye", "plate": "p9"}, {"flour": "rye", "plate": "p2"}).replaces == ["plate"]


def test_what_is_owed_is_an_update_and_told(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update has to finish what the state shows as begun, and the preview says why; a change says enough itself."""
    told: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, line, **__: told.append(line))
    result = provider.diff("c1", {"flour": "rye", "status": "hot"}, {"flour": "rye"})
    assert (result.changes, result.replaces, told) == (True, [], ["it still has to cool"])
    provider.diff("c1", {"flour": "rye", "name": "a", "status": "hot"}, {"flour": "rye", "name": "b"})
    assert told == ["it still has to cool"]


# ---------------------------------------------------------------- create and adopt


def test_a_create_tells_what_the_cloud_chose(provider: Provider) -> None:
    """Outputs echo the inputs, hold what the cloud tells, and keep what it does not tell."""
    made = provider.create({"flour": "rye", "layers": 1.0, "recipe": "hush", "__provider": "…"})
    assert made.id == "c1"
    assert made.outs is not None
    assert {key: value for key, value in made.outs.items() if value is not None} == {
        "flour": "rye",
        "layers": 1,
        "recipe": "hush",
        "shelf": "s1",
        "status": "baked",
    }


def test_what_is_adopted_is_not_created(provider: Provider, bakery: _Bakery) -> None:
    """An object that is as the program says is taken over as it is."""
    bakery.cakes["c7"] = {"flour": "rye", "layers": 1, "name": "mine"}
    made = provider.create({"adopt": "c7", "flour": "rye", "layers": 1})
    assert (made.id, bakery.did) == ("c7", ["read"])
    assert made.outs is not None
    assert made.outs["name"] == "mine"


def test_what_is_adopted_is_changed_in_place(provider: Provider, bakery: _Bakery) -> None:
    """What differs in a way that can be changed is changed, what the cloud does not tell left alone."""
    bakery.cakes["c7"] = {"flour": "rye", "layers": 1, "name": "mine"}
    provider.create({"adopt": "c7", "flour": "rye", "name": "ours", "layers": 1, "plate": "p"})
    assert bakery.did == ["read", "update"]
    assert bakery.cakes["c7"]["name"] == "ours"


def test_what_would_be_replaced_is_not_adopted(provider: Provider, bakery: _Bakery) -> None:
    """The refusal names what differs, and nothing is touched."""
    bakery.cakes["c7"] = {"flour": "rye", "shelf": None}
    with pytest.raises(Failure) as failed:
        provider.create({"adopt": "c7", "flour": "oat", "shelf": "s2"})
    assert "cannot become what the program says without being replaced" in str(failed.value)
    assert "`flour` is 'rye', the program says 'oat'; `shelf` is None, the program says 's2'" in str(failed.value)
    assert bakery.cakes["c7"] == {"flour": "rye", "shelf": None}


def test_what_does_not_exist_is_not_adopted(provider: Provider) -> None:
    """A wrong id is said to be wrong."""
    with pytest.raises(Failure, match="adopt: there is no Cake c9 in this project and region"):
        provider.create({"adopt": "c9", "flour": "rye"})


# ---------------------------------------------------------------- failing without losing


@pytest.mark.usefixtures("engine")
def test_what_a_failed_create_left_is_kept(provider: Provider, bakery: _Bakery) -> None:
    """From the id on a failure keeps the object as it stands, with the reason in one line."""
    bakery.trouble["bake"] = OvenError("the oven\nis cold")
    with pytest.raises(Kept) as kept:
        provider.create({"flour": "rye", "name": "a"})
    assert kept.value.id == "c1"
    assert kept.value.properties["status"] == "baked"
    assert kept.value.inputs["flour"] == "rye"
    assert kept.value.reasons == ["create Cake a (c1): the oven is cold"]
    assert "c1" in bakery.cakes


@pytest.mark.usefixtures("engine")
def test_what_was_not_created_is_not_kept(provider: Provider, bakery: _Bakery) -> None:
    """A create that fails before there is an id leaves nothing in the state."""
    bakery.trouble["order"] = OvenError("no flour")
    with pytest.raises(Failure, match=r"^create Cake a: no flour$"):
        provider.create({"flour": "rye", "name": "a"})


@pytest.mark.usefixtures("engine")
def test_what_cannot_be_read_back_is_kept_all_the_same(provider: Provider, bakery: _Bakery) -> None:
    """The first error is the one that is told; the inputs stand in for what could not be read."""
    bakery.trouble |= {"bake": OvenError("cold"), "read": OvenError("gone dark")}
    with pytest.raises(Kept) as kept:
        provider.create({"flour": "rye", "name": "a"})
    assert kept.value.properties == {"flour": "rye", "name": "a"}
    assert "cold" in kept.value.reasons[0]


@pytest.mark.usefixtures("engine")
def test_what_a_failed_update_left_is_kept(provider: Provider, bakery: _Bakery) -> None:
    """The next `up` starts from what is there, not from what was asked."""
    bakery.cakes["c1"] = {"flour": "rye", "name": "a", "layers": 1}
    bakery.trouble["update"] = OvenError("too hot")
    with pytest.raises(Kept) as kept:
        provider.update("c1", {"flour": "rye", "name": "a"}, {"flour": "rye", "name": "b"})
    assert kept.value.properties["name"] == "a"
    assert kept.value.inputs["name"] == "a", "so that the next preview shows the change again"


def test_without_a_bridge_a_failed_create_is_undone(provider: Provider, bakery: _Bakery) -> None:
    """Where the state cannot keep it, what was created is deleted again, and the error says so."""
    bakery.trouble["bake"] = OvenError("cold.")
    with pytest.raises(Failure, match=r"^create Cake a \(c1\): cold\. What was created has been deleted again\.$"):
        provider.create({"flour": "rye", "name": "a"})
    assert bakery.cakes == {}


def test_without_a_bridge_what_cannot_be_undone_is_named(provider: Provider, bakery: _Bakery) -> None:
    """Where it cannot be deleted either, the error has the id and the way to take it over."""
    bakery.trouble |= {"bake": OvenError("cold."), "delete": OvenError("stuck")}
    with pytest.raises(Failure) as failed:
        provider.create({"flour": "rye", "name": "a"})
    assert 'It exists as c1 and could not be deleted again (stuck): take it over with adopt="c1".' in str(failed.value)


def test_without_a_bridge_nothing_but_a_create_is_undone(provider: Provider, bakery: _Bakery) -> None:
    """A failed update or adoption never deletes what was there before."""
    bakery.cakes["c7"] = {"flour": "rye", "name": "mine"}
    bakery.trouble["update"] = OvenError("too hot")
    with pytest.raises(Failure, match="too hot"):
        provider.create({"adopt": "c7", "flour": "rye", "name": "ours"})
    with pytest.raises(Failure, match="too hot"):
        provider.update("c7", {"flour": "rye"}, {"flour": "rye", "name": "ours"})
    assert "delete" not in bakery.did


def test_a_defect_is_told_as_one(provider: Provider, bakery: _Bakery) -> None:
    """An error that nobody foresaw names its place in the source, and not what it carries."""
    bakery.trouble["order"] = ValueError("Hush-hush-5ecret")
    with pytest.raises(Failure) as failed:
        provider.create({"flour": "rye", "name": "a"})
    assert "a defect of ecs_pulumi, please report it: ValueError at test_provider.py:" in str(failed.value)
    assert "5ecret" not in str(failed.value)


# ---------------------------------------------------------------- read, update, delete


def test_drift_is_read_into_outputs_and_inputs(
    provider: Provider, bakery: _Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs follow what is there, so that the next preview shows the way back; wishes and the untold stay."""
    said = {"flour": "rye", "name": "a", "plate": "p1", "recipe": "hush"}
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: rpc_bridge.RequestContext(old_inputs=said))
    bakery.cakes["c1"] = {"flour": "rye", "name": "drifted", "plate": "p9", "shelf": "s1"}
    read = provider.read("c1", {**said, "shelf": "s1"})
    assert read.outs is not None
    assert (read.outs["name"], read.outs["plate"], read.outs["recipe"]) == ("drifted", "p9", "hush")
    assert read.inputs == {"flour": "rye", "name": "drifted", "plate": "p1", "recipe": "hush"}


def test_what_was_unset_by_hand_is_drift(provider: Provider, bakery: _Bakery) -> None:
    """A property that the cloud tells to be none is none, not what the program said."""
    bakery.cakes["c1"] = {"flour": "rye", "name": None}
    outs = provider.read("c1", {"flour": "rye", "name": "a"}).outs
    assert outs is not None
    assert outs["name"] is None
    assert provider.diff("c1", outs, {"flour": "rye", "name": "a"}).changes


def test_what_is_gone_is_read_as_gone(provider: Provider) -> None:
    """An empty id takes it out of the state."""
    read = provider.read("c1", {"flour": "rye"})
    assert (read.id, read.outs) == ("", {})


def test_what_cannot_be_read_is_not_gone(provider: Provider, bakery: _Bakery) -> None:
    """An error is an error: nothing is taken out of the state for it."""
    bakery.trouble["read"] = OvenError("HTTP 503")
    with pytest.raises(Failure, match=r"^read Cake c1: HTTP 503$"):
        provider.read("c1", {"flour": "rye"})


def test_an_update_and_a_delete(provider: Provider, bakery: _Bakery) -> None:
    """What differs is done, and what is to go goes."""
    bakery.cakes["c1"] = {"flour": "rye", "name": "a"}
    outs = provider.update("c1", {"flour": "rye", "name": "a"}, {"flour": "rye", "name": "b"}).outs
    assert outs is not None
    assert outs["name"] == "b"
    provider.delete("c1", outs)
    assert bakery.cakes == {}
