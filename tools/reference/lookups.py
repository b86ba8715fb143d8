"""The page about the lookups and their results."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml

import ecs_pulumi as ecs
from ecs_pulumi.resources.registry import handlers
from tools import sdk
from tools.reference.markdown import attribute_docs, body_of, code, doc, one_line, page, table

if TYPE_CHECKING:
    from pydantic import BaseModel

LOOKUPS = (
    ("flavors", "Flavors"),
    ("images", "Images"),
    ("networks", "Networks, subnets and ports"),
    ("security_groups", "Security groups"),
    ("routers", "Routers"),
    ("floating_ips", "Floating IPs"),
    ("key_pairs", "Key pairs"),
    ("volumes", "Volumes"),
    ("servers", "Servers"),
    ("server_groups", "Server groups"),
    ("offers", "Zones and versions"),
)

ADDED = Path(__file__).with_suffix(".yaml")
"""What the code does not tell."""


@functools.cache
def added() -> dict[str, dict[str, str]]:
    """Return what the code does not tell."""
    found: dict[str, dict[str, str]] = yaml.safe_load(ADDED.read_text())
    return found


def lookups_page() -> str:
    """Return the page about lookups and their results."""
    public = {name: getattr(ecs, name) for name in ecs.__all__}
    examples = added()["examples"]
    parts = []
    for module, title in LOOKUPS:
        parts.append(f"## {title}")
        parts += [
            lookup_section(name, function, examples[name])
            for name, function in public.items()
            if function.__module__ == f"ecs_pulumi.lookups.{module}" and not name.endswith("_output")
        ]
    models = [model_section(item) for item in public.values() if item.__module__ == "ecs_pulumi.lookups.models"]
    return page("lookups", lookups="\n\n".join(parts), models="\n\n".join(models))


def lookup_section(name: str, function: Any, example: str) -> str:
    """Return the section about one lookup."""
    summary, _, rest = doc(function).partition("\nArgs:\n")
    described = dict(re.findall(r"^    (\w+): ((?:.+\n?(?:        .+\n?)*))", rest.partition("\n\n")[0], re.MULTILINE))
    rows = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in ("region", "cloud"):
            hint, default = code(hint_of(function, parameter.annotation)), parameter.default
            if default is not None:
                hint += ", **required**" if default is parameter.empty else f", default {code(repr(default))}"
            rows.append([code(parameter.name), hint, one_line(described[parameter.name])])
    returned = str(inspect.signature(function).return_annotation)
    target = returned.removeprefix("list[").removesuffix("]").lower()
    parts = [
        f"### {name}",
        one_line(summary),
        f"```python\n{example}```",
        table(["Argument", "Type", "Meaning"], rows) if rows else "It has no arguments but `region` and `cloud`.",
        f"Result: [`{returned}`](#{target})",
    ]
    return "\n\n".join(parts)


def hint_of(function: Any, annotation: str) -> str:
    """Return the type of an argument: without None, and as a list of choices if there are only a few."""
    hint = annotation.removesuffix(" | None")
    choices = get_args(vars(sys.modules[function.__module__]).get(hint)) or re.findall(r"'(\w+)'", hint)
    return " | ".join(f'"{choice}"' for choice in choices) or hint


def model_section(model: type[BaseModel]) -> str:
    """Return the section about the result of a lookup."""
    types = types_of(model)
    rows = [[code(name), code(types[name]), text] for name, text in descriptions(model).items()]
    return f"### {model.__name__}\n\n{one_line(doc(model))}\n\n" + table(["Field", "Type", "Meaning"], rows)


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the description of each field: its own one, or that of the input or output of the kind."""
    own, kinds = attribute_docs(model), {f"{handler.name}Info": handler for handler in handlers()}
    handler = kinds.get(model.__name__)
    known = sdk.all_fields(handler) if handler else {}
    # The other sentences are about a change.
    of_kind = {name: (field.info.description or "").partition(". ")[0].rstrip(".") for name, field in known.items()}
    generic = added()["fields"]
    return {
        name: own[name]
        or generic.get(f"{model.__name__}.{name}", "")
        or (f"{of_kind[name]}." if of_kind.get(name) else "").replace("….", "…")
        or generic.get(name, "")
        for name in model.model_fields
    }


def types_of(cls: type) -> dict[str, str]:
    """Return the types of a class's attributes as written in its source, without wrappers of Pulumi and Pydantic."""
    found = {}
    for statement in body_of(cls):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            hint = ast.unparse(statement.annotation)
            hint = re.sub(r"^(?:pulumi\.Output|NotRequired)\[(.*)\]$", r"\1", hint)
            hint = re.sub(r"^Annotated\[(.+?), .*\]$", r"\1", hint)
            found[statement.target.id] = {"Number": "int", "Flag": "bool", "Text": "str | None"}.get(hint, hint)
    return found
