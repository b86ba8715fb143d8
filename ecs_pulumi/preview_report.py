"""`python -m ecs_pulumi.preview_report`: what a preview would do, in Markdown for whoever has to approve it."""

# ruff: noqa: T201 - a command speaks by printing

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ecs_pulumi.notices import Notice, parse
from ecs_pulumi.streams import force_utf8, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

DESCRIPTION = """\
Turn what `pulumi preview --json` printed into a short Markdown summary, the worst first: what is destroyed with its
data, replaced, deleted, restarted, changed in place and created, each with the properties that are the reason. Values
that are secret or long are not shown."""
EPILOG = """\
effects that --forbid knows:
  destroy  data is lost: a volume goes, a server goes with disks of its own, or its root disk is written anew
  replace  a new object takes the old one's place
  delete   it goes, with or without data
  forget   it stays in the cloud, but the stack no longer manages it
  restart  what runs in a server is interrupted: by a resize, a rebuild, or a power_state
  update   it is changed in place, with or without a restart
  adopt    it exists, and the stack takes it over
  create   it is made

exit status:
  0  nothing that is forbidden would happen
  1  there is no preview to judge: it failed, or the input or a parameter is wrong; one line says what
  2  something that is forbidden would happen; one line each says what"""

ECS = "pulumi-python:dynamic/ecs:"
KINDS = (
    "InterfaceAttachment",
    "KeyPair",
    "Network",
    "Port",
    "Server",
    "Subnet",
    "Volume",
    "VolumeAttachment",
)
EFFECTS = {
    "destroy": "Destroyed with its data",
    "replace": "Replaced",
    "delete": "Deleted",
    "forget": "Left in the cloud, no longer managed",
    "restart": "Restarted",
    "update": "Changed in place",
    "adopt": "Taken over",
    "create": "Created",
}
"""Every effect, the worst first, with the heading of what has it as its worst."""

_OPS = ("create", "update", "replace", "delete")
_SECRET = "[secret]"  # noqa: S105  (how the engine writes one)
_SECRET_PROPERTIES = ("admin_pass", "user_data", "personality", "private_key")
_UNKNOWN = {
    # What stands in a preview for a value that is not known yet: text, boolean, number, list, map, asset, archive.
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
}
_REBUILT = "rebuilt: what is on its root disk is lost"
_LONGEST_VALUE = 60
_LONGEST_LIST = 50
"""Lines in a section: a comment holds 65,536 characters, and nobody reads more."""
_OFF = ("shutoff", "shelved_offloaded")
_IN_A_SECTION = (Notice.DATA_LOSS, Notice.REBUILD)
"""Warnings of what the report has a section for."""


class ReportError(Exception):
    """There is no preview to report on; one line for a user."""


