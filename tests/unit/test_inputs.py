"""Property-based tests of check and diff with generated inputs, without a cloud."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pulumi.dynamic import ConfigureRequest
from pulumi.output import Unknown
from pulumi.runtime import rpc

from ecs_pulumi.cloud.transport import Transport
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.provider import Provider
from tests.support.clouds import hide_variables
from tests.support.examples import examples
from tests.support.generated import CONFIG, KINDS, inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

some = examples(12)
each_kind = pytest.mark.parametrize("kind", KINDS)
HEALTHY = {"status": "ACTIVE", "launched_at": "2024-01-01"}
"""Outputs of a healthy object, so that diff reads no remote object."""
MAX_LENGTH = 300
JARGON = re.compile(r"\b(None|dict|dictionary|str|int|float|bool|tuple)\b|<class|object at 0x")
"""Words of Python and of the validator, which mean nothing to the author of a program."""


@pytest.fixture(scope="module", autouse=True)
def _no_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a request was sent")

    with pytest.MonkeyPatch.context() as patch:
        hide_variables(patch)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for method in ("send", "access", "with_retries"):
            patch.setattr(Transport, method, refuse)
        yield


def provider(kind: str) -> Provider:
    """Return a configured provider of a kind, in a run that sends no requests."""
    result = Provider(kind)
    result.configure(ConfigureRequest(config=SimpleNamespace(get=CONFIG.get)))  # type: ignore[arg-type]
    return result


@each_kind
@given(data=st.data())
@some
def test_check_returns_short_failures(kind: str, data: st.DataObject) -> None:
    """For any inputs, check returns; its failures are short and name an input; a second check changes nothing."""
    prior, desired = data.draw(inputs(KINDS[kind], wild=True)), data.draw(inputs(KINDS[kind], wild=True))
    result = provider(kind).check(prior, desired)
    asyncio.run(rpc.serialize_properties(result.inputs, {}))
    for failure in result.failures:
        named = failure.property or re.split(r"[:[]", failure.reason, maxsplit=1)[0]
        others = [name for name in desired if failure.reason.startswith(f"{fields.format_value(name)}: no such input")]
        assert named in fields.fields_of(KINDS[kind].inputs) or named in desired or others
        assert 0 < len(failure.reason) <= MAX_LENGTH
        assert failure.reason.isprintable()
        assert not JARGON.search(re.sub(r'".*"|\[.*\]|\..*', "", failure.reason))
    assert provider(kind).check(prior, result.inputs).inputs == result.inputs


@each_kind
@given(data=st.data())
@some
def test_diff_returns(kind: str, data: st.DataObject) -> None:
    """For any state and any inputs, diff returns, and its replacements name inputs or outputs."""
    prior, desired = data.draw(inputs(KINDS[kind], wild=True)), data.draw(inputs(KINDS[kind], wild=True))
    result = provider(kind).diff("id", {**prior, **HEALTHY}, desired)
    assert result.replaces is not None
    assert {*result.replaces} <= {*fields.fields_of(KINDS[kind].inputs), *fields.fields_of(KINDS[kind].outputs)}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in KINDS
        for name, field in fields.fields_of(KINDS[kind].inputs).items()
        if any(get_origin(each) is list for each in (field.info.annotation, *get_args(field.info.annotation)))
    ],
)
def test_unknown_item_of_a_list_is_a_change(kind: str, name: str) -> None:
    """In a preview, a list with an item that is not known yet differs from the prior one."""
    assert provider(kind).diff("id", {name: [], **HEALTHY}, {name: [Unknown()]}).changes  # type: ignore[no-untyped-call]


@each_kind
@given(data=st.data())
@some
def test_checked_inputs_are_stable(kind: str, data: st.DataObject) -> None:
    """Checked inputs equal the model's values; a state with the same inputs has no diff, in any order of sets."""
    checked = provider(kind).check({}, data.draw(inputs(KINDS[kind])))
    assume(not checked.failures)
    assert fields.to_plain(KINDS[kind].inputs.model_validate(checked.inputs)) == checked.inputs
    shuffled = {
        name: data.draw(st.permutations(checked.inputs[name]))
        for name, field in fields.fields_of(KINDS[kind].inputs).items()
        if field.has(fields.Set) and name in checked.inputs
    }
    result = provider(kind).diff("id", {**checked.inputs, **HEALTHY}, {**checked.inputs, **shuffled})
    assert (result.changes, result.replaces) == (False, [])


@each_kind
@given(data=st.data())
@some
def test_in_place_fields_never_replace(kind: str, data: st.DataObject) -> None:
    """Fields with the option `InPlace` never cause a replacement, for any known or unknown value."""
    model_fields = fields.fields_of(KINDS[kind].inputs)
    first, other = data.draw(inputs(KINDS[kind])), data.draw(inputs(KINDS[kind], wild=True))
    in_place = {
        name: value for name, value in other.items() if name in model_fields and model_fields[name].has(fields.InPlace)
    }
    checked = provider(kind).check({}, first)
    assume(not checked.failures)
    # The engine sends no diff for inputs that check refuses.
    accepted = {
        name: value
        for name, value in in_place.items()
        if not provider(kind).check(checked.inputs, {**first, name: value}).failures
    }
    new = provider(kind).check(checked.inputs, {**first, **accepted})
    assume(not new.failures)
    assert provider(kind).diff("id", {**checked.inputs, **HEALTHY}, new.inputs).replaces == []


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
@some
def test_check_failure_hides_secret(kind: str, name: str, data: st.DataObject) -> None:
    """A failure about a secret has neither its value nor its property, because the engine shows a property's value."""
    secret = "Hush-hush-5ecret"
    keys = st.sampled_from(["path", "contents", "a"])
    hidden = st.recursive(
        st.just(secret),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
        max_leaves=3,
    )
    desired = data.draw(inputs(KINDS[kind], wild=True)) | {name: data.draw(hidden)}
    for failure in provider(kind).check({}, desired).failures:
        assert secret not in failure.reason
        assert failure.property != name
