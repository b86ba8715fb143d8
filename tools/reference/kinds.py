"""The page of each kind."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import yaml
from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.alias_generators import to_snake

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.fields import ModelField, fields_of
from tools import sdk
from tools.reference import changes
from tools.reference.markdown import anchor, code, doc, link, one_line, page, table
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ecs_pulumi.dynamic.handler import ResourceHandler

EXAMPLE = CHECKOUT / "examples" / "reference" / "__main__.py"
SENTENCES = Path(__file__).with_name("kinds.yaml")
"""What the code does not tell."""
NOT_FOUND_BY_ADOPT = {
    "SecurityGroupRule": "The rules of a group are the `rules` of its [SecurityGroup](SecurityGroup.md), unless groups "
    "refer to each other.",
    "FloatingIpAssociation": "A floating IP with a port becomes a [FloatingIp](FloatingIp.md) with `port_id`.",
}
"""Kinds that `ecs-pulumi adopt` writes as a part of another one."""

_COMMON = {
    "region": "Region of the object.",
    "cloud": "Entry of `clouds.yaml` with the cloud of the object.",
    "adopt": "Id of an existing object to import.",
}
_SEE_COMMON = "See [common inputs](README.md#common-inputs)."
_DEFAULTS = {"name": "default: generated", "region": "default: configured", "cloud": "default: the stack's"}
_ADOPT = """This command writes the resource with all that it refers to:

```bash
ecs-pulumi adopt --id {id}
```

"""


@functools.cache
def sentences() -> dict[str, dict[str, Any]]:
    """Return what the code does not tell, by kind."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(SENTENCES.read_text())
    return found


def kind_page(handler: ResourceHandler[Any, Any, Any]) -> str:
    """Return the page of one kind."""
    known = sentences()[handler.name]
    what, source = introduction(handler)
    input_models, models = sdk.nested_models(handler)
    inputs = [
        [f"`{name}`", input_type(field), change(field, known), meaning(field)]
        for name, field in fields_of(handler.inputs).items()
    ]
    outputs = [
        [f"`{name}`", code(sdk.output(field)), meaning(field)] for name, field in fields_of(handler.outputs).items()
    ]
    statement = declarations(handler.name)[0]
    adopt = NOT_FOUND_BY_ADOPT.get(handler.name)
    return page(
        "kind",
        name=handler.name,
        what=what,
        needs=known["needs"],
        source=source,
        identity=handler.id_format,
        minutes=f"{handler.timeout / 60:.0f}",
        longer="1h" if handler.timeout > 1200 else "30m",  # noqa: PLR2004
        example=example(handler.name),
        program=str(EXAMPLE.relative_to(CHECKOUT)),
        inputs=table(["Input", "Type", "A change", "Meaning"], inputs),
        nested="".join(nested_section(model, is_output=model in models) for model in input_models),
        outputs=f", and:\n\n{table(['Output', 'Type', 'Meaning'], outputs)}" if outputs else ".",
        nested_outputs="".join(output_section(model) for model in models if model not in input_models),
        changes=changes.section(handler, known),
        adopt=f"{adopt}\n\n" if adopt else _ADOPT.format(id=handler.id_example),
        required="".join(
            f'{name}="…", ' for name, field in fields_of(handler.inputs).items() if field.info.is_required()
        ),
        example_id=handler.id_example,
        resource=ast.literal_eval(statement.value.args[0]),  # type: ignore[attr-defined]
        variable=to_snake(handler.name),
        clouds=f"## Clouds\n\n{known['clouds']}\n\n" if "clouds" in known else "",
        see="\n".join(f"- {link(target)}" for target in known["see"]),
    )


def introduction(handler: ResourceHandler[Any, Any, Any]) -> tuple[str, str]:
    """Return the summary and the sources from the docstring of a kind, without the sentence about its id."""
    what, _, source = re.sub(r" ?Its id is [^.]*\.", "", doc(handler.inputs)).rpartition("Source:")
    return one_line(what), one_line(f"Source:{source}")


def api(handler: ResourceHandler[Any, Any, Any]) -> str:
    """Return the API of a kind: its service, and the section of its reference."""
    found = re.search(r'(Nova|Neutron|Cinder) API reference, "([^"]+)"', introduction(handler)[1])
    if not found:
        raise SystemExit(f"{handler.inputs.__name__}: the docstring names no section of an API reference")
    return f"{found[1]}, {found[2]}"


