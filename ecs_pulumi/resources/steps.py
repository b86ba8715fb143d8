"""Steps of an update: a preview prints them, `up` runs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ecs_pulumi.dynamic.fields import has_unknown
from ecs_pulumi.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.resources.clients import Context

U = TypeVar("U")


class Impact(Enum):
    """What a step does to the workload and its data: the worst first, with its notice and its words in the preview."""

    DESTROYS = Notice.REBUILD, "destroys the data on its root disk"
    INTERRUPTS = Notice.INTERRUPTS, "interrupts the server"
    WAKES = Notice.WAKES, "the server runs meanwhile"
    MOVES = Notice.MOVES, "may move its data to other storage"


@dataclass(frozen=True)
class Step(Generic[U]):
    """One change of an object."""

    text: str
    """What the step does, for example `resize s3.medium.2 -> s3.large.2`."""
    run: Callable[[U], object] = field(compare=False, repr=False)
    """Makes the change. The argument is the running update, which knows the remote object."""
    impact: Impact | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.impact.value[1]})" if self.impact else self.text


def report(context: Context, steps: Iterable[Step[Any]], changed: Iterable[str]) -> None:
    """Show the steps of an update in the preview if one of them affects the workload or its data.

    Args:
        context: The operation.
        steps: The steps.
        changed: The inputs that differ.
    """
    planned = list(steps)
    impacts = {step.impact for step in planned}
    worst = next((impact for impact in Impact if impact in impacts), None)
    if worst:
        show = context.warn if worst is Impact.DESTROYS else context.notify
        show(worst.value[0].with_code(f"updating {context.resource}: {', '.join(map(str, planned))}", changed))


def shown(value: object) -> str:
    """Format a desired value, which may be unknown in a preview."""
    return "a value that is not known yet" if has_unknown(value) else str(value)
