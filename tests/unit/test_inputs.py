"""Whatever a program says, each kind's check and diff answer in words: generated inputs, and no cloud.

`HYPOTHESIS_PROFILE=search` looks for longer, and elsewhere each time.
"""

from __future__ import annotations

import asyncio
import os
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pulumi.dynamic import ConfigureRequest
from pulumi.runtime import rpc

from ecs_pulumi.cloud.transport import Transport
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.provider import Provider
from tests.support.generated import KINDS, inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("every run", derandomize=True, max_examples=12, database=None, **_COMMON)
settings.register_profile("search", max_examples=300, print_blob=False, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "every run"))

each_kind = pytest.mark.parametrize("kind", KINDS)
CONFIG = {
    "ecs:authUrl": "http://127.0.0.1:1/v3",
    "ecs:username": "nobody",
    "ecs:password": "none",
    "ecs:projectName": "none",
    "ecs:preflight": "false",
}
WELL = {"status": "ACTIVE", "launched_at": "2024-01-01"}
"""Outputs of an object that lives, so that nobody needs to look at it."""
LONGEST = 300


@pytest.fixture(scope="module", autouse=True)
def _no_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a request was sent")

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OS_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for method in ("send", "access", "with_retries"):
            patch.setattr(Transport, method, refuse)
        yield


def provider(kind: str) -> Provider:
    """The provider of a kind as the host has it, in a run that asks the cloud nothing."""
    made = Provider(kind)
    made.configure(ConfigureRequest(config=SimpleNamespace(get=CONFIG.get)))  # type: ignore[arg-type]
    return made


@each_kind
@given(data=st.data())
def test_check_answers_in_words(kind: str, data: st.DataObject) -> None:
    """Whatever the program says and said, check answers; its failures name an input and are short; twice is once."""
    olds, news = data.draw(inputs(KINDS[kind], wild=True)), data.draw(inputs(KINDS[kind], wild=True))
    result = provider(kind).check(olds, news)
    asyncio.run(rpc.serialize_properties(result.inputs, {}))
    for failure in result.failures:
        named = failure.property or re.split(r"[:[]", failure.reason, maxsplit=1)[0]
        assert named in {*fields.fields_of(KINDS[kind].inputs), *news}
        assert 0 < len(failure.reason) <= LONGEST
    assert provider(kind).check(olds, result.inputs).inputs == result.inputs


@each_kind
@given(data=st.data())
def test_diff_answers(kind: str, data: st.DataObject) -> None:
    """Whatever the state holds and the program says, diff answers, and names inputs or outputs."""
    olds, news = data.draw(inputs(KINDS[kind], wild=True)), data.draw(inputs(KINDS[kind], wild=True))
    result = provider(kind).diff("id", {**olds, **WELL}, news)
    assert result.replaces is not None
    assert {*result.replaces} <= {*fields.fields_of(KINDS[kind].inputs), *fields.fields_of(KINDS[kind].outputs)}


@each_kind
@given(data=st.data())
def test_what_check_lets_through_is_no_surprise(kind: str, data: st.DataObject) -> None:
    """Inputs without a failure are what the kind gets; a state that holds them does not differ, sets in any order."""
    checked = provider(kind).check({}, data.draw(inputs(KINDS[kind])))
    assume(not checked.failures)
    assert fields.to_plain(KINDS[kind].inputs.model_validate(checked.inputs)) == checked.inputs
    shuffled = {
        name: data.draw(st.permutations(checked.inputs[name]))
        for name, field in fields.fields_of(KINDS[kind].inputs).items()
        if field.has(fields.Set) and name in checked.inputs
    }
    result = provider(kind).diff("id", {**checked.inputs, **WELL}, {**checked.inputs, **shuffled})
    assert (result.changes, result.replaces) == (False, [])


@each_kind
@given(data=st.data())
def test_what_changes_in_place_does_not_replace(kind: str, data: st.DataObject) -> None:
    """Inputs marked as changed in place never replace, whatever they become, known or not."""
    facts = fields.fields_of(KINDS[kind].inputs)
    old, other = data.draw(inputs(KINDS[kind])), data.draw(inputs(KINDS[kind], wild=True))
    in_place = {name: value for name, value in other.items() if name in facts and facts[name].has(fields.InPlace)}
    before = provider(kind).check({}, old).inputs
    after = provider(kind).check(before, {**old, **in_place}).inputs
    assert provider(kind).diff("id", {**before, **WELL}, after).replaces == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in KINDS
        for name, field in fields.fields_of(KINDS[kind].inputs).items()
        if field.has(fields.Secret)
    ],
)
@given(data=st.data())
def test_no_failure_tells_a_secret(kind: str, name: str, data: st.DataObject) -> None:
    """What is wrong with a secret is told without its value, and not as of a property, whose value the engine shows."""
    hush = "Hush-hush-5ecret"
    keys = st.sampled_from(["path", "contents", "a"])
    hidden = st.recursive(
        st.just(hush),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
        max_leaves=3,
    )
    news = data.draw(inputs(KINDS[kind], wild=True)) | {name: data.draw(hidden)}
    for failure in provider(kind).check({}, news).failures:
        assert hush not in failure.reason
        assert failure.property != name
