"""The steps of a server's update, for every kind of change in every power state."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ecs_pulumi.resources.server.plan import changed_inputs, interrupted_action, plan, power_steps

POWER_STATES = ("active", "shutoff", "paused", "suspended", "shelved_offloaded")
CHANGES: dict[str, Any] = {
    "name": "web",
    "metadata": {"a": "1"},
    "tags": ["a"],
    "networks": [{"network_id": "n"}],
    "security_groups": ["default"],
    "flavor": "large",
    "rebuild": True,
    "admin_pass": "secret",
}
TEXTS = {
    "name": "update name",
    "metadata": "replace metadata",
    "tags": "replace tags",
    "networks": "change NICs",
    "security_groups": "change security groups",
    "flavor": "resize",
    "rebuild": "rebuild",
    "admin_pass": "change the password",
}
ENDS_IN = dict.fromkeys(("start", "unpause", "resume", "unshelve"), "active") | {
    "stop": "shutoff",
    "pause": "paused",
    "suspend": "suspended",
    "shelve": "shelved_offloaded",
}
REFUSED = {
    "shutoff": {"admin_pass"},
    "paused": {"flavor", "rebuild", "admin_pass"},
    "suspended": {"networks", "flavor", "rebuild", "admin_pass"},
    "shelved_offloaded": {"metadata", "tags", "networks", "flavor", "rebuild", "admin_pass"},
}
"""What Nova refuses to change in which power state."""


def texts(changed: set[str], current: dict[str, Any], **desired: Any) -> str:
    """Plan and format the changes of a server with the flavor `small`."""
    inputs = {name: CHANGES.get(name) for name in changed} | {"image": "debian-13", **desired}
    return ", ".join(map(str, plan(changed, inputs, {"flavor": "small", **current})))


@pytest.mark.parametrize(
    ("changed", "current", "desired", "expected"),
    [
        ("", {"power_state": "active"}, {}, ""),
        ("name", {"power_state": "active"}, {}, "update name"),
        ("name", {"power_state": "shelved_offloaded"}, {}, "update name"),
        ("name description", {"power_state": "active"}, {"description": "x"}, "update name and description"),
        (
            "flavor",
            {"power_state": "active"},
            {},
            "stop (interrupts the server), resize small -> large, confirm, start",
        ),
        (
            "flavor",
            {"power_state": "active"},
            {"stop_before_resize": False},
            "resize small -> large (interrupts the server), confirm",
        ),
        ("flavor", {"power_state": "shutoff"}, {}, "resize small -> large, confirm"),
        ("flavor", {"power_state": "shutoff", "pending_action": "start"}, {}, "resize small -> large, confirm, start"),
        ("", {"power_state": "shutoff", "pending_action": "start"}, {}, "start"),
        ("", {"power_state": "active", "pending_action": "start"}, {}, ""),
        ("", {"power_state": "shutoff", "pending_action": "start"}, {"power_state": "shutoff"}, ""),
        (
            "flavor",
            {"power_state": "active"},
            {"power_state": "shutoff"},
            "stop (interrupts the server), resize small -> large, confirm",
        ),
        (
            "flavor",
            {"power_state": "suspended"},
            {},
            (
                "resume (the server runs meanwhile), stop (interrupts the server), resize small -> large, confirm, "
                "start, suspend"
            ),
        ),
        (
            "metadata tags",
            {"power_state": "shelved_offloaded"},
            {},
            "unshelve (the server runs meanwhile), replace metadata, replace tags, shelve",
        ),
        ("metadata", {"power_state": "shelved_offloaded"}, {"power_state": "active"}, "unshelve, replace metadata"),
        ("rebuild", {"power_state": "active"}, {}, "rebuild from debian-13 (destroys the data on its root disk)"),
        (
            "flavor rebuild",
            {"status": "ERROR", "power_state": "suspended"},
            {},
            (
                "rebuild from debian-13 (destroys the data on its root disk), "
                "stop (interrupts the server), resize small -> large, confirm, start"
            ),
        ),
        ("admin_pass", {"power_state": "shutoff"}, {"power_state": "active"}, "start, change the password"),
        (
            "admin_pass",
            {"power_state": "paused"},
            {"power_state": "paused"},
            "unpause (the server runs meanwhile), change the password, pause",
        ),
        (
            "admin_pass",
            {"power_state": "shutoff"},
            {},
            "start (the server runs meanwhile), change the password, stop",
        ),
        (
            "flavor admin_pass",
            {"power_state": "active"},
            {},
            "stop (interrupts the server), resize small -> large, confirm, start, change the password",
        ),
        ("", {"power_state": "active", "pending_action": "suspend"}, {}, "suspend"),
        ("", {"power_state": "active", "pending_action": "suspend"}, {"power_state": "active"}, ""),
        ("", {"power_state": "paused"}, {"power_state": "shutoff"}, "unpause, stop (interrupts the server)"),
        ("", {"power_state": "shutoff"}, {"power_state": "shelved_offloaded"}, "shelve"),
        ("", {"status": "VERIFY_RESIZE", "power_state": "shutoff"}, {}, "confirm the resize"),
        ("flavor", {"status": "VERIFY_RESIZE", "power_state": "shutoff"}, {}, "revert the resize"),
    ],
)
def test_plan(changed: str, current: dict[str, Any], desired: dict[str, Any], expected: str) -> None:
    """The steps are those that an engineer would take, in their order, and say what they do to the server."""
    assert texts(set(changed.split()), current, **desired) == expected


@pytest.mark.parametrize("state", POWER_STATES)
@pytest.mark.parametrize("then", [None, *POWER_STATES])
@pytest.mark.parametrize(
    "changed", list(itertools.chain.from_iterable(itertools.combinations(CHANGES, n) for n in (1, 2)))
)
def test_every_change_is_made_where_nova_allows_it(state: str, then: str | None, changed: tuple[str, ...]) -> None:
    """Whatever changes together: no step runs in a power state that refuses it, and the last power state is right."""
    inputs = {name: CHANGES[name] for name in changed} | {"image": "debian-13", "power_state": then}
    power, expected = state, then or state
    made = []
    for step in plan(set(changed), inputs, {"flavor": "small", "power_state": state}):
        change = next((name for name, text in TEXTS.items() if step.text.startswith(text)), None)
        if change:
            assert change not in REFUSED.get(power, ()), step.text
            made.append(change)
        power = ENDS_IN.get(step.text, power)
    assert power == expected
    assert set(made) == set(changed)


@pytest.mark.parametrize(("start", "end"), list(itertools.product(POWER_STATES, POWER_STATES)))
def test_power_steps_lead_from_each_state_to_each(start: str, end: str) -> None:
    """A server that is not running becomes active first, except one that is shut off and shall be shelved."""
    steps = [step.text for step in power_steps(start, end)]
    direct = start == end or "active" in (start, end) or (start, end) == ("shutoff", "shelved_offloaded")
    assert len(steps) == (0 if start == end else 1 if direct else 2)


@pytest.mark.parametrize(
    ("new", "prior", "changed", "expected"),
    [
        ({"image": "b"}, {}, {"image"}, set()),
        ({"image": "b", "image_policy": "rebuild"}, {}, {"image"}, {"rebuild"}),
        ({"image": "b", "image_policy": "rebuild"}, {}, {"personality"}, {"rebuild"}),
        ({"image_policy": "rebuild"}, {}, {"personality"}, set()),
        ({"admin_pass": "x"}, {"admin_pass": "x"}, {"admin_pass"}, set()),
        ({"networks": [], "security_groups": ["a"]}, {}, {"networks"}, {"networks", "security_groups"}),
        ({"networks": "auto", "security_groups": ["a"]}, {}, {"networks"}, set()),
    ],
)
def test_changed_inputs(new: dict[str, Any], prior: dict[str, Any], changed: set[str], expected: set[str]) -> None:
    """A rebuild stands for a changed image and personality, and attached NICs need their security groups."""
    assert changed_inputs(new, prior, changed) == expected


@pytest.mark.parametrize(
    ("prior", "current", "changed", "expected"),
    [
        ({"vm_state": "active", "flavor_id": "1"}, {"status": "SHUTOFF", "flavor_id": "2"}, set(), "start"),
        ({"vm_state": "active", "flavor_id": "1"}, {"status": "SHUTOFF", "flavor_id": "1"}, {"flavor"}, "start"),
        ({"vm_state": "active", "flavor_id": "1"}, {"status": "SHUTOFF", "flavor_id": "1"}, set(), None),
        ({"vm_state": "stopped", "flavor_id": "1"}, {"status": "SHUTOFF", "flavor_id": "2"}, set(), None),
        ({"vm_state": "active", "flavor_id": "1"}, {"status": "ACTIVE", "flavor_id": "2"}, set(), None),
        ({"pending_action": "start"}, {"status": "SHUTOFF"}, set(), "start"),
        ({"power_state": "suspended"}, {"power_state": "active"}, {"networks"}, "suspend"),
        ({"power_state": "suspended"}, {"power_state": "shutoff"}, {"flavor"}, "suspend"),
        ({"power_state": "suspended"}, {"power_state": "active"}, {"metadata"}, None),
        ({"power_state": "suspended"}, {"power_state": "suspended"}, {"networks"}, None),
        ({"power_state": "shutoff"}, {"power_state": "active"}, {"admin_pass"}, "stop"),
        ({"pending_action": "suspend", "vm_state": "active"}, {"status": "SHUTOFF"}, {"flavor"}, "suspend"),
    ],
)
def test_interrupted_action(
    prior: dict[str, Any], current: dict[str, Any], changed: set[str], expected: str | None
) -> None:
    """A server returns to the power state from before an interrupted update; one that was stopped by hand does not."""
    assert interrupted_action(prior, current, changed) == expected
