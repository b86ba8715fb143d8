"""The command line of `python -m ecs_pulumi.adopt`."""

# ruff: noqa: T201 - a command speaks by printing

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import SecretStr
from pydantic.alias_generators import to_camel

from ecs_pulumi.adopt.landscape import KINDS, CloudInventory
from ecs_pulumi.adopt.program import program
from ecs_pulumi.adopt.text import printable
from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic.kind import get_handler
from ecs_pulumi.resources.common import markers_of, parse_owner_marker
from ecs_pulumi.stack import Stack, StackError, load_stack, project_file
from ecs_pulumi.streams import force_utf8, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ecs_pulumi.adopt.landscape import Candidate
    from ecs_pulumi.resources.common import Clients

DESCRIPTION = """\
Writes a Pulumi program that takes over what exists: servers, volumes, networks, subnets, ports, key pairs and
attachments, with references between them. Its first `pulumi up` changes nothing in the cloud.

The cloud is that of the current stack's settings in a project's folder, and elsewhere that of OS_CLOUD or the other
OS_* variables. Nothing is written to the cloud."""
EPILOG = """\
examples:
  python -m ecs_pulumi.adopt --all --output __main__.py
  python -m ecs_pulumi.adopt --name 'shop-*' --tag production
  python -m ecs_pulumi.adopt --all --kind network,subnet

What is picked brings along what it needs: a server its ports, networks, volumes, attachments and key pair. What other
projects own and the ports of routers and DHCP are never taken over; shared and external networks are looked up. What
the stack has already is left out. The settings that the program needs are printed on standard error.

Each resource is protected: `pulumi destroy`, or an `up` without it in the program, fails instead of deleting it. Remove
protect=True and run `pulumi up`, or run `pulumi state unprotect --all`, where the stack is to delete it.

exit status: 0 a program was written, 2 something went wrong; one line says what"""
_SPELLINGS = {kind.lower(): kind for kind in KINDS}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the program; see `--help`."""
    force_utf8(sys.stdout, sys.stderr)
    options = _options(argv)
    try:
        stack = load_stack(options.stack) if options.stack or project_file() else Stack("", "", [], {})
        cloud: Clients = get_handler("Server").connect(stack.config.get, None, get_handler("Server").timeout)
        landscape = CloudInventory(cloud)
        picked = _picked(landscape, stack, options)
        text = program(landscape, picked, protect=not options.no_protect)
        if options.output:
            _write(options.output, text, force=options.force)
        else:
            sys.stdout.write(text)
        _report(stack, cloud, picked)
    except (StackError, errors.EcsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _picked(landscape: CloudInventory, stack: Stack, options: argparse.Namespace) -> list[Candidate]:
    picked = landscape.pick(
        names=options.name,
        tags=options.tag,
        ids=options.id,
        everything=options.all,
        kinds=options.kind or KINDS,
        dependencies=not options.without_dependencies,
        known=_known(stack),
    )
    if not picked:
        raise StackError("there is nothing to take over, or the stack has it already")
    return picked


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ecs_pulumi.adopt",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_argument_group("what to take over", "what any of these picks; each may be given several times")
    which.add_argument("--all", action="store_true", help="everything that the project owns")
    several: dict[str, Any] = {"action": "append", "default": []}
    which.add_argument("--name", metavar="GLOB", help="what has such a name, for example 'web*'", **several)
    which.add_argument("--tag", metavar="TAG", help="what has this tag", **several)
    which.add_argument("--id", metavar="ID", help="the object of this id", **several)
    which.add_argument("--kind", metavar="KIND,…", type=_kinds, action="extend", help="of these kinds only: Server, …")
    which.add_argument("--without-dependencies", action="store_true", help="not what the picked objects need")
    parser.add_argument("--no-protect", action="store_true", help="let `pulumi destroy` delete the resources")
    parser.add_argument("-s", "--stack", metavar="NAME", help="another stack than the selected one")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write here instead of to standard output")
    parser.add_argument("--force", action="store_true", help="replace the file of --output")
    options = parser.parse_args(argv)
    if not (options.all or options.name or options.tag or options.id):
        parser.error("say what to take over: --all, --name, --tag or --id")
    return options


def _kinds(text: str) -> list[str]:
    found = []
    for word in text.split(","):
        plain = word.strip().lower().replace("-", "").replace("_", "")
        kind = _SPELLINGS.get(plain) or _SPELLINGS.get(plain.removesuffix("s"))
        if kind is None:
            raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(KINDS)}")
        found.append(kind)
    return found


def _known(stack: Stack) -> set[tuple[str, str]]:
    """Kinds and ids of what the stack manages already."""
    return {
        (resource["type"].rpartition(":")[2], str(resource.get("id")))
        for resource in stack.resources
        if not resource.get("external")
    }


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise StackError(f"{file} exists already; --force replaces it") from None


def _report(stack: Stack, cloud: Clients, picked: Sequence[Candidate]) -> None:
    """Say on standard error what was found, what to mind, and how to get to the same cloud."""
    counts = Counter(each.kind for each in picked)
    listed = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    say = [f"# {len(picked)} resources: {listed}"]
    for each in picked:
        others = [
            owner_marker
            for owner_marker in markers_of(each.live)
            if not parse_owner_marker(owner_marker, stack.project, stack.name)
        ]
        for owner_marker in others[:1] if not each.is_attachment else ():
            said = f'{each.kind} {each.label} says "{owner_marker}": no two stacks should manage it'
            say.append(f"# warning: {printable(said)}")
    say += _settings(stack, cloud.region.name)
    print("\n".join(say), file=sys.stderr)


def _settings(stack: Stack, region: str) -> Iterator[str]:
    """The commands that give a stack the settings that were used here; a secret is asked for when one is run."""
    for name, field in Settings.model_fields.items():
        key = f"ecs:{to_camel(name)}"
        secret = SecretStr in get_args(field.annotation) or key in stack.secrets
        value = stack.config.get(key) or os.environ.get(f"OS_{name.upper()}")
        if name == "region":
            value = region
        if value:
            yield f"pulumi config set {'--secret ' if secret else ''}{key}" + (
                "" if secret else f" {shlex.quote(value)}"
            )


if __name__ == "__main__":
    sys.exit(run(main))
