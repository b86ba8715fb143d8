"""A program's text, laid out as `ruff format` would."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

WIDTH = 88
_INDENT = 4
_TAKEN = {"ecs", "pulumi", *dir(builtins), *keyword.kwlist, *keyword.softkwlist}


@dataclass(frozen=True)
class Ref:
    """An output of another resource of the program, or without one the resource itself."""

    variable: str
    output: str = "id"


@dataclass(frozen=True)
class Call:
    """A call of a function with arguments by keyword."""

    function: str
    arguments: Mapping[str, Any]


def declaration(target: str, name: str, inputs: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """A resource: its comments, and its constructor's call with one argument on each line.

    Args:
        target: What stands before the bracket, `web = ecs.Server` say.
        name: Name of the resource.
        inputs: Its inputs; a value may contain `Ref`s.
        comments: Lines of comment.
    """
    pad = " " * _INDENT
    arguments = [_quoted(name), *(f"{key}={_value(item, _INDENT, len(key) + 1)}" for key, item in inputs.items())]
    remarks = (f"# {printable(line)}\n" for line in comments)
    return "".join([*remarks, f"{target}(\n", *(f"{pad}{a},\n" for a in arguments), ")\n"])


def call(target: str, arguments: Mapping[str, Any]) -> str:
    """A call that stands alone, on one line if it fits there.

    Args:
        target: What stands before the bracket, `net = ecs.get_network` say.
        arguments: Its arguments by keyword.
    """
    return f"{_value(Call(target, arguments), 0, -1)}\n"


def _value(value: Any, indent: int, before: int) -> str:
    """The value, on one line if it fits there behind `before` characters and with a comma, else one item on each."""
    line = _on_one_line(value)
    if indent + before + len(line) + 1 <= WIDTH or not value or not isinstance(value, (Call, Mapping, list)):
        return line
    deeper = indent + _INDENT
    if isinstance(value, Call):
        items = [f"{key}={_value(item, deeper, len(key) + 1)}" for key, item in value.arguments.items()]
        opening, closing = f"{value.function}(", ")"
    elif isinstance(value, Mapping):
        keys = {key: f"{_quoted(key)}: " for key in value}
        items = [keys[key] + _value(item, deeper, len(keys[key])) for key, item in value.items()]
        opening, closing = "{}"
    else:
        items = [_value(item, deeper, 0) for item in value]
        opening, closing = "[]"
    # The comma after the last one tells formatters to leave it so.
    lines = [f"{' ' * deeper}{item},\n" for item in items]
    return f"{opening}\n{''.join(lines)}{' ' * indent}{closing}"


def _on_one_line(value: Any) -> str:
    if isinstance(value, Ref):
        return f"{value.variable}.{value.output}" if value.output else value.variable
    if isinstance(value, Call):
        arguments = ", ".join(f"{key}={_on_one_line(item)}" for key, item in value.arguments.items())
        return f"{value.function}({arguments})"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)}: {_on_one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_on_one_line, value)) + "]"
    return repr(value)


def _quoted(text: str) -> str:
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join("\\" + c if c == quote else c if c in "'\"" else repr(c)[1:-1] for c in text) + quote


def printable(text: str) -> str:
    """The text without what would end a line of a program, or cannot stand in one."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def snake(kind: str) -> str:
    """A kind's name as that of a variable: `KeyPair` is `key_pair`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def resource_name(label: str, kind: str, used: Collection[str]) -> str:
    """A name for a resource that none of its kind has yet."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", _ascii(label)).strip("-") or snake(kind).replace("_", "-")
    return _unused(name, "-", used)


def stem(label: str, kind: str) -> str:
    """A variable's name for an object of this name, not yet unique."""
    name = re.sub(r"[^a-z0-9]+", "_", _ascii(label).lower()).strip("_")
    if not name or name in _TAKEN:
        return f"{name}_{snake(kind)}".lstrip("_")
    return name if name.isidentifier() else f"{snake(kind)}_{name}"


def variable(name: str, kind: str, shared: Collection[str], used: Collection[str]) -> str:
    """A variable of this stem that is not used yet, with the kind behind it where objects of other kinds share it."""
    if name in shared and not name.endswith(snake(kind)):
        name = f"{name}_{snake(kind)}"
    return _unused(name, "_", used)


def _unused(name: str, glue: str, used: Collection[str]) -> str:
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}{glue}{number}"
    return candidate
