"""`ecs-pulumi report`: summarize a preview in Markdown for a reviewer, and check it against rules."""

# ruff: noqa: T201 - the command writes to standard output

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from ecs_pulumi.notices import Notice, parse
from ecs_pulumi.report_rules import UNKNOWN, ReportRules
from ecs_pulumi.report_values import NOT_KNOWN, SECRET, changes, code, format_value, holds_secret, rank
from ecs_pulumi.sdk import DEFAULTS, KINDS, REPORT_RULES, SECRETS
from ecs_pulumi.streams import force_utf8, print_error, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

DESCRIPTION = """\
Convert the output of `pulumi preview --json` into a short Markdown summary. It lists the changes by effect, the worst
first: destroyed with its data, replaced, deleted, interrupted, disconnected, changed in place and created, each with
the properties that are the reason. Secret and long values are not shown."""
EPILOG = """\
effects for --forbid:
  destroy     data is lost: a volume is deleted, a server is deleted with its own disks, or a root disk is overwritten;
              or a floating IP is deleted with its address
  replace     a new object replaces the existing one
  delete      the object is deleted, with or without data
  forget      the object stays in the cloud, but the stack no longer manages it
  interrupt   the workload of a server is interrupted by a resize, a rebuild or a power_state
  disconnect  a port is no longer reachable at its floating IP
  update      the object is changed in place, with or without an interruption
  adopt       an existing object is imported
  create      the object is created

exit status:
  0  nothing forbidden would happen
  1  there is no preview to check: it failed, or the input or an argument is invalid; standard error has the reason
  2  something forbidden would happen; standard error has one line for each change"""

ECS = "pulumi-python:dynamic/ecs:"
EFFECTS = {
    "destroy": "Destroyed with its data",
    "replace": "Replaced",
    "delete": "Deleted",
    "forget": "Left in the cloud, no longer managed",
    "interrupt": "Interrupted",
    "disconnect": "Disconnected",
    "update": "Changed in place",
    "adopt": "Imported",
    "create": "Created",
}
"""All effects, the worst first, with the heading of the section of changes for which it is the worst effect."""

_UPDATES = {
    Notice.REBUILD: (("destroy", "interrupt"), "rebuilt: the data on its root disk are lost"),
    Notice.INTERRUPTS: (("interrupt",), "its workload is interrupted"),
    Notice.WAKES: ((), "it runs meanwhile"),
    Notice.DISCONNECTS: (("disconnect",), "the port that it led to is no longer reachable at its address"),
    Notice.MOVES: ((), "its data may move to other storage"),
    Notice.CUTS: ((), "connections that only the removed rules allow are cut"),
}
"""The effects and the note of an update in place, by the provider's notice about it. A create may have one as well."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FRAME = re.compile(r'^ *File "(.+)", line (\d+)', re.MULTILINE)
_OPS = ("create", "update", "replace", "delete", "import")
_MAX_LENGTH = 65_000
"""Maximum of characters: a comment on a pull request is limited to 65,536."""
_MAX_LINES = (50, 20, 8, 3)
"""Maximum of lines in a section; the smaller ones if the summary is too long otherwise."""
_MAX_MESSAGE = 1000
"""Maximum of characters of an error or a warning."""
_CAUTION = """\
> [!CAUTION]
> Nothing restores this data after the `up`. Back it up first, or keep the object, for example with `protect=True`."""
"""An alert, as GitHub and GitLab render it; elsewhere it is a quotation."""
_IN_A_SECTION = (Notice.DATA_LOSS, Notice.REBUILD)
"""Codes of warnings that are not listed, because the sections contain the same information."""


class ReportError(Exception):
    """The input is not a preview. The message is one line for the user."""


@dataclass(frozen=True)
class Change:
    """The planned change of one resource.

    Attributes:
        kind: Kind of the resource, such as `Server`; for a resource of another provider, its full type.
        name: Name of the resource in the program.
        effects: The effects, from `EFFECTS`, the worst first.
        reasons: The properties that are the reason, in Markdown.
        notes: The consequences, in Markdown.
    """

    kind: str
    name: str
    effects: tuple[str, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line of Markdown."""
        how = "replaced" if "replace" in self.effects else "deleted" if "delete" in self.effects else ""
        verb = how if self.effects[0] == "destroy" else ""
        reasons = f"{'because of ' if how else ''}{', '.join(self.reasons)}" if self.reasons else ""
        details = "; ".join(part for part in (" ".join(filter(None, (verb, reasons))), *self.notes) if part)
        return f"{self.kind_markdown} {code(self.name)}" + (f": {details}" if details else "")

    @property
    def kind_markdown(self) -> str:
        """The kind, in Markdown."""
        return self.kind if self.kind.isidentifier() else code(self.kind)