@dataclass(frozen=True)
class Change:
    """What would happen to one resource.

    Attributes:
        kind: Its kind, such as `Server`; of another provider's resource the whole type.
        name: Its name in the program.
        effects: What happens, of `EFFECTS`, the worst first.
        reasons: The properties that are the reason, in Markdown.
        notes: What it means, in Markdown.
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
        because = f"because of {', '.join(self.reasons)}" if self.reasons else ""
        said = "; ".join(part for part in (" ".join(filter(None, (verb, because))), *self.notes) if part)
        return f"{self.of} {code(self.name)}" + (f": {said}" if said else "")

    @property
    def of(self) -> str:
        """Its kind, in Markdown."""
        return self.kind if self.kind in KINDS else code(self.kind)


@dataclass(frozen=True)
class Preview:
    """What a preview says.

    Attributes:
        of: Project and stack.
        changes: What would happen.
        same: How many resources stay as they are.
        errors: Why it failed; empty where it did not.
        warnings: What it warned of.
    """

    of: str
    changes: tuple[Change, ...]
    same: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def read(text: str) -> Preview:
    """Read what `pulumi preview --json` printed.

    Raises:
        ReportError: it is something else.
    """
    try:
        said = json.loads(text)
        steps, summary = said.get("steps") or (), said.get("changeSummary") or {}
        diagnostics = said.get("diagnostics") or ()
        if not (steps or summary or diagnostics):
            raise ReportError("the input has no steps: it is not what `pulumi preview --json` prints")
        notices: dict[str, dict[Notice, list[str]]] = {}
        for each in diagnostics:
            notice, _, names = parse(str(each["message"]))
            if notice:
                notices.setdefault(str(each.get("urn") or ""), {})[notice] = names
        changes = [change for step in steps if (change := _change(step, notices))]
        urns = [str(each.get("urn")).split("::") for each in (*steps, *diagnostics) if each.get("urn")]
        unchanged = int(summary.get("same") or 0) - any(step["op"] == "same" and _is_stack(step) for step in steps)
        return Preview(
            of=f"{urns[0][1]}/{urns[0][0].rpartition(':')[2]}" if urns else "",
            changes=tuple(sorted(changes, key=lambda each: (each.kind, each.name))),
            same=unchanged,
            errors=tuple(_messages(diagnostics, "error")),
            warnings=tuple(text for notice, text in _warnings(diagnostics) if notice not in _IN_A_SECTION),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        reason = "the input is not what `pulumi preview --json` prints; where it is empty, see what the preview said"
        raise ReportError(reason) from error


def _is_stack(step: Mapping[str, Any]) -> bool:
    return str(step["urn"]).split("::")[2] == "pulumi:pulumi:Stack"


def _messages(diagnostics: Iterable[Mapping[str, Any]], severity: str) -> Iterator[str]:
    for said in diagnostics:
        lines = [line.strip() for line in str(said["message"]).splitlines() if line.strip()]
        if said.get("severity") == severity and lines:
            # Of a traceback, the end is what counts.
            ends = lines if len(lines) == 1 else (lines[0], lines[-1])
            yield " ".join(ends).removeprefix(f"{severity}:").strip()


def _warnings(diagnostics: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Notice | None, str]]:
    for message in _messages(diagnostics, "warning"):
        notice, text, _ = parse(message)
        yield notice, text


def _change(step: Mapping[str, Any], notices: Mapping[str, Mapping[Notice, Sequence[str]]]) -> Change | None:
    """What a step does; None for what is no change of an object.

    Args:
        step: The step.
        notices: The provider's notices about each resource, by its URN; those of the whole run under an empty one.
    """
    op, (kind, name) = step["op"], str(step["urn"]).split("::", 3)[2:]
    kind = kind.rpartition("$")[2]
    if op not in _OPS or kind.startswith(("pulumi:pulumi:", "pulumi:providers:")):
        return None
    old, new = step.get("oldState") or {}, step.get("newState") or {}
    ecs, kind = kind.startswith(ECS), kind.removeprefix(ECS)
    if op == "create":
        inputs = (new.get("inputs") or {}) if ecs else {}
        if not inputs.get("adopt"):
            return Change(kind, name, ("create",))
        return _imported(kind, name, inputs, {**notices.get("", {}), **notices.get(step["urn"], {})})
    changed = _changed(old, new) if new else {}
    if op == "update":
        said = {**notices.get("", {}), **notices.get(step["urn"], {})}
        restart, notes = _restart(old, new, changed, said) if ecs and kind == "Server" else ([], [])
        effects = [*restart, "update"]
        reasons = list(changed.values())
        if _REBUILT in notes and Notice.REBUILD in said and changed.keys().isdisjoint(("image", "personality")):
            reasons.append(_reason("personality", old, new))
    else:
        kept = bool(old.get("retainOnDelete"))
        notes = [] if kept or not ecs else _lost(kind, old)
        first = "destroy" if notes else "forget" if kept else ""
        effects = [effect for effect in (first, "" if kept and op == "delete" else op) if effect]
        named = step.get("replaceReasons") or ()
        reasons = [changed.get(reason) or _reason(reason, old, new) for reason in named] or list(changed.values())
        if ecs and op == "delete" and not notes and kind == "Server" and not kept:
            notes = ["its disks stay"]
    effects.sort(key=list(EFFECTS).index)
    return Change(kind, name, tuple(effects), tuple(reasons) if op != "delete" else (), tuple(notes))


def _imported(kind: str, name: str, inputs: Mapping[str, Any], notices: Mapping[Notice, Sequence[str]]) -> Change:
    """What becomes of an existing object that the stack imports; a notice names what is changed in it."""
    adopted = "what is not known yet" if inputs["adopt"] in _UNKNOWN else code(inputs["adopt"])
    changes, doubtful = list(notices.get(Notice.IMPORT, ())), []
    if kind == "Server":
        unseen = inputs["adopt"] in _UNKNOWN or Notice.NOT_CHECKED in notices
        rebuilds = inputs.get("image_policy") == "rebuild" or inputs.get("image_policy") in _UNKNOWN
        names = ("flavor", "image", "power_state") if rebuilds else ("flavor", "power_state")
        # What nobody has compared may differ.
        doubtful = [each for each in names if inputs.get(each) and (unseen or inputs[each] in _UNKNOWN)]
        changes += [each for each in doubtful if each not in changes]
    if not changes:
        return Change(kind, name, ("adopt",), notes=(adopted,))
    doubt = " (nobody has compared it with that yet)" if doubtful else ""
    effects, notes = {"adopt", "update"}, [f"{adopted} is taken over{doubt}"]
    if kind == "Server" and "image" in changes:
        effects |= {"destroy", "restart"}
        notes.append(_REBUILT)
    if kind == "Server" and ("flavor" in changes or ("power_state" in changes and inputs["power_state"] != "active")):
        effects.add("restart")
        notes.append("what runs in it is interrupted")
    worst_first = tuple(sorted(effects, key=list(EFFECTS).index))
    return Change(kind, name, worst_first, tuple(map(code, changes)), tuple(notes))


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """The properties that the program says otherwise than before, each with what to show of it."""
    asked, before, seen = new.get("inputs") or {}, old.get("inputs") or {}, old.get("outputs") or {}
    names = [
        name
        for name, value in asked.items()
        if not name.startswith("__") and name != "adopt" and value not in (before.get(name), seen.get(name))
    ]
    if not names:
        # A changed secret looks as it did before.
        names = [name for name, value in asked.items() if _secret(name, value, new) and name in before]
    return {name: _reason(name, old, new) for name in sorted(names)}


def _reason(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    asked, before, seen = new.get("inputs") or {}, old.get("inputs") or {}, old.get("outputs") or {}
    if name not in asked:
        return f"{code(name)} {_shown(seen.get(name))}".strip()
    value, was = asked[name], before.get(name, seen.get(name))
    if _secret(name, value, new) or _secret(name, was, old):
        return f"{code(name)} (secret)"
    shown = " → ".join(filter(None, (_shown(was), _shown(value))))
    return f"{code(name)} {shown}".strip()


def _secret(name: str, value: Any, state: Mapping[str, Any]) -> bool:
    if name in _SECRET_PROPERTIES or name in (state.get("additionalSecretOutputs") or ()):
        return value is not None
    return isinstance(value, str) and value == _SECRET


def _shown(value: Any) -> str:
    """A short plain value; nothing of what is long or has parts."""
    if isinstance(value, str) and value in _UNKNOWN:
        return "not known yet"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, (str, int, float)) and len(str(value)) <= _LONGEST_VALUE:
        return code(f"{value:g}" if isinstance(value, float) else str(value))
    return ""


def _restart(
    old: Mapping[str, Any], new: Mapping[str, Any], changed: Mapping[str, str], notices: Collection[Notice]
) -> tuple[list[str], list[str]]:
    """The effects of a server's update on what runs in it, and the words for them."""
    asked, seen = new.get("inputs") or {}, old.get("outputs") or {}
    effects, notes = [], []
    running = seen.get("power_state") not in _OFF
    # Whether a personality has changed no secret shows; where the provider did not look it may have.
    unseen = "personality" in asked and Notice.NOT_CHECKED in notices
    if asked.get("image_policy") == "rebuild" and ("image" in changed or Notice.REBUILD in notices or unseen):
        effects = ["destroy", "restart"]
        notes.append(_REBUILT)
    if "flavor" in changed and running:
        effects.append("restart")
        stop = asked.get("stop_before_resize") is not False
        notes.append("stopped, resized and started again" if stop else "resized, which interrupts it")
    if "power_state" in changed and running:
        effects.append("restart")
        notes.append(f"{code('power_state')} interrupts it")
    return sorted({*effects}), notes


