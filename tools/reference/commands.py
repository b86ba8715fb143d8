"""The page about the command line, from the descriptions and options of the commands."""

from __future__ import annotations

import argparse
import importlib
import re
from typing import TYPE_CHECKING, Any, NoReturn
from unittest import mock

from ecs_pulumi.cli import COMMANDS
from tools.reference.markdown import code, link, one_line, page, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_SEE = {
    "adopt": ["../how-to/import.md", "../how-to/terraform.md"],
    "orphans": [
        "../how-to/failures.md#interrupted-runs",
        "../how-to/failures.md#ecs-pulumi-orphans-does-not-list-an-object",
    ],
    "report": ["../how-to/ci.md"],
    "emulator": ["../tutorial.md", "../clouds/open-telekom-cloud.md#try-a-program-on-the-emulator"],
}
_ITEM = re.compile(r"^  (\S.*?)(?:  +(\S.*))?$")
_CONTINUED = re.compile(r"^ {6,}\S")


class _Parser(Exception):  # noqa: N818 - no error
    """Carries the parser of a command out of the command."""


def commands_page() -> str:
    """Return the page about the commands."""
    rows = [[f"[`ecs-pulumi {name}`](#ecs-pulumi-{name})", _sentence(text)] for name, (_, text) in COMMANDS.items()]
    sections = [_section(name, module, text) for name, (module, text) in COMMANDS.items()]
    return page("commands", commands=table(["Command", "Purpose"], rows), sections="\n\n".join(sections))


def parser_of(module: str) -> argparse.ArgumentParser:
    """Return the parser of a command.

    Args:
        module: Its module in the package.
    """

    def give(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        raise _Parser(parser)

    main: Callable[[list[str]], int] = importlib.import_module(f"ecs_pulumi.{module}").main
    with mock.patch.object(argparse.ArgumentParser, "parse_args", give):
        try:
            main([])
        except _Parser as found:
            parser: argparse.ArgumentParser = found.args[0]
            return parser
    raise SystemExit(f"ecs_pulumi.{module} does not parse its arguments")


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments and options of a command, without `--help`."""
    return [each for each in parser._actions if not isinstance(each, argparse._HelpAction)]  # noqa: SLF001


def _section(name: str, module: str, purpose: str) -> str:
    heading = f"## ecs-pulumi {name}"
    if not module:
        return f"{heading}\n\n{_sentence(purpose)}"
    parser = parser_of(module)
    parts = [
        heading,
        *_blocks(parser.description or ""),
        f"```\n{_usage(parser)}\n```",
        *_groups(parser),
        *_blocks(parser.epilog or ""),
        f"See {' and '.join(map(link, _SEE[name]))}." if name in _SEE else "",
    ]
    return "\n\n".join(filter(None, parts))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _usage(parser: argparse.ArgumentParser) -> str:
    """Return the form of the command; that of argparse differs between versions of Python."""
    positional = [f"[{each.metavar}]" for each in options_of(parser) if not each.option_strings]
    return " ".join((parser.prog, "[options]", *positional))


def _groups(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the tables of the arguments, each group with a description of its own after its title."""
    groups = [(group, group._group_actions) for group in parser._action_groups]  # noqa: SLF001
    described = [each for each in groups if each[0].description]
    for group, actions in described:
        yield f"**{_sentence(group.title or '')}** {_sentence(group.description or '')}"
        yield _table(actions)
    if described:
        yield "**Other options**"
    taken = {id(action) for _, actions in described for action in actions}
    yield _table([action for action in options_of(parser) if id(action) not in taken])


def _table(actions: Iterable[argparse.Action]) -> str:
    rows = []
    for action in actions:
        text = (action.help or "") % {**vars(action), "prog": ""}
        rows.append([_names(action), _marked(one_line(text))])
    return table(["Argument", "Meaning"], rows)


def _names(action: argparse.Action) -> str:
    """Return an option with its short form and its value."""
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        return code(str(value))
    names = ", ".join(map(code, action.option_strings))
    return names if action.nargs == 0 else f"{names} {code(f'[{value} …]' if action.nargs == '*' else str(value))}"


def _blocks(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text as Markdown: indented lines are a table, or commands.

    Args:
        text: The text, as the terminal shows it.
    """
    for paragraph in filter(None, text.split("\n\n")):
        lines = paragraph.splitlines()
        if re.fullmatch(r"[\w -]+:", lines[0]) and len(lines) > 1:
            title = lines[0].removesuffix(":")
            yield f"**{title[0].upper()}{title[1:]}**"
            lines = lines[1:]
        if not lines[0].startswith("  "):
            text = _marked(one_line(paragraph))
            yield f"{text[0].upper()}{text[1:]}"
        elif lines[0].startswith("  ecs-pulumi"):
            yield "```\n" + "\n".join(line[2:] for line in lines) + "\n```"
        else:
            yield table(["", "Meaning"], [[code(key), _marked(meaning)] for key, meaning in _items(lines)])


def _items(lines: list[str]) -> list[tuple[str, str]]:
    """Return the items of a list with two columns; the second one may have several lines."""
    found: list[tuple[str, str]] = []
    for line in lines:
        item = _ITEM.match(line)
        if _CONTINUED.match(line) or not item:
            found[-1] = found[-1][0], f"{found[-1][1]} {line.strip()}"
        else:
            found.append((item[1], item[2] or ""))
    return found


def _marked(text: str) -> str:
    """Return a text with options and variables as code, unless they are in a quotation."""
    parts = re.split(r"(`[^`]*`|\"[^\"]*\"|'[^' ]+')", text)
    plain = re.compile(r"(?<![\w`-])(--[a-z-]+(?: [A-Z]+\b)?|[A-Z]+_[A-Z_]*\*?|ecs:\w+|\w+=[\w|]+|<\w+>)")
    return "".join(
        part if at % 2 and part.startswith("`") else code(part.strip(part[0])) if at % 2 else plain.sub(r"`\1`", part)
        for at, part in enumerate(parts)
    )
