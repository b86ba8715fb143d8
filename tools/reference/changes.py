"""The section of a kind about what a change, a replacement and a delete do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.fields import References, fields_of
from ecs_pulumi.resources.registry import handlers
from tools.reference.markdown import code, codes, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ecs_pulumi.dynamic.handler import ResourceHandler


def section(handler: ResourceHandler[Any, Any, Any], known: Mapping[str, Any]) -> str:
    """Return the section of one kind.

    Args:
        handler: The handler of the kind.
        known: What the code does not tell, see `kinds.yaml`.
    """
    noun, model = noun_of(handler.name), fields_of(handler.inputs)
    replacing = [name for name, field in model.items() if field.has(fields.Replace)]
    provider_only = [name for name, field in model.items() if field.has(fields.ProviderOnly)]
    in_place = [name for name in model if name not in (*replacing, *provider_only)]
    effects = known.get("effects", {})
    lines = [
        f"- **Replaces the {noun}:** {codes(replacing)}.",
        f"- **Changes it in place:** {codes(in_place)}." if in_place else "- **Changes it in place:** no input.",
        f"- **Sends nothing, and controls the provider:** {codes(provider_only)}.",
    ]
    parts = ["\n".join(lines)]
    if effects:
        ordered = [name for name in model if name in effects]
        parts.append("A change in place of these inputs affects a workload, its data or its connections:")
        parts.append(table(["Input", "Effect"], [[code(name), effects[name]] for name in ordered]))
    replacement = [_order(handler, noun), known.get("order"), known.get("replaced"), _dependents(handler)]
    parts.append("### Replacement\n\n" + "\n".join(f"- {each}" for each in filter(None, replacement)))
    parts.append(f"### Delete\n\n{known['deleted']}")
    return "\n\n".join(parts)


def noun_of(kind: str) -> str:
    """Return what an object of a kind is called."""
    words = [word.lower() for word in re.findall("[A-Z][a-z]+", kind)]
    return " ".join("IP" if word == "ip" else word for word in words)


def _order(handler: ResourceHandler[Any, Any, Any], noun: str) -> str:
    """Return when a replacement deletes the old object first, by the inputs that only one object can have."""
    first = f"The new {noun} is created before the old one is deleted"
    if not handler.exclusive:
        return f"{first}."
    *others, last = map(_condition, handler.exclusive)
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"{first}, unless {listed} is set: then the old one is deleted first."


def _condition(path: str) -> str:
    path, _, value = path.partition("=")
    return code(path.replace(".", "[].")) + (f" = {code(value)}" if value else "")


def _dependents(handler: ResourceHandler[Any, Any, Any]) -> str:
    """Return which resources change because they refer to the object that is replaced."""
    replaced, in_place = list[str](), list[str]()
    for other in handlers():
        for name, field in fields_of(other.inputs).items():
            if any(option.kind == handler.name for option in _references(field.info.metadata, field.info.annotation)):
                (replaced if field.has(fields.Replace) else in_place).append(f"{other.name}.{name}")
    parts = [
        *([f"replaced as well ({codes(replaced)})"] if replaced else ()),
        *([f"changed in place ({codes(in_place)})"] if in_place else ()),
    ]
    return f"Resources that refer to it are {', or '.join(parts)}." if parts else ""


def _references(options: list[Any], annotation: Any) -> Iterator[References]:
    """Yield the references in a field, also those of nested objects."""
    yield from (option for option in options if isinstance(option, References))
    for nested in fields.models_in(annotation):
        for field in fields_of(nested).values():
            yield from (option for option in field.info.metadata if isinstance(option, References))