def declarations(kind: str) -> list[ast.stmt]:
    """Return the statements of the example program that declare this kind."""
    found: list[ast.stmt] = [
        statement
        for statement in ast.parse(EXAMPLE.read_text()).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.attr == kind
    ]
    if not found:
        raise SystemExit(f"{EXAMPLE} declares no {kind}")
    return found


def example(kind: str) -> str:
    """Return the source of the statements of the example program that declare this kind."""
    text = EXAMPLE.read_text()
    return "\n".join(ast.get_source_segment(text, statement) or "" for statement in declarations(kind))


def input_type(field: ModelField) -> str:
    """Return the type of an input with its limits and its default."""
    name = code(type_name(field.info.annotation))
    if nested := [*fields.models_in(field.info.annotation)]:
        name = f"[{name}](#{anchor(sdk.arguments_name(nested[-1]))})"
    return ", ".join(filter(None, (name, *limits(field), default(field))))


def type_name(annotation: Any) -> str:
    """Return a type as a program writes it, without None, which means "not managed"."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(f'"{arg}"' if isinstance(arg, str) else str(arg) for arg in args)
    if origin is list:
        return f"list[{type_name(args[0])}]"
    if origin is dict:
        return f"dict[str, {type_name(args[1])}]"
    if args:
        branches = args[:1] if origin is Annotated else args
        return " | ".join(type_name(arg) for arg in branches if arg is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, fields.Nested):
        return sdk.arguments_name(annotation)
    return "object" if annotation is Any else str(getattr(annotation, "__name__", annotation))


def limits(field: ModelField) -> list[str]:
    """Return the limits of a value."""
    constraints = {type(item): item for item in field.info.metadata}
    least, most, shortest, longest = (constraints.get(kind) for kind in (Ge, Le, MinLen, MaxLen))
    words = []
    if least:
        words.append(f"at least {least.ge}")
    if most:
        words.append(f"at most {most.le}")
    if longest:
        words.append(f"{shortest.min_length} to {longest.max_length}" if shortest else f"up to {longest.max_length}")
        words[-1] += " items" if "list[" in str(field.info.annotation) else " characters"
    return words


def default(field: ModelField) -> str:
    """Return the default of an input."""
    if field.info.is_required():
        return "**required**"
    if field.name in _DEFAULTS:
        return _DEFAULTS[field.name]
    if field.default is not None:
        value = field.default
        return f'default `"{value}"`' if isinstance(value, str) else f"default `{value}`"
    return "computed" if field.has(fields.Computed) else ""


def change(field: ModelField, known: dict[str, Any]) -> str:
    """Return the effect of a change of an input."""
    if field.has(fields.ProviderOnly):
        return "nothing is sent"
    how = "replaces" if field.has(fields.Replace) else "in place"
    if field.has(fields.GrowOnly):
        how += ", can only grow"
    if field.name in known.get("effects", ()):
        how += f" ([{'or in place' if field.has(fields.Replace) else 'effects'}](#what-a-change-does))"
    return how


def meaning(field: ModelField) -> str:
    """Return the description of a field, with sentences for its field options."""
    if field.name in _COMMON and field.info.description == fields.Inputs.model_fields[field.name].description:
        return f"{_COMMON[field.name]} {_SEE_COMMON}"
    words = [field.info.description or ""]
    if field.since:
        words.append(f"Needs {field.since.service} {field.since.microversion}.")
    if field.has(fields.Secret):
        words.append("Secret: encrypted in the state.")
    if field.has(fields.Advisory):
        words.append("A different choice of the cloud is not drift.")
    if field.has(fields.WriteOnly):
        words.append("The API does not return this value.")
    if field.has(fields.Set) and " set" not in words[0]:
        words.append("A set: the order is irrelevant.")
    return " ".join(words)


def nested_section(model: type[BaseModel], *, is_output: bool) -> str:
    """Return the section about a nested input."""
    rows = [[f"`{name}`", input_type(field), meaning(field)] for name, field in fields_of(model).items()]
    properties = table(["Property", "Type", "Meaning"], rows)
    text = f"{doc(model)} A plain `dict` works as well."
    if is_output:
        text += f" In an output the type is `{model.__name__}`."
    return f"### {sdk.arguments_name(model)}\n\n{text}\n\n{properties}\n\n"


def output_section(model: type[BaseModel]) -> str:
    """Return the section about a nested output."""
    rows = [
        [f"`{name}`", code(sdk.value(field.info.annotation)), meaning(field)]
        for name, field in fields_of(model).items()
    ]
    return f"### {model.__name__}\n\n{doc(model)}\n\n{table(['Property', 'Type', 'Meaning'], rows)}\n\n"
