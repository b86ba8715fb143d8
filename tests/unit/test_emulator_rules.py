"""The rules of the emulator: documented for users, and changed by `--rule`."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest

from ecs_pulumi.emulator.__main__ import main
from ecs_pulumi.emulator.dialects import OTC, Rules, changed_rules, rule_values
from tools.workspace import CHECKOUT

PAGE = (CHECKOUT / "docs/clouds/open-telekom-cloud.md").read_text()


def test_page_lists_every_rule() -> None:
    """The table of the page has each rule with its values and the one of an Open Telekom Cloud."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", values)) for name, values, _ in rows} == rule_values()
    assert {name: default for name, _, default in rows} == asdict(OTC.rules)


@pytest.mark.parametrize("name", rule_values())
def test_every_value_can_be_chosen(name: str) -> None:
    """A rule takes each of its values, and the other rules stay."""
    for value in rule_values()[name]:
        assert asdict(changed_rules(Rules(), {name: value})) == {**asdict(Rules()), name: value}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("no_such_rule=yes", "no rule 'no_such_rule'; there are unknown_attributes, "),
        ("zone_required=maybe", "zone_required: 'maybe' is none of no, yes"),
        ("zone_required", "zone_required: '' is none of no, yes"),
    ],
)
def test_invalid_rule_is_refused(rule: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line names the rules and their values."""
    with pytest.raises(SystemExit):
        main(["--rule", rule])
    assert f"argument --rule: {reason}" in capsys.readouterr().err
