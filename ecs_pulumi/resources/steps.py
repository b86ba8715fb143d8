"""Steps of an update: a preview prints them, `up` runs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from ecs_pulumi.dynamic.fields import has_unknown
from ecs_pulumi.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.resources.clients import Context

U = TypeVar("U")


class Effect(Enum):
    """What a step does to the workload and its data, in the words of the preview."""

    INTERRUPTS = "interrupts the server"
    WAKES = "the server runs meanwhile"
    MOVES = "may move its data to other storage"
    DESTROYS = "destroys the data on its root disk"


@dataclass(frozen=True)
class Step(Generic[U]):
    """One change of an object."""

    text: str
    """What the step does, for example `resize s3.medium.2 -> s3.large.2`."""
    run: Callable[[U], object] = field(compare=False, repr=False)
    """Makes the change. The argument is the running update, which knows the remote object."""
    effect: Effect | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.effect.value})" if self.effect else self.text


def report(context: Context, steps: Iterable[Step[U]]) -> None:
    """Show the steps of an update in the preview if one of them affects the workload or its data."""
    planned = list(steps)
    line = f"steps: {', '.join(map(str, planned))}"
    if any(step.effect is Effect.DESTROYS for step in planned):
        context.warn(Notice.REBUILD.mark(line))
    elif any(step.effect for step in planned):
        context.notify(line)


def shown(value: object) -> str:
    """Format a desired value, which may be unknown in a preview."""
    return "a value that is not known yet" if has_unknown(value) else str(value)