@dataclass(frozen=True)
class Preview:
    """The content of a preview.

    Attributes:
        stack: Project and stack.
        changes: The planned changes.
        same: Number of unchanged resources.
        errors: The errors; empty if the preview succeeded.
        warnings: The warnings.
    """

    stack: str
    changes: tuple[Change, ...]
    same: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def read(text: str) -> Preview:
    """Parse the output of `pulumi preview --json`.

    Raises:
        ReportError: The text has another format.
    """
    if not text.strip():
        raise ReportError("the preview wrote no result: its standard error has the reason, unless it was killed")
    try:
        document = json.loads(text)
        steps, summary = document.get("steps") or (), document.get("changeSummary") or {}
        diagnostics = document.get("diagnostics") or ()
        if not (steps or summary or diagnostics):
            raise ReportError("the input has no steps: it is not what `pulumi preview --json` prints")
        notices: dict[str, dict[Notice, list[str]]] = {}
        for each in diagnostics:
            notice, _, names = parse(str(each["message"]))
            if notice:
                notices.setdefault(str(each.get("urn") or ""), {})[notice] = names
        renamed = _renamed(steps)
        planned = [
            replace(change, notes=(*change.notes, *renamed.get(step["urn"], ())))
            for step in steps
            if (change := _change(step, notices))
        ]
        urns = [str(each.get("urn")).split("::") for each in (*steps, *diagnostics) if each.get("urn")]
        unchanged = int(summary.get("same") or 0) - any(step["op"] == "same" and _is_stack(step) for step in steps)
        return Preview(
            stack=f"{urns[0][1]}/{urns[0][0].rpartition(':')[2]}" if urns else "",
            changes=tuple(sorted(planned, key=lambda each: (each.kind, each.name))),
            same=unchanged,
            errors=tuple(_messages(diagnostics, "error")),
            warnings=tuple(text for notice, text in _warnings(diagnostics) if notice not in _IN_A_SECTION),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ReportError("the input is not what `pulumi preview --json` prints") from error


def _renamed(steps: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str]]:
    """Return a note for the URN of each new resource that has the known inputs of one of its kind that is deleted."""
    removed = [(step["urn"], _comparable(step["oldState"])) for step in steps if step["op"] == "delete"]
    notes = {}
    for step in steps:
        if step["op"] != "create":
            continue
        urn, inputs = step["urn"], _comparable(step.get("newState") or {})
        for other_urn, other_inputs in removed:
            both = {**other_inputs, **inputs}
            known = [key for key in both if not _is_unknown(inputs.get(key))]
            is_alike = all(other_inputs.get(key) == inputs.get(key) for key in known) and (known or not both)
            if is_alike and _kind_and_name(other_urn)[0] == _kind_and_name(urn)[0]:
                removed.remove((other_urn, other_inputs))
                other_name = _kind_and_name(other_urn)[1]
                # An alias with a name applies to the present parent; the URN contains the types of the parents.
                is_moved = other_urn.split("::", 3)[2] != urn.split("::", 3)[2]
                alias = f'"{other_urn}"' if is_moved else f'pulumi.Alias(name="{other_name}")'
                goal = f"{'move' if is_moved else 'rename'} that, add {code(f'aliases=[{alias}]')}"
                notes[urn] = (f"has the inputs of {code(other_name)}, which is deleted; to {goal}",)
                break
    return notes


def _is_unknown(value: object) -> bool:
    return isinstance(value, str) and value in UNKNOWN