def _lost(kind: str, old: Mapping[str, Any]) -> list[str]:
    """What data goes with an object, in words; nothing where none does."""
    seen = old.get("outputs") or {}
    if kind == "Volume":
        size = seen.get("size")
        return [f"its data, {size:g} GiB, are lost" if isinstance(size, (int, float)) else "its data are lost"]
    if kind != "Server":
        return []
    lost = []
    disks = [item for item in seen.get("block_devices") or () if isinstance(item, dict)]
    own = [item for item in disks if item.get("destination_type") == "local"]
    if seen.get("image_id") or own or (seen.get("image") and not disks):
        lost.append("its local disk is lost")
    attached = [item for item in seen.get("volumes_attached") or () if isinstance(item, dict)]
    doomed = [str(item["id"]) for item in attached if item.get("delete_on_termination")]
    untold = any("delete_on_termination" not in item for item in attached)
    if doomed:
        lost.append(f"{'volumes' if len(doomed) > 1 else 'volume'} {', '.join(map(code, doomed))} lost with it")
    elif untold and (count := sum(bool(item.get("delete_on_termination")) for item in disks if item not in own)):
        # Not every API tells of a volume whether it goes; the program did when the server was made.
        lost.append(f"{count} volume{'s' if count > 1 else ''} lost with it (`delete_on_termination`)")
    return lost


