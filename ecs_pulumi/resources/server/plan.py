"""What an update of a server consists of: a pure function of the desired inputs and the current outputs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic.fields import has_unknown
from ecs_pulumi.resources.server.actions import FROM_ACTIVE, TO_ACTIVE, path, power_after
from ecs_pulumi.resources.server.update import ServerUpdate
from ecs_pulumi.resources.steps import Impact, Step, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_REFUSED_IN = {
    "metadata": ("shelved_offloaded",),
    "tags": ("shelved_offloaded",),
    "networks": ("suspended", "shelved_offloaded"),
    "flavor": ("paused", "suspended", "shelved_offloaded"),
    "rebuild": ("paused", "suspended", "shelved_offloaded"),
    "admin_pass": ("shutoff", "paused", "suspended", "shelved_offloaded"),
}
"""The power states in which Nova refuses to change something, so that the server is active meanwhile."""

ServerStep = Step[ServerUpdate]


def changed_inputs(new: Mapping[str, Any], prior: Mapping[str, Any], changed: Collection[str]) -> set[str]:
    """Return what `plan` has to change: the changed inputs, with `rebuild` instead of `image` and `personality`.

    Args:
        new: The desired inputs.
        prior: The prior outputs.
        changed: The inputs that differ.
    """
    is_rebuilt = new.get("image_policy") == "rebuild" and not {"image", "personality"}.isdisjoint(changed)
    names = set(changed) - {"image", "personality"} | ({"rebuild"} if is_rebuilt and new.get("image") else set())
    if new.get("networks") == "auto":
        names.discard("networks")  # the server keeps its NICs
    # Nova gives a newly attached NIC the project's default group, whatever groups the other NICs have.
    if "networks" in names and new.get("security_groups") is not None:
        names.add("security_groups")
    return names - ({"admin_pass"} if new.get("admin_pass") in (None, prior.get("admin_pass")) else set())


def plan(changed: Collection[str], desired: Mapping[str, Any], current: Mapping[str, Any]) -> list[ServerStep]:
    """Return the steps that bring a server to its desired inputs, in the order in which `up` runs them.

    For a server that waits in VERIFY_RESIZE these are only the steps that end the resize: what it is afterwards is not
    known before. Plan again then.

    Args:
        changed: What differs, see `changed_inputs`.
        desired: The desired inputs; they may be unknown in a preview.
        current: The outputs of the server: those of the remote object, or the prior ones in a preview.
    """
    if current.get("status") == "VERIFY_RESIZE":
        return [_REVERT] if "flavor" in changed else [_CONFIRM]
    return [*_Planner(changed, desired, current).steps()]


def power_steps(current: str | None, target: str) -> list[ServerStep]:
    """Return the steps from one power state to another; None is a status that none of them stands for."""
    steps = []
    for power in path(current, target):
        is_interruption = power != "active" and current != "shutoff"
        text = FROM_ACTIVE[power] if power != "active" else TO_ACTIVE.get(current or "", "start")
        run = partial(ServerUpdate.set_power_state, to=power)
        steps.append(_step(text, run, Impact.INTERRUPTS if is_interruption else None))
    return steps


def interrupted_action(prior: Mapping[str, Any], current: Mapping[str, Any], changed: Collection[str]) -> str | None:
    """Return the action that returns the server to the power state that it had before an update changed it.

    The prior outputs contain it after an update that failed. One that was killed recorded nothing: then the server is
    in another power state than before, and the program still requests the change for which that update began.

    Args:
        prior: The prior outputs.
        current: The outputs of the remote object.
        changed: The inputs that differ from the prior outputs or from the remote object.
    """
    if action := prior.get("pending_action"):
        return str(action)
    was_stopped = current.get("status") == "SHUTOFF" and prior.get("vm_state") == "active"
    if was_stopped and ("flavor" in changed or prior.get("flavor_id") != current.get("flavor_id")):
        return "start"
    power, now = prior.get("power_state"), current.get("power_state")
    was_woken = now in ("active", "shutoff") and any(power in _REFUSED_IN.get(name, ()) for name in changed)
    return FROM_ACTIVE[str(power)] if was_woken and now != power else None


def _step(text: str, run: Any, impact: Impact | None = None) -> ServerStep:
    return Step(text, run, impact)


_CONFIRM = _step(
    "confirm the resize", partial(ServerUpdate.end_earlier_resize, action="confirmResize", progress="confirming")
)
_REVERT = _step(
    "revert the resize", partial(ServerUpdate.end_earlier_resize, action="revertResize", progress="reverting")
)


class _Planner:
    """Plans the changes one after the other, and what has to happen to the server before each."""

    def __init__(self, changed: Collection[str], desired: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        self._changed, self._desired, self._current = changed, desired, current
        # ERROR stands for no power state; the prior outputs keep the one from before.
        self._power: str | None = None if current.get("status") == "ERROR" else current.get("power_state")
        # An update that fails, and one without a desired power state, returns the server to this one.
        self._target: str | None = power_after(current.get("pending_action"))
        self._steps: list[ServerStep] = []

    def steps(self) -> list[ServerStep]:
        """Return all steps."""
        if attributes := [name for name in ("name", "description") if name in self._changed]:
            self._add(f"update {' and '.join(attributes)}", ServerUpdate.update_attributes)
        if "metadata" in self._changed:
            self._wake_for("metadata")
            self._add("replace metadata", ServerUpdate.replace_metadata)
        if "tags" in self._changed:
            self._wake_for("tags")
            self._add("replace tags", ServerUpdate.replace_tags)
        if "networks" in self._changed:
            self._wake_for("networks")
            self._add("change NICs", ServerUpdate.change_interfaces)
        if "security_groups" in self._changed:
            self._add("change security groups", ServerUpdate.change_security_groups)
        # A rebuild brings a server out of ERROR, where Nova refuses to resize it.
        changes = [("flavor", self._resize), ("rebuild", self._rebuild)]
        for name, add in reversed(changes) if self._current.get("status") == "ERROR" else changes:
            if name in self._changed:
                self._wake_for(name)
                add()
        if "admin_pass" in self._changed:
            self._wake_for("admin_pass")
            self._add("change the password", ServerUpdate.change_password)
        target = self._desired_power()
        if target:
            steps = power_steps(self._power, target)
            # To return a server to the power state that it had is no interruption.
            is_return = target in (self._current.get("power_state"), self._target)
            self._steps += [replace(step, impact=None) for step in steps] if is_return else steps
        if "power_state" in self._changed and has_unknown(self._desired.get("power_state")):
            impact = Impact.INTERRUPTS if self._power not in ("shutoff", "shelved_offloaded") else None
            text = f"set power_state to {shown(self._desired['power_state'])}"
            self._add(text, partial(ServerUpdate.set_power_state, to="active"), impact)
        return self._steps

    def _desired_power(self) -> str | None:
        desired = self._desired.get("power_state")
        return desired if isinstance(desired, str) else self._target

    def _resize(self) -> None:
        if self._power == "active" and self._desired.get("stop_before_resize") is not False:
            self._add("stop", ServerUpdate.stop_for_resize, Impact.INTERRUPTS)
            self._power, self._target = "shutoff", self._target or "active"
        text = f"resize {self._current.get('flavor')} -> {shown(self._desired.get('flavor'))}"
        self._add(text, ServerUpdate.resize, Impact.INTERRUPTS if self._power == "active" else None)
        self._add("confirm", ServerUpdate.confirm)

    def _rebuild(self) -> None:
        self._add(f"rebuild from {shown(self._desired.get('image'))}", ServerUpdate.rebuild, Impact.DESTROYS)
        if self._current.get("status") == "ERROR":
            self._power = "active"

    def _wake_for(self, change: str) -> None:
        if self._power in _REFUSED_IN[change]:
            self._target = self._target or self._power
            impact = None if self._desired_power() == "active" else Impact.WAKES
            self._add(TO_ACTIVE[self._power], partial(ServerUpdate.wake, until=self._power), impact)
            self._power = "active"

    def _add(self, text: str, run: Any, impact: Impact | None = None) -> None:
        self._steps.append(_step(text, run, impact))