def _comparable(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that a resource keeps under another name."""
    return {
        key: value for key, value in (state.get("inputs") or {}).items() if key != "name" and not key.startswith("__")
    }


def _kind_and_name(urn: str) -> tuple[str, str]:
    kind, name = urn.split("::", 3)[2:]
    return kind.rpartition("$")[2].removeprefix(ECS), name


def _is_stack(step: Mapping[str, Any]) -> bool:
    return str(step["urn"]).split("::")[2] == "pulumi:pulumi:Stack"


def _messages(diagnostics: Iterable[Mapping[str, Any]], severity: str) -> Iterator[str]:
    for diagnostic in diagnostics:
        message = str(diagnostic["message"])
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        if diagnostic.get("severity") == severity and lines:
            # The error of a traceback is in its last line.
            shown = lines if len(lines) == 1 else (_place(message) or lines[0], lines[-1])
            yield " ".join(shown).removeprefix(f"{severity}:").strip()


def _place(message: str) -> str:
    """Return the line of the program in a traceback that led to the error; empty for any other message."""
    places = _FRAME.findall(message) if "Traceback (most recent call last)" in message else ()
    own = [(file, line) for file, line in places if not file.startswith("<") and "-packages" not in file]
    return f"{PurePath(own[-1][0]).name}, line {own[-1][1]}:" if own else ""


def _warnings(diagnostics: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Notice | None, str]]:
    for message in _messages(diagnostics, "warning"):
        notice, text, _ = parse(message)
        yield notice, text


def _change(step: Mapping[str, Any], notices: Mapping[str, Mapping[Notice, Sequence[str]]]) -> Change | None:
    """Return the change of a step; None if the step changes no object.

    Args:
        step: The step.
        notices: The provider's notices by the URN of the resource; those about the whole run have an empty URN.
    """
    op, (kind, name) = step["op"], str(step["urn"]).split("::", 3)[2:]
    kind = kind.rpartition("$")[2]
    if op not in _OPS or kind.startswith(("pulumi:pulumi:", "pulumi:providers:")):
        return None
    old, new = step.get("oldState") or {}, step.get("newState") or {}
    ecs, kind = kind.startswith(ECS), kind.removeprefix(ECS)
    if op == "import":  # of another provider: Pulumi cannot import a resource of a dynamic one
        return Change(kind, name, ("adopt",), (), (f"{code(new.get('id'))} is imported",))
    if op == "create":
        inputs = (new.get("inputs") or {}) if ecs else {}
        if not inputs.get("adopt"):
            taken = [each for each in notices.get(step["urn"], ()) if each in _UPDATES]
            return Change(
                kind,
                name,
                (*_update_effects(taken), "create"),
                tuple(_shown(kind, name, new)) if ecs else (),
                tuple(_UPDATES[each][1] for each in taken),
            )
        return _imported(kind, name, inputs, {**notices.get("", {}), **notices.get(step["urn"], {})})
    changed, noticed = _changed(old, new) if new else {}, notices.get(step["urn"], {})
    if op == "update":
        updates = {notice: names for notice, names in noticed.items() if notice in _UPDATES}
        effects = [*_update_effects(updates), "update"]
        notes = [_note(notice, names, kind if ecs else "", old, new) for notice, names in updates.items()]
        # The preview masks secrets, so it does not show which ones change.
        hidden = [name for names in updates.values() for name in names if name not in changed]
        reasons = [*changed.values(), *(_reason(name, old, new) for name in hidden)]
    else:
        rules, outputs = _report_rules(kind) if ecs else ReportRules(), old.get("outputs") or {}
        kept = bool(old.get("retainOnDelete"))
        lost = [] if kept or Notice.NEVER_USABLE in noticed else rules.lost(outputs)
        first = "destroy" if lost else "forget" if kept else ""
        unreachable = "" if kept else rules.unreachable(outputs)
        effects = [effect for effect in (first, "" if kept and op == "delete" else op) if effect]
        effects += ["disconnect"] if unreachable else []
        # With `replace_on_changes` these are paths, such as `metadata.stage`.
        properties = dict.fromkeys(re.split(r"[.\[]", path)[0] for path in step.get("replaceReasons") or ())
        reasons = [changed.get(name) or _reason(name, old, new) for name in properties] or list(changed.values())
        note = f"lost: {' and '.join(lost)}" if lost else "" if kept or op != "delete" else rules.kept(outputs)
        notes = [each for each in (note, unreachable) if each]
    effects.sort(key=list(EFFECTS).index)
    return Change(kind, name, tuple(effects), tuple(reasons) if op != "delete" else (), tuple(notes))


def _update_effects(updates: Iterable[Notice]) -> list[str]:
    return [effect for effect in EFFECTS if any(effect in _UPDATES[each][0] for each in updates)]


def _note(notice: Notice, names: Iterable[str], kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return the consequence of an update, as precisely as the kind knows it."""
    if notice is not Notice.INTERRUPTS:
        return _UPDATES[notice][1]
    note = _report_rules(kind).interrupted(names, new.get("inputs") or {}, old.get("outputs") or {})
    return note or _UPDATES[notice][1]


def _shown(kind: str, name: str, state: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reviewer has to know of a new object in Markdown: its known inputs that are no defaults."""
    inputs, defaults = state.get("inputs") or {}, DEFAULTS.get(kind, {})
    for each in sorted(inputs, key=rank):
        value = inputs[each]
        if each.startswith("__") or value is None or value == defaults.get(each) or _is_id(value):
            continue
        if each == "name" and isinstance(value, str) and value.startswith(f"{name}-"):
            continue  # generated from the name of the resource
        text = "(secret)" if _secret(each, value, state) else format_value(value)
        if text not in ("", NOT_KNOWN):
            yield f"{code(each)} {text}"


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(_UUID.fullmatch(value))


def _report_rules(kind: str) -> ReportRules:
    module = REPORT_RULES.get(kind)
    rules: ReportRules = importlib.import_module(module).RULES if module else ReportRules()
    return rules


def _imported(kind: str, name: str, inputs: Mapping[str, Any], notices: Mapping[Notice, Sequence[str]]) -> Change:
    """Return the change of an existing object that is imported. A notice contains the properties that change."""
    adopted = "an object that is not known yet" if inputs["adopt"] in UNKNOWN else code(inputs["adopt"])
    changes = list(notices.get(Notice.IMPORT, ()))
    is_unchecked = inputs["adopt"] in UNKNOWN or Notice.NOT_CHECKED in notices
    # The provider has not compared these properties with the object, so they may differ.
    assumed = {
        each: notice
        for each, notice in _report_rules(kind).assumed(inputs).items()
        if inputs.get(each) and (is_unchecked or inputs[each] in UNKNOWN)
    }
    changes += [each for each in assumed if each not in changes]
    if not changes:
        return Change(kind, name, ("adopt",), notes=(adopted,))
    updates = [each for each in _UPDATES if each in notices or each in assumed.values()]
    doubt = " (not compared with the program yet)" if assumed else ""
    notes = (f"{adopted} is imported{doubt}", *(_UPDATES[each][1] for each in updates))
    return Change(kind, name, (*_update_effects(updates), "update", "adopt"), tuple(map(code, changes)), notes)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs whose desired value differs from the prior one, each with a description in Markdown."""
    desired, prior, outputs = new.get("inputs") or {}, old.get("inputs") or {}, old.get("outputs") or {}
    names = [
        name
        for name, value in desired.items()
        if not name.startswith("__") and name != "adopt" and value not in (prior.get(name), outputs.get(name))
    ]
    if not names:
        # The preview masks secrets, so a secret may have changed, also one in a map or list.
        names = [
            name
            for name, value in desired.items()
            if name in prior and not name.startswith("__") and (_secret(name, value, new) or holds_secret(value))
        ]
    return {name: _reason(name, old, new) for name in sorted(names)}


def _reason(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    desired, prior, outputs = new.get("inputs") or {}, old.get("inputs") or {}, old.get("outputs") or {}
    value, prior_value = desired.get(name), prior.get(name, outputs.get(name))
    if _secret(name, value, new) or _secret(name, prior_value, old) or (value == prior_value and holds_secret(value)):
        return f"{code(name)} (secret)"
    if name not in desired and name not in prior:
        return f"{code(name)} {format_value(prior_value)}".strip()  # an output, such as the status of a server
    return ", ".join(changes(name, prior_value, value))


def _secret(name: str, value: Any, state: Mapping[str, Any]) -> bool:
    if name in SECRETS or name in (state.get("additionalSecretOutputs") or ()):
        return value is not None
    return isinstance(value, str) and value == SECRET


def forbidden(changes: Iterable[Change], rules: Iterable[tuple[str, str]]) -> list[tuple[str, Change]]:
    """Return the changes that a rule forbids, each with the text of the rule.

    Args:
        changes: The planned changes.
        rules: Effect and kind; an empty kind matches every kind.
    """
    rules = tuple(rules)
    return [
        (effect + (f":{kind}" if kind else ""), change)
        for change in changes
        for effect, kind in rules
        if effect in change.effects and kind in ("", change.kind)
    ]


def markdown(preview: Preview, broken: Sequence[tuple[str, Change]] = ()) -> str:
    """Return the summary in Markdown.

    Args:
        preview: The preview.
        broken: The result of `forbidden`.
    """
    texts = (_markdown(preview, broken, lines) for lines in _MAX_LINES)
    return next((text for text in texts if len(text) <= _MAX_LENGTH), "") or _markdown(preview, broken, 1)


def _markdown(preview: Preview, broken: Sequence[tuple[str, Change]], most: int) -> str:
    """Return the summary with at most this number of lines in a section."""
    counts = Counter(change.effects[0] for change in preview.changes)
    total = ", ".join(f"{counts[effect]} {_LABELS[effect]}" for effect in EFFECTS if counts[effect])
    total = f"failed{' after ' * bool(total)}{total}" if preview.errors else total or "no changes"
    parts = [f"## Preview of {code(preview.stack) or 'the stack'}: {total}"]
    if preview.errors:
        heading = f"The preview failed{'; what follows is incomplete' if preview.changes else ''}"
        parts.append(_section(heading, map(_message, preview.errors), most))
    if broken:
        places = (f"{code(rule)}: {change.kind_markdown} {code(change.name)}" for rule, change in broken)
        parts.append(_section("Forbidden here", places, most))
    for effect, heading in EFFECTS.items():
        if effect == "update":
            parts.append(_section("Warnings", map(_message, preview.warnings), most))
        lines = [str(each) for each in preview.changes if each.effects[0] == effect]
        parts.append(_section(heading, lines, most, _CAUTION if effect == "destroy" else ""))
    if preview.same:
        parts.append(f"{preview.same} unchanged.")
    return "\n\n".join(filter(None, parts)) + "\n"


_LABELS = {
    "destroy": "destroyed with data",
    "replace": "replaced",
    "delete": "deleted",
    "forget": "no longer managed",
    "interrupt": "interrupted",
    "disconnect": "disconnected",
    "update": "changed in place",
    "adopt": "imported",
    "create": "created",
}


def _message(text: str) -> str:
    return code(text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…")


def _section(heading: str, lines: Iterable[str], most: int, note: str = "") -> str:
    items = list(lines)
    return "\n\n".join(filter(None, (f"### {heading} ({len(items)})", note, _list(items, most)))) if items else ""


def _list(items: Sequence[str], most: int) -> str:
    more = [f"… and {len(items) - most} more"] if len(items) > most else []
    return "\n".join(f"- {item}" for item in (*items[:most], *more))


def main(argv: Sequence[str] | None = None) -> int:
    """Read a preview and print its summary. The exit status shows if something is forbidden; see `--help`."""
    options = _options(argv)
    force_utf8(sys.stdin, sys.stdout, sys.stderr)
    file, log = options.preview, ""
    try:
        if options.log:
            log = options.log.read_text(encoding="utf-8", errors="replace")
        preview = read(file.read_text(encoding="utf-8") if file else sys.stdin.read())
    except (ReportError, UnicodeError) as error:
        lines = [line.strip().removeprefix("error:").strip() for line in log.splitlines() if line.strip()]
        reasons = lines or [str(error)]
        print(_failed(reasons), end="")
        print_error(f"the preview failed: {reasons[-1]}" if lines else error)
        return 1
    except OSError as error:
        print_error(f"{error.filename}: {error.strerror}")
        return 1
    broken = forbidden(preview.changes, options.forbid)
    print(markdown(preview, broken), end="")
    if preview.errors:
        print_error(f"the preview failed: {preview.errors[0]}")
        return 1
    for rule, change in broken:
        print(f"forbidden {rule}: {change}".replace("`", ""), file=sys.stderr)
    return 2 if broken else 0


def _failed(reasons: Sequence[str]) -> str:
    """Return the summary of a preview that wrote no result, such as one with a wrong passphrase."""
    listed = _list(list(map(_message, reasons)), _MAX_LINES[0])
    return f"## The preview failed\n\nIt wrote no result, so it is not known what would change.\n\n{listed}\n"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with 1, because argparse's own status, 2, is the one for a forbidden change."""
        print_error(message)
        self.exit(1)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="ecs-pulumi report",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "preview", metavar="FILE", nargs="?", type=Path, help="output of the preview (default: standard input)"
    )
    parser.add_argument(
        "--log",
        metavar="FILE",
        type=Path,
        help="standard error of the preview, which has the reason if it did not start, such as a wrong passphrase",
    )
    parser.add_argument(
        "--forbid",
        metavar="EFFECT[:KIND]",
        action="extend",
        default=[],
        type=_rules,
        help="exit with 2 if this would happen, for example replace:Server,destroy; can be repeated",
    )
    return parser.parse_args(argv)


def _rules(text: str) -> list[tuple[str, str]]:
    rules = []
    for rule in filter(None, (part.strip() for part in text.split(","))):
        effect, _, kind = rule.partition(":")
        if effect not in EFFECTS:
            raise argparse.ArgumentTypeError(f'there is no effect "{effect}"; there is {", ".join(EFFECTS)}')
        # Reject a misspelled kind, which would match nothing. A kind of another provider is given as its full type.
        if kind and kind not in KINDS and ":" not in kind:
            raise argparse.ArgumentTypeError(f'there is no kind "{kind}"; there is {", ".join(KINDS)}')
        rules.append((effect, kind))
    return rules


if __name__ == "__main__":
    sys.exit(run(main))