def code(text: object) -> str:
    """A text as code in Markdown, whatever is in it: no markup, mention or line break of its own."""
    said = re.sub(r"[`\x00-\x1f\x7f]", " ", str(text)).strip()
    return f"`{said}`" if said else ""


def forbidden(changes: Iterable[Change], rules: Iterable[tuple[str, str]]) -> list[tuple[str, Change]]:
    """The changes that a rule forbids, each with the rule in words.

    Args:
        changes: What would happen.
        rules: Effect and kind; an empty kind is any.
    """
    rules = tuple(rules)
    return [
        (effect + (f":{kind}" if kind else ""), change)
        for change in changes
        for effect, kind in rules
        if effect in change.effects and kind in ("", change.kind)
    ]


def markdown(preview: Preview, broken: Sequence[tuple[str, Change]] = ()) -> str:
    """The summary.

    Args:
        preview: What the preview says.
        broken: What `forbidden` returned.
    """
    counts = Counter(change.effects[0] for change in preview.changes)
    total = ", ".join(f"{counts[effect]} {_WORDS[effect]}" for effect in EFFECTS if counts[effect])
    total = f"failed{' after ' * bool(total)}{total}" if preview.errors else total or "no changes"
    parts = [f"## Preview of {code(preview.of) or 'the stack'}: {total}"]
    if preview.errors:
        parts.append(_section("The preview failed; what follows is incomplete", map(code, preview.errors)))
    if broken:
        told = (f"{code(rule)}: {change.of} {code(change.name)}" for rule, change in broken)
        parts.append(_section("Forbidden here", told))
    for effect, heading in EFFECTS.items():
        parts.append(_section(heading, [str(each) for each in preview.changes if each.effects[0] == effect]))
    parts.append(_section("Warnings", map(code, preview.warnings)))
    if preview.same:
        parts.append(f"{preview.same} unchanged.")
    return "\n\n".join(filter(None, parts)) + "\n"


_WORDS = {
    "destroy": "destroyed with data",
    "replace": "replaced",
    "delete": "deleted",
    "forget": "no longer managed",
    "restart": "restarted",
    "update": "changed in place",
    "adopt": "taken over",
    "create": "created",
}


def _section(heading: str, lines: Iterable[str]) -> str:
    said = list(lines)
    if not said:
        return ""
    more = [f"… and {len(said) - _LONGEST_LIST} more"] if len(said) > _LONGEST_LIST else []
    return f"### {heading} ({len(said)})\n\n" + "\n".join(f"- {line}" for line in (*said[:_LONGEST_LIST], *more))


def main(argv: Sequence[str] | None = None) -> int:
    """Read a preview, print its summary, and say by the exit status whether it may go on; see `--help`."""
    options = _options(argv)
    force_utf8(sys.stdin, sys.stdout, sys.stderr)
    try:
        text = options.preview.read_text(encoding="utf-8") if options.preview else sys.stdin.read()
        preview = read(text)
    except (ReportError, UnicodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {options.preview}: {error.strerror}", file=sys.stderr)
        return 1
    broken = forbidden(preview.changes, options.forbid)
    print(markdown(preview, broken), end="")
    if preview.errors:
        print(f"error: the preview failed: {preview.errors[0]}", file=sys.stderr)
        return 1
    for rule, change in broken:
        print(f"forbidden {rule}: {change}".replace("`", ""), file=sys.stderr)
    return 2 if broken else 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Argparse's own status for this, 2, is that of something forbidden."""
        self.exit(1, f"error: {message}\n")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m ecs_pulumi.preview_report",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "preview", metavar="FILE", nargs="?", type=Path, help="what the preview printed (default: standard input)"
    )
    parser.add_argument(
        "--forbid",
        metavar="EFFECT[:KIND]",
        action="extend",
        default=[],
        type=_rules,
        help="exit with 2 if this would happen, for example replace:Server,destroy; may be given more than once",
    )
    return parser.parse_args(argv)


def _rules(text: str) -> list[tuple[str, str]]:
    rules = []
    for rule in filter(None, (part.strip() for part in text.split(","))):
        effect, _, kind = rule.partition(":")
        if effect not in EFFECTS:
            raise argparse.ArgumentTypeError(f'there is no effect "{effect}"; there is {", ".join(EFFECTS)}')
        # A misspelled kind would let everything pass; another provider's is written as its whole type.
        if kind and kind not in KINDS and ":" not in kind:
            raise argparse.ArgumentTypeError(f'there is no kind "{kind}"; there is {", ".join(KINDS)}')
        rules.append((effect, kind))
    return rules


if __name__ == "__main__":
    sys.exit(run(main))
