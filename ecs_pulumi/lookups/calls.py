"""Shared code of the lookups: the program's connection, one-line errors, and the `_output` variants."""

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
from ecs_pulumi.lookups import mocks
from ecs_pulumi.lookups.models import Info
from ecs_pulumi.resources.clients import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ecs_pulumi.cloud.connection import Region

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Info)


class LookupFailed(pulumi.RunError):
    """A lookup failed. Pulumi shows the one-line message without a traceback and ends the program.

    Attributes:
        candidates: The existing names most similar to the requested one, or the ids of the objects that match.
    """

    def __init__(self, message: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.candidates: list[str] = list(candidates)


class NoMatch(LookupFailed):
    """A lookup found no object."""


class NotUnique(LookupFailed):
    """A lookup that returns one object found several."""


def one_line_errors(lookup: Callable[P, T]) -> Callable[P, T]:
    """Decorate a lookup so that it raises every error as a `LookupFailed` with a one-line message.

    In a unit test with `pulumi.runtime.set_mocks`, it asks the mocks instead of the cloud.
    """

    @functools.wraps(lookup)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        name = lookup.__name__
        if any(isinstance(value, pulumi.Output) for value in (*args, *kwargs.values())):
            raise LookupFailed(f"{name} takes plain values; {name}_output takes outputs, and returns one")
        if asked := mocks.mocks():
            try:
                return mocks.ask(asked, lookup, *args, **kwargs)  # type: ignore[no-any-return]
            except mocks.MockResultError as error:
                raise LookupFailed(f"{name}: {error}") from error
        try:
            return lookup(*args, **kwargs)
        except errors.NoMatch as error:
            raise NoMatch(f"{name}: {error}", error.candidates) from error
        except errors.NotUnique as error:
            raise NotUnique(f"{name}: {error}", error.candidates) from error
        except errors.EcsError as error:
            raise LookupFailed(f"{name}: {error}") from error
        except ValidationError as error:
            raise LookupFailed(f"{name}: the cloud returned an invalid response: {_first_problem(error)}") from error

    return wrapper


def call_with_outputs(lookup: Callable[..., T], **inputs: Any) -> pulumi.Output[T]:
    """Run a lookup in a thread after its inputs are known, and return its result as an output.

    An input that is unknown in a preview makes the output unknown, and a secret input makes it secret. The output is
    also unknown if an input belongs to a resource that is not created yet, because the lookup would find nothing.
    """
    resolved = pulumi.Output.all(**inputs)

    async def existing_ids() -> list[pulumi.Output[str]]:
        # A resource that another process registered has no `id` attribute in this process.
        resources = [item for item in await resolved.resources() if isinstance(item, pulumi.CustomResource)]
        return [item.id for item in resources if "id" in item.__dict__]

    async def run(values: Sequence[Any]) -> T:
        if mocks.mocks():
            return lookup(**values[0])  # mocks need not be safe to call from another thread
        return await asyncio.to_thread(lookup, **values[0])

    return pulumi.Output.all(resolved, existing_ids()).apply(run)


def region_of(name: str | None, cloud: str | None) -> Region:
    """Return a region of a cloud.

    Args:
        name: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud that the stack configuration and the environment describe.
    """
    config = pulumi.Config("ecs")
    return connection(lambda key: config.get(key.removeprefix("ecs:")), cloud).region(name)


def exactly_one(found: Sequence[M], kind: str, criteria: Mapping[str, object], others: Callable[[], Iterable[M]]) -> M:
    """Return the object that a lookup found, or fail if it found none or several.

    Args:
        found: The objects found.
        kind: The API's name for this kind of object, for the error.
        criteria: The lookup's arguments.
        others: Lists all objects of this kind, for the error.

    Raises:
        NoMatch: no object was found.
        NotUnique: several objects were found.
    """
    provided = require_criteria(kind, criteria)
    conditions = " and ".join(f"{key} {_to_json(value)}" for key, value in provided.items())
    if not found:
        names = sorted({_name(item) for item in others()})
        similar = close_matches(str(provided["name"]), names) if "name" in provided else []
        raise errors.NoMatch(similar or names, f"no {kind} has {conditions}{_hint(similar, names)}")
    if len(found) > 1:
        listed = errors.join_names([f"{_name(item)} ({_id(item)})" for item in found])
        ids = [_id(item) for item in found]
        raise errors.NotUnique(ids, f"{len(found)} {kind}s have {conditions}: {listed}; give the id")
    return found[0]


def require_criteria(kind: str, criteria: Mapping[str, object]) -> Mapping[str, object]:
    """Return the arguments of a lookup that are set, or fail if there is none."""
    provided = {key: value for key, value in criteria.items() if value is not None}
    if not provided:
        raise errors.ConfigurationError(f"no argument selects the {kind}; give {' or '.join(criteria)}")
    return provided


def _hint(similar: Sequence[str], names: Sequence[str]) -> str:
    if similar:
        return f"; did you mean {' or '.join(similar)}?"
    return f"; available: {errors.join_names(names)}" if names else "; none exists"


def _name(item: Info) -> str:
    return str(getattr(item, "name", "") or getattr(item, "address", "") or _id(item))


def _id(item: Info) -> str:
    return str(getattr(item, "id", ""))


def _to_json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in problem["loc"])
    return f"{error.title}: {path}: {problem['msg']}" if path else f"{error.title}: {problem['msg']}"
