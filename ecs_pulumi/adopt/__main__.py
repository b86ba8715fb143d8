"""The command line of `ecs-pulumi adopt`."""

# ruff: noqa: T201 - the command writes to standard output

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

from ecs_pulumi.adopt.program import program
from ecs_pulumi.adopt.selection import select
from ecs_pulumi.adopt.terraform import load
from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic.existing import ExistingObjects
from ecs_pulumi.dynamic.state import cloud_of
from ecs_pulumi.resources import registry
from ecs_pulumi.resources.owner_markers import markers_of, parse_owner_marker
from ecs_pulumi.stack import Stack, StackError, add_stack_option, load_stack, project_file
from ecs_pulumi.streams import force_utf8, in_one_line, print_error, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ecs_pulumi.dynamic.existing import Candidate
    from ecs_pulumi.resources.clients import Clients, Existing

DESCRIPTION = """\
Writes a Pulumi program that imports existing objects of all kinds, with references between them. Its first `pulumi up`
changes nothing in the cloud.

In the folder of a project, the command uses the cloud in the settings of the current stack; elsewhere, the cloud of
OS_CLOUD or the other OS_* variables; with --cloud, the cloud of that entry of clouds.yaml. It only reads from the
cloud."""
EPILOG = """\
examples:
  ecs-pulumi adopt --all --output __main__.py
  ecs-pulumi adopt --name 'shop-*' --tag production
  ecs-pulumi adopt --all --kind network,subnet
  ecs-pulumi adopt --terraform terraform.tfstate --output __main__.py

The dependencies of a selected object are added: for a server, its ports, networks, volumes, attachments and key pair.
Objects of other projects and the ports of routers and DHCP are never imported; shared and external networks are looked
up. Objects that the stack already manages are omitted. The settings that the program needs are printed on standard
error.

Each resource is protected: `pulumi destroy`, or an `up` of a program without the resource, fails instead of
deleting it. To let the stack delete it, remove protect=True and run `pulumi up`, or run `pulumi state unprotect --all`.

exit status: 0 the program was written, 2 the command failed; standard error has the reason"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the program; see `--help`."""
    force_utf8(sys.stdout, sys.stderr)
    options = _options(argv)
    try:
        state = load(options.terraform) if options.terraform else None
        stack = load_stack(options.stack) if options.stack or project_file() else Stack("", "", [], {})
        cloud: Clients = registry.connect(stack.config.get, cloud=options.cloud)
        existing = ExistingObjects(cloud, registry.kinds(), declarations=state.declarations if state else None)
        if state:
            state.check(existing)
        selected = _select(existing, stack, options)
        text = program(existing, selected, protect=not options.no_protect, cloud=options.cloud)
        if options.output:
            _write(options.output, text, force=options.force)
        else:
            sys.stdout.write(text)
        notes = state.notes(selected) if state else ()
        _report(stack, cloud, selected, options.cloud, notes)
    except (StackError, errors.EcsError) as error:
        print_error(error)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        print_error(f"{error.filename}: {error.strerror}")
        return 2
    return 0


def _select(existing: Existing, stack: Stack, options: argparse.Namespace) -> list[Candidate]:
    selected = select(
        existing,
        names=options.name,
        tags=options.tag,
        ids=options.id,
        everything=options.all or not (options.name or options.tag or options.id),
        kinds=options.kind or (),
        dependencies=not options.without_dependencies,
        known=_managed(stack, options.cloud),
    )
    if not selected:
        raise StackError("there is nothing to import, or the stack already manages it")
    return selected


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ecs-pulumi adopt",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_argument_group(
        "selection", "objects that match any of --all, --name, --tag, --id and --terraform; --kind limits them"
    )
    which.add_argument("--all", action="store_true", help="all objects that the project owns")
    repeated: dict[str, Any] = {"action": "append", "default": []}
    which.add_argument("--name", metavar="GLOB", help="objects with a matching name, for example 'web*'", **repeated)
    which.add_argument("--tag", metavar="TAG", help="objects with this tag", **repeated)
    which.add_argument("--id", metavar="ID", help="the object with this id", **repeated)
    which.add_argument(
        "--terraform",
        metavar="FILE",
        help="the objects in this state of Terraform or OpenTofu, under their names there; - for the standard input; "
        "with --name, --tag or --id, only those of them",
    )
    kinds = f"only these kinds, one or more of {', '.join(registry.kinds())}"
    which.add_argument("--kind", metavar="KIND,…", type=_kinds, action="extend", help=kinds)
    which.add_argument("--without-dependencies", action="store_true", help="do not add dependencies")
    parser.add_argument("--no-protect", action="store_true", help="let `pulumi destroy` delete the resources")
    parser.add_argument(
        "--cloud", metavar="NAME", help="the cloud of this entry of clouds.yaml, which the program then names"
    )
    add_stack_option(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to this file, not to standard output")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    options = parser.parse_args(argv)
    if not (options.all or options.name or options.tag or options.id or options.terraform):
        parser.error("select what to import: --all, --name, --tag, --id or --terraform")
    return options


def _kinds(text: str) -> list[str]:
    found, spellings = [], {kind.lower(): kind for kind in registry.kinds()}
    for word in text.split(","):
        spelling = word.strip().lower().replace("-", "").replace("_", "")
        kind = spellings.get(spelling) or spellings.get(spelling.removesuffix("s"))
        if kind is None:
            raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(registry.kinds())}")
        found.append(kind)
    return found


def _managed(stack: Stack, cloud: str | None) -> set[tuple[str, str]]:
    """Return kinds and ids of the objects that the stack already manages and that may be in this cloud."""
    managed = set()
    for resource in stack.resources:
        kind = resource["type"].rpartition(":")[2]
        if resource.get("external") or kind not in registry.kinds():
            continue
        account = registry.get_handler(kind).account
        if account(stack.config.get, cloud_of(resource)) == account(stack.config.get, cloud):
            managed.add((kind, str(resource.get("id"))))
    return managed


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise StackError(f"{file} exists already; --force replaces it") from None


def _report(
    stack: Stack,
    cloud: Clients,
    selected: Sequence[Candidate],
    entry: str | None = None,
    notes: Iterable[str] = (),
) -> None:
    """Print to standard error a summary, warnings, and the commands that set the same cloud for another stack."""
    counts = Counter(each.kind for each in selected)
    listed = ", ".join(f"{counts[kind]} {kind}" for kind in registry.kinds() if counts[kind])
    lines = [f"# {len(selected)} resources: {listed}"]
    for each in selected:
        others = [
            owner_marker
            for owner_marker in markers_of({name: each.get(name) for name in ("description", "metadata")})
            if not parse_owner_marker(owner_marker, stack.project, stack.name)
        ]
        for owner_marker in others[:1]:
            warning = f'{each.kind} {each.label} has the owner marker "{owner_marker}": only one stack must manage it'
            lines.append(f"# warning: {in_one_line(warning)}")
    lines += [f"# {in_one_line(note)}" for note in notes]
    if not entry:  # a program that names its cloud needs no settings
        lines += ["# To select this cloud in another stack:", *_settings(stack, cloud.region.name)]
    print("\n".join(lines), file=sys.stderr)


def _settings(stack: Stack, region: str) -> Iterator[str]:
    """Yield the commands that set the settings of this run for a stack. They prompt for the values of secrets."""
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
