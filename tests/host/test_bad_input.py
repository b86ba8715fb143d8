"""Wrong inputs through the host of Pulumi's SDK: the failures reach the engine as they are, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_pulumi.dynamic.provider import Provider
from tests.host.harness import BadInputs, Plugin
from tests.support.examples import examples
from tests.support.generated import CONFIG, KINDS, inputs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    """A plugin process that serves all kinds."""
    with Plugin(CONFIG) as started:
        yield started


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@examples(3)
def test_check_of_wrong_inputs(plugin: Plugin, kind: str, data: st.DataObject) -> None:
    """Check accepts the inputs, or returns failures; it never fails itself, and checked inputs check to themselves."""
    served = plugin.serve(Provider(kind), f"pulumi-python:dynamic/ecs:{kind}")
    desired: dict[str, Any] = data.draw(inputs(KINDS[kind], wild=True))
    try:
        checked = served.check("it", desired)
    except BadInputs as refused:
        for reason in refused.failures.values():
            assert reason.isprintable()
            assert "Traceback" not in reason
    else:
        assert served.check("it", checked, checked).keys() == checked.keys()
