"""The reference pages match the code and are complete."""

from __future__ import annotations

import importlib
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import ecs_pulumi as ecs
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.fields import fields_of
from ecs_pulumi.dynamic.handler import ResourceHandler
from ecs_pulumi.report_rules import ReportRules
from ecs_pulumi.resources.registry import handlers
from tools.reference.kinds import sentences
from tools.reference.markdown import anchor
from tools.reference.pages import PAGES, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

Handler = ResourceHandler[Any, Any, Any]
each_kind = pytest.mark.parametrize("handler", handlers(), ids=lambda handler: handler.name)


def test_reference_is_up_to_date() -> None:
    """After a change of a field, `python -m tools.reference` has to be run."""
    stored = {path.name: path.read_text() for path in PAGES.glob("*.md")}
    assert stored == pages()


def test_every_public_name_is_documented() -> None:
    """The pages contain every public name; the `_output` variant of a lookup is documented with the lookup."""
    text = "\n".join(pages().values())
    missing = [name for name in ecs.__all__ if not name.endswith("_output") and not re.search(rf"\b{name}\b", text)]
    assert missing == []


def test_every_link_has_a_target() -> None:
    """Every link leads to an existing file, and to an existing heading."""
    for name, text in pages().items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            path, _, heading = target.partition("#")
            file = PAGES / (path or name)
            assert file.exists(), f"{name}: {target}"
            anchors = map(anchor, re.findall(r"^#+ (.+)$", file.read_text() if heading else "", re.MULTILINE))
            assert not heading or heading in set(anchors), f"{name}: {target}"


def test_every_field_has_a_description() -> None:
    """Every input, output, nested property, setting, argument and option has a description."""
    for name, text in pages().items():
        rows = [line for line in text.splitlines() if line.startswith("| `")]
        empty = [line for line in rows if line.endswith(" |  |")]
        assert (name, empty) == (name, [])


@each_kind
def test_pages_of_kinds_have_the_same_headings(handler: Handler) -> None:
    """The page of each kind has the same sections in the same order; `Clouds` only if clouds differ."""
    headings = re.findall(r"^## (.+)$", page_of(handler), re.MULTILINE)
    assert [each for each in headings if each != "Clouds"] == [
        "Example",
        "Inputs",
        "Outputs",
        "What a change does",
        "Timeouts",
        "Import",
        "Read",
        "Id",
        "See also",
    ]


@each_kind
def test_page_names_what_a_change_of_each_input_does(handler: Handler) -> None:
    """Every input is in one list: what replaces the object, by the answer of the handler, and what does not."""
    replacing, in_place, provider_only = (
        set(re.findall(r"`(\w+)`", line)) for line in re.findall(r"^- \*\*.*:\*\*(.*)$", page_of(handler), re.MULTILINE)
    )
    assert replacing | in_place | provider_only == set(fields_of(handler.inputs))
    assert len(replacing) + len(in_place) + len(provider_only) == len(fields_of(handler.inputs))
    context: Any = SimpleNamespace(prior={})
    asked = fields_of(handler.inputs).keys() - {"networks"}  # only the cloud knows whether the first NIC can leave
    assert replacing == {name for name in asked if handler.requires_replacement(context, {}, {name: "x"}, [name])}


@each_kind
def test_page_describes_the_effects_that_the_code_knows(handler: Handler) -> None:
    """An input whose change in place affects a workload, data or connections has a sentence about its effect."""
    assert {*known_effects(handler)} <= {*sentences()[handler.name].get("effects", ())}


def known_effects(handler: Handler) -> Iterator[str]:
    """Yield the inputs of which the rules of the report or the plan of an update know an effect."""
    yield from rules_of(handler).assumed({"image_policy": "rebuild"})
    planned_steps: Any = getattr(handler, "planned_steps", None)
    for power in ("active", "shutoff") if planned_steps else ():
        prior = {"power_state": power, "status": power.upper(), "flavor": "small", "volume_type": "SAS"}
        context = SimpleNamespace(prior=prior, ignore_changes=())
        for name in fields_of(handler.inputs):
            value = "shutoff" if name == "power_state" else "x"
            new = {"image": "x", "image_policy": "rebuild", "stop_before_resize": True, name: value}
            if any(step.impact for step in planned_steps(context, new, [name])):
                yield name


@each_kind
def test_page_describes_effects_of_changes_in_place_only(handler: Handler) -> None:
    """Each sentence about an effect is about an input that changes in place, or does under a condition."""
    known = fields_of(handler.inputs)
    for name, text in sentences()[handler.name].get("effects", {}).items():
        assert not known[name].has(fields.ProviderOnly)
        assert not known[name].has(fields.Replace) or "Only with" in text or text.startswith("Like")


@each_kind
def test_page_says_when_the_old_object_is_deleted_first(handler: Handler) -> None:
    """A kind that decides itself whether to delete first has a sentence about it; the inputs are listed otherwise."""
    decides = type(handler).delete_before_replace is not ResourceHandler.delete_before_replace
    assert decides == ("order" in sentences()[handler.name])
    for path in handler.exclusive:
        assert f"`{path.partition('=')[0].replace('.', '[].')}`" in page_of(handler)


@each_kind
def test_page_says_what_a_delete_destroys(handler: Handler) -> None:
    """A kind whose delete loses something by the rules of the report says so."""
    loses = type(rules_of(handler)).lost is not ReportRules.lost
    deleted = sentences()[handler.name]["deleted"]
    assert loses == ("destroyed" in deleted)


def rules_of(handler: Handler) -> ReportRules:
    """Return the rules of the report for a kind."""
    if not handler.report_rules:
        return ReportRules()
    rules: ReportRules = importlib.import_module(handler.report_rules).RULES
    return rules


def page_of(handler: Handler) -> str:
    """Return the page of a kind."""
    return pages()[f"{handler.name}.md"]
