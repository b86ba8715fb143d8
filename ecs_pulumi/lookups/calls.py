"""What lookups share: the connection of the program, the one line for what goes wrong, the twins for outputs."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi
from pydantic import ValidationError
from typing_extensions import ParamSpec

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import close_matches
from ecs_pulumi.lookups.models import Info
from ecs_pulumi.resources.common import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ecs_pulumi.cloud.connection import Region

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Info)


class LookupFailed(pulumi.RunError):
    """A lookup has no answer. Pulumi shows its one line, without a traceback, and the program ends.

    Attributes:
        candidates: What there is: the names most like the one asked for, or the ids of those that match.
    """

    def __init__(self, message: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.candidates: list[str] = list(candidates)


class NoMatch(LookupFailed):
    """A lookup found nothing."""


class NotUnique(LookupFailed):
    """A lookup found several where one is wanted."""


def told(lookup: Callable[P, T]) -> Callable[P, T]:
    """Let whatever goes wrong in a lookup reach the program's author as one line."""

    @functools.wraps(lookup)
    def speaking(*args: P.args, **kwargs: P.kwargs) -> T:
        name = lookup.__name__
        if any(isinstance(value, pulumi.Output) for value in (*args, *kwargs.values())):
            raise LookupFailed(f"{name} takes plain values; {name}_output takes outputs, and returns one")
        try:
            return lookup(*args, **kwargs)
        except errors.NoMatch as error:
            raise NoMatch(f"{name}: {error}", error.candidates) from error
        except errors.NotUnique as error:
            raise NotUnique(f"{name}: {error}", error.candidates) from error
        except errors.EcsError as error:
            raise LookupFailed(f"{name}: {error}") from error
        except ValidationError as error:
            raise LookupFailed(f"{name}: the cloud's answer is not as documented: {_first(error)}") from error

    return speaking


def later(lookup: Callable[..., T], **inputs: Any) -> pulumi.Output[T]:
    """Run a lookup once its inputs are known, beside whatever else the program waits for.

    An input that is not known in a preview makes the output unknown; a secret one makes it a secret. Nor is
    anything looked up by the name, say, of a resource that will only be made: there is nothing to be found yet.
    """
    asked = pulumi.Output.all(**inputs)

    async def existing() -> list[pulumi.Output[str]]:
        # A resource of another process has no id here.
        found = [item for item in await asked.resources() if isinstance(item, pulumi.CustomResource)]
        return [item.id for item in found if "id" in item.__dict__]

    async def run(known: Sequence[Any]) -> T:
        return await asyncio.to_thread(lookup, **known[0])

    return pulumi.Output.all(asked, existing()).apply(run)


def region_of(name: str | None) -> Region:
    """The region of this name, of the cloud that the stack configuration and the environment describe."""
    config = pulumi.Config("ecs")
    return connection(lambda key: config.get(key.removeprefix("ecs:"))).region(name)


def only(found: Sequence[M], kind: str, asked: Mapping[str, object], others: Callable[[], Iterable[M]]) -> M:
    """The one object that a lookup found.

    Args:
        found: What was found.
        kind: What the API calls such an object.
        asked: The lookup's arguments.
        others: Lists every such object, for the error.

    Raises:
        NoMatch: there is none.
        NotUnique: there are several.
    """
    given = needed(kind, asked)
    words = " and ".join(f"{key} {_shown(value)}" for key, value in given.items())
    if not found:
        names = sorted({_name(item) for item in others()})
        near = close_matches(str(given["name"]), names) if "name" in given else []
        raise errors.NoMatch(near or names, f"no {kind} has {words}{_hint(near, names)}")
    if len(found) > 1:
        listed = errors.join_names([f"{_name(item)} ({_id(item)})" for item in found])
        ids = [_id(item) for item in found]
        raise errors.NotUnique(ids, f"{len(found)} {kind}s have {words}: {listed}; give the id")
    return found[0]


def needed(kind: str, asked: Mapping[str, object]) -> Mapping[str, object]:
    """Those of a lookup's arguments that are given; there must be one."""
    given = {key: value for key, value in asked.items() if value is not None}
    if not given:
        raise errors.ConfigurationError(f"say which {kind}: give {' or '.join(asked)}")
    return given


def _hint(near: Sequence[str], names: Sequence[str]) -> str:
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there is: {errors.join_names(names)}" if names else "; there is none at all"


def _name(item: Info) -> str:
    return str(getattr(item, "name", "") or _id(item))


def _id(item: Info) -> str:
    return str(getattr(item, "id", ""))


def _shown(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in problem["loc"])
    return f"{error.title}: {path}: {problem['msg']}" if path else f"{error.title}: {problem['msg']}"
