"""Source text of a program, formatted as by `ruff format`."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_pulumi.resources.registry import module_of
from ecs_pulumi.streams import in_one_line

if TYPE_CHECKING:
    from collections.abc import Collection

WIDTH = 88
_INDENT = 4
_RESERVED = {"ecs", "pulumi", *dir(builtins), *keyword.kwlist, *keyword.softkwlist}


@dataclass(frozen=True)
class Ref:
    """A reference to an output of another resource of the program; to the resource itself if `output` is empty."""

    variable: str
    output: str = "id"


@dataclass(frozen=True)
class Call:
    """A function call with keyword arguments."""

    function: str
    arguments: Mapping[str, Any]


def declaration(target: str, name: str, inputs: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """Return a resource declaration: its comments, and the constructor call with one argument per line.

    Args:
        target: The text before the opening parenthesis, such as `web = ecs.Server`.
        name: Name of the resource.
        inputs: Its inputs; a value may contain `Ref`s.
        comments: Lines of comment.
    """
    pad = " " * _INDENT
    arguments = [_quoted(name), *(f"{key}={_value(item, _INDENT, len(key) + 1)}" for key, item in inputs.items())]
    return "".join([*map(comment, comments), f"{target}(\n", *(f"{pad}{a},\n" for a in arguments), ")\n"])


def comment(line: str) -> str:
    """Return a line of comment."""
    return f"# {in_one_line(line)}\n"


def call(target: str, arguments: Mapping[str, Any]) -> str:
    """Return a statement with a function call, on one line if it fits.

    Args:
        target: The text before the opening parenthesis, such as `net = ecs.get_network`.
        arguments: Its keyword arguments.
    """
    return f"{_value(Call(target, arguments), 0, -1)}\n"


def _value(value: Any, indent: int, before: int) -> str:
    """Format a value on one line if it fits after `before` characters and with a comma, else one item per line."""
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
    # The trailing comma keeps a formatter from joining the lines.
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


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def resource_name(label: str, kind: str, used: Collection[str]) -> str:
    """Return a name for a resource that is unique within its kind."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", _ascii(label)).strip("-") or module_of(kind).replace("_", "-")
    return _unused(name, "-", used)


def stem(label: str, kind: str) -> str:
    """Return a variable name for an object with this label; it may not be unique."""
    name = re.sub(r"[^a-z0-9]+", "_", _ascii(label).lower()).strip("_")
    if not name or name in _RESERVED:
        return f"{name}_{module_of(kind)}".lstrip("_")
    return name if name.isidentifier() else f"{module_of(kind)}_{name}"


def variable(name: str, kind: str, shared: Collection[str], used: Collection[str]) -> str:
    """Return an unused variable name. The kind is appended if objects of several kinds share the name."""
    if name in shared and not name.endswith(module_of(kind)):
        name = f"{name}_{module_of(kind)}"
    return _unused(name, "_", used)


def _unused(name: str, separator: str, used: Collection[str]) -> str:
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}{separator}{number}"
    return candidate
