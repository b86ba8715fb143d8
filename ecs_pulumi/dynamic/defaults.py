"""Values that settings add to an input of every resource: tags to a list, metadata to a map.

A check merges them into the inputs, so that the state contains them and a preview shows a change of the setting. What
it has added is in the state as well: without that, the next check could not remove what the setting no longer contains
from an input that the program does not set.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic import fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecs_pulumi.dynamic.handler import ResourceHandler


def merge(value: Any, default: Any, prior: Any, prior_added: Any) -> tuple[Any, Any]:
    """Merge a default into the value of an input.

    Args:
        value: The list or map in the program; None if it sets none. It or its items may be unknown.
        default: The list or map that the setting adds; empty or None if it adds nothing.
        prior: The prior value of the input.
        prior_added: What the setting had added to the prior value.

    Returns:
        The value of the input, None if it is not managed, and what the setting has added to it.
    """
    if default:
        if fields.is_unknown(value):
            return value, default
        if isinstance(default, dict):
            return {**default, **(value or {})}, {
                key: item for key, item in default.items() if key not in (value or {})
            }
        added = [item for item in default if item not in (value or ())]
        return [*(value or ()), *added], added
    if value is None and prior_added and prior:
        # The setting is gone: remove what it had added. The rest is not managed any more, but has to stay.
        rest = _without(prior, prior_added)
        return (rest if rest != prior else None), None
    return value, None


def _without(prior: Any, added: Any) -> Any:
    if isinstance(prior, dict):
        return {key: item for key, item in prior.items() if key not in added}
    return [item for item in prior if item not in added]


def problems(
    handler: ResourceHandler[Any, Any, Any], inputs: Mapping[str, Any], added: Mapping[str, Any]
) -> list[fields.Problem]:
    """Return the problems of the types and limits of inputs to which settings have added values."""
    found = []
    for name in added:
        if not fields.is_unknown(inputs[name]):
            _, problem = fields.validate_value(fields.fields_of(handler.inputs)[name], inputs[name])
            found += [problem] if problem else []
    return [_explained(handler, problem, added) for problem in found]


def explained(
    handler: ResourceHandler[Any, Any, Any],
    found: Iterable[fields.Problem],
    added: Mapping[str, Any],
    own: fields.CheckInputs,
) -> list[fields.Problem]:
    """Return the problems that were found, with the setting in those that the inputs of the program do not have.

    Args:
        handler: The handler.
        found: The problems.
        added: What settings have added to the inputs.
        own: The inputs without that.
    """
    found = list(found)
    remaining = list(handler.validate(own)) if found and added else found
    return [each if each in remaining else _explained(handler, each, added) for each in found]


def _explained(
    handler: ResourceHandler[Any, Any, Any], problem: fields.Problem, added: Mapping[str, Any]
) -> fields.Problem:
    return replace(problem, reason=problem.reason + _origin(handler, problem.property, added))


def cause(handler: ResourceHandler[Any, Any, Any], message: str, added: Mapping[str, Any]) -> str:
    """Return an addition to an error message about inputs to which settings have added values; empty otherwise."""
    about = [name for name in added if re.search(rf"\b{name.rstrip('s')}", message, re.IGNORECASE)]
    return "".join(_origin(handler, name, added) for name in about)


def _origin(handler: ResourceHandler[Any, Any, Any], name: str, added: Mapping[str, Any]) -> str:
    if not (value := added.get(name)):
        return ""
    return f" ({handler.default_settings[name]} adds {', '.join(map(fields.format_value, value))})"
