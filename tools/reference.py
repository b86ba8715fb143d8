"""`python -m tools.reference`: docs/reference, made from the models; with `--check`, whether it is as they say."""

from __future__ import annotations

import argparse
import ast
import functools
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel
from typing_extensions import is_typeddict

import ecs_pulumi as ecs
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.fields import ModelField, fields_of
from ecs_pulumi.dynamic.resource import EcsResource

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[1]
PAGES = CHECKOUT / "docs" / "reference"
EXAMPLE = CHECKOUT / "examples" / "reference" / "__main__.py"
NOTE = "<!-- Made by `python -m tools.reference` from the code; change it there. -->\n\n"
LOOKUPS = (
    ("flavors", "Flavors"),
    ("images", "Images"),
    ("networks", "Networks, subnets and ports"),
    ("key_pairs", "Key pairs"),
    ("volumes", "Volumes"),
    ("servers", "Servers"),
    ("offers", "Zones and versions"),
)
IDS = {
    "KeyPair": ("its name", "demo2"),
    "VolumeAttachment": ("`<server id>/<volume id>`", "9f4d9281-…/51f45e08-…"),
    "InterfaceAttachment": ("`<server id>/<port id>`", "9f4d9281-…/7bf1c36f-…"),
}
ANY_ID = ("the one that the cloud gives it", "c4a3019d-1ac0-4cfb-a838-2342eb992e6b")
VARIABLES = {"region": "OS_REGION_NAME"}
OURS = {"endpoints", "api_versions", "max_retries", "preflight", "marker"}


INDEX = """# Reference

Programs say `import ecs_pulumi as ecs`; every name here is one of that module.

{kinds}

Beside them: the [settings](settings.md) that say which cloud, and the [lookups](lookups.md) that find what is there
already. [One program](../../{example}) uses every kind.

## How to read the tables

- Every input is a `pulumi.Input`: a plain value or another resource's output. Every input is an output as well, with
  the observed value.
- Outputs are as of the resource's last change, or the last `pulumi refresh`. What another resource decides may have
  changed since: a server's `addresses` and `access_ip_v4` with its port's `fixed_ips`, a volume's `attachments` with a
  `VolumeAttachment`, a network's `subnet_ids` with a `Subnet`. Export the output of the resource that decides, such as
  `port.ip_address`.
- **Default** is what an omitted input means. *The cloud's choice*: what the cloud chooses is kept and is no drift.
  Where the column is empty, an omitted input (or `None`) is not managed: whatever is there stays. An empty list or map
  means *none of them*, and clears.
- **A change** of an input is made *in place*, or *replaces* the object by a new one. *Nothing is sent*: it steers this
  provider alone.
- *Needs compute 2.26* names the microversion that the cloud's API must offer; a preview says so where it does not.

## On every kind

- `Kind(resource_name, *, …, opts=None)` declares it. A `name` that is omitted is made of the resource's name and a
  random suffix, and then stays.
- `Kind.get(resource_name, id, *, region=None, opts=None)` reads one that exists, without managing it.
- `adopt="<id>"` takes over one that exists instead of creating one: its live values become the state, and what the
  program says otherwise is applied in place, or refused where it would mean a replacement. Later changes of `adopt` do
  nothing. `opts=pulumi.ResourceOptions(import_="<id>")` means the same. `pulumi import` does not: Pulumi does not offer
  it to providers written in Python. What the stack manages under another name already is refused.
- A renamed resource keeps its object with `aliases`. Without, key pairs and attachments keep theirs too; everything
  else is created anew before the old object is deleted.
- `opts.ignore_changes`: what it names is neither compared nor sent, whatever it is in the cloud.
- `opts.replace_on_changes`, `pulumi up --replace` and `pulumi state taint` replace. A server with ports of its own, a
  port with an address and an attachment are deleted before they are created again, since they cannot exist twice; a
  subnet, and a key pair with a `name`, need `delete_before_replace=True` for that.
- `opts.custom_timeouts` is honoured. Without it a server has 30 minutes, everything else 10.
"""
KIND = """# {name}

{what}

{source}

Its id is {identity}. Its type in the state is `pulumi-python:dynamic/ecs:{name}`. Creating, changing or deleting one
may take {minutes:.0f} minutes, unless `custom_timeouts` says otherwise.

## Example

```python
{example}
```

It is a part of [this program](../../{program}).

## Inputs

{inputs}

{nested}## Outputs

Every input, with the observed value, and `id`. Besides these:

{outputs}

{nested_outputs}## One that exists

```python
ecs.{name}.get("it", "{example_id}")  # reads it
ecs.{name}("it", {required}adopt="{example_id}")  # takes it over
```
"""
SETTINGS = """# Settings

Which cloud, as whom, and how to talk to it. All are optional: what is not set comes from the variables `OS_*` and from
clouds.yaml, as with every OpenStack client. Where nothing names a cloud, the error says what is missing.

```
pulumi config set ecs:cloud mycloud
pulumi config set --secret ecs:password
pulumi config set --path ecs:endpoints.compute https://ecs.example.com
pulumi config set --path ecs:apiVersions.compute 2
```

{settings}

The services in `ecs:endpoints` and `ecs:apiVersions` are `compute`, `network`, `block-storage`, `image` and `identity`.
Where a setting is true or false, `true`, `yes`, `on` and `1` are the same, and so are their opposites. A name that
is almost that of a setting gets a warning: it has no effect.

`pulumi refresh` and `pulumi destroy` use the settings as they were at the last `up`; with `--run-program` they use
those of now. Variables and clouds.yaml are read afresh each time, which makes them the better place for credentials.
"""
LOOKUPS_PAGE = """# Lookups

What the cloud has already, found while the program runs. They use the same [settings](settings.md) as the resources.

```python
flavor = ecs.get_flavor(min_vcpus=2, min_ram=4096)  # the smallest that fits
image = ecs.get_image(name_regex="(?i)debian", most_recent=True)
root = {{"source_type": "image", "destination_type": "volume", "boot_index": 0, "delete_on_termination": True}}
size = max(10, image.min_disk)
server = ecs.Server("web", flavor=flavor.id, image=image.id, block_devices=[{{**root, "volume_size": size}}])
```

- Each has a twin whose name ends in `_output`, with the same arguments. It takes the outputs of resources, and returns
  an output: secret if an argument is, and unknown in a preview if an argument is, or belongs to a resource that is
  still to be made.
- A lookup that finds nothing raises `NoMatch`, one that finds several where one is wanted `NotUnique`; both name the
  candidates, in the message and in `.candidates`. Both are `LookupFailed`, as is every other failure; Pulumi shows its
  one line and ends the program.
- `region` is on every lookup; its default is the configured one.
- What they return is frozen. What the API does not tell is `None`, or empty.

{lookups}

## What they return

{models}
"""


def main() -> int:
    """Write the pages, or say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which pages are out of date")
    check = parser.parse_args().check
    wanted = pages()
    there = {path.name: path.read_text() for path in PAGES.glob("*.md")} if PAGES.exists() else {}
    stale = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    if check:
        if stale:
            print(f"out of date: {', '.join(stale)}; run python -m tools.reference")
        return len(stale)
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (PAGES / name).write_text(wanted[name])
        else:
            (PAGES / name).unlink()
    return 0


def pages() -> dict[str, str]:
    """Every page by its file name."""
    kinds = {f"{name}.md": NOTE + kind_page(cls) for name, cls in kinds_by_name().items()}
    return {
        **kinds,
        "README.md": NOTE + index_page(),
        "settings.md": NOTE + settings_page(),
        "lookups.md": NOTE + lookups_page(),
    }


def kinds_by_name() -> dict[str, type[EcsResource]]:
    """The public kinds."""
    public = {name: getattr(ecs, name) for name in ecs.__all__}
    return {name: cls for name, cls in public.items() if isinstance(cls, type) and issubclass(cls, EcsResource)}


def index_page() -> str:
    """Where to find what."""
    rows = [[f"[{name}]({name}.md)", introduction(cls)[0]] for name, cls in kinds_by_name().items()]
    return INDEX.format(kinds=table(["Kind", "What it is"], rows), example=EXAMPLE.relative_to(CHECKOUT))


def kind_page(cls: type[EcsResource]) -> str:
    """Everything about one kind."""
    this, declared = cls.kind, types_of(cls)
    what, source = introduction(cls)
    identity, example_id = IDS.get(this.name, ANY_ID)
    inputs = [
        [f"`{name}`", kind_of(cls, field), default(field), change(field), meaning(field)]
        for name, field in by_need(fields_of(this.inputs))
    ]
    outputs = [[f"`{name}`", code(declared[name]), meaning(field)] for name, field in fields_of(this.outputs).items()]
    return KIND.format(
        name=this.name,
        what=what,
        source=source,
        identity=identity,
        minutes=this.timeout / 60,
        example=example(this.name),
        program=EXAMPLE.relative_to(CHECKOUT),
        inputs=table(["Input", "Type", "Default", "A change", "Meaning"], inputs),
        nested="".join(nested_section(typed, model) for typed, model in nested_inputs(cls)),
        outputs=table(["Output", "Type", "Meaning"], outputs),
        nested_outputs="".join(output_section(typed) for typed in nested_outputs(cls, declared)),
        required="".join(f'{name}="…", ' for name, field in fields_of(this.inputs).items() if field.info.is_required()),
        example_id=example_id,
    )


def introduction(cls: type[EcsResource]) -> tuple[str, str]:
    """What a kind is, and which documents say so; its id has a sentence of its own on its page."""
    what, _, source = re.sub(r" ?Its id is [^.]*\.", "", doc(cls)).partition("\n\n")
    return one_line(what), one_line(source)


def example(kind: str) -> str:
    """The statements of the example program that make this kind."""
    text = EXAMPLE.read_text()
    wanted = [
        ast.get_source_segment(text, statement) or ""
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.attr == kind
    ]
    if not wanted:
        raise SystemExit(f"{EXAMPLE} has no {kind}")
    return "\n".join(wanted)


def by_need(model: Any) -> list[tuple[str, ModelField]]:
    """The fields, the required ones first and those of every kind last."""
    everywhere = list(fields_of(fields.Inputs))
    return sorted(model.items(), key=lambda item: (not item[1].info.is_required(), item[0] in everywhere))


def kind_of(cls: type[EcsResource], field: ModelField) -> str:
    """The type of an input, with its limits."""
    names: dict[Any, str] = {model: typed.__name__ for typed, model in nested_inputs(cls)}
    return code(spelled(field.info.annotation, names)) + limits(field)


def spelled(annotation: Any, names: dict[Any, str]) -> str:
    """A type as a program would write it, without None, which only means "not managed"."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation in names:
        return names[annotation]
    if origin is Literal:
        return " | ".join(f'"{arg}"' if isinstance(arg, str) else str(arg) for arg in args)
    if origin is list:
        return f"list[{spelled(args[0], names)}]"
    if origin is dict:
        return f"dict[str, {spelled(args[1], names)}]"
    if args:
        branches = args[:1] if origin is Annotated else args
        return " | ".join(spelled(arg, names) for arg in branches if arg is not type(None))
    return "object" if annotation is Any else str(getattr(annotation, "__name__", annotation))


def limits(field: ModelField) -> str:
    """What a value must keep to."""
    said = {type(item): item for item in field.info.metadata}
    least, most, shortest, longest = (said.get(kind) for kind in (Ge, Le, MinLen, MaxLen))
    words = []
    if least:
        words.append(f"at least {least.ge}")
    if most:
        words.append(f"at most {most.le}")
    if longest:
        words.append(f"{shortest.min_length} to {longest.max_length}" if shortest else f"up to {longest.max_length}")
        words[-1] += " characters"
    return f", {', '.join(words)}" if words else ""


def default(field: ModelField) -> str:
    """What an omitted input means."""
    if field.info.is_required():
        return "**required**"
    if field.name in ("name", "region"):
        return {"name": "automatic", "region": "the configured one"}[field.name]
    if field.default is not None:
        value = field.default
        return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"
    return "the cloud's choice" if field.has(fields.Computed) else ""


def change(field: ModelField) -> str:
    """What a change of an input does."""
    if field.has(fields.ProviderOnly):
        return "nothing is sent"
    if field.has(fields.GrowOnly):
        return "in place, only to more"
    return "replaces" if field.has(fields.Replace) else "in place"


def meaning(field: ModelField) -> str:
    """What a field means, and what else is to be known of it."""
    words = [field.info.description or ""]
    if field.since:
        words.append(f"Needs {field.since.service} {field.since.microversion}.")
    if field.has(fields.Secret):
        words.append("Secret: encrypted in the state.")
    if field.has(fields.Advisory):
        words.append("What the cloud decides otherwise is no drift.")
    if field.has(fields.WriteOnly):
        words.append("The API does not tell it back.")
    if field.has(fields.Set) and " set" not in words[0]:
        words.append("A set: the order means nothing.")
    return " ".join(words)


def nested_inputs(cls: type[EcsResource]) -> list[tuple[Any, type[BaseModel]]]:
    """The typed dictionaries of a kind's inputs with the models that check them."""
    found = []
    parameters = inspect.signature(cls.__init__).parameters
    for name, field in fields_of(cls.kind.inputs).items():
        models = [
            part for part in parts_of(field.info.annotation) if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        found += [(typed, models[0]) for typed in parts_of(parameters[name].annotation) if is_typeddict(typed)][:1]
    return found


def nested_outputs(cls: type[EcsResource], declared: dict[str, str]) -> list[Any]:
    """The typed dictionaries that only outputs have."""
    names = {name for hint in declared.values() for name in re.findall(r"\w+", hint)}
    inputs = {typed.__name__ for typed, _ in nested_inputs(cls)}
    return [getattr(ecs, name) for name in sorted(names - inputs) if is_typeddict(getattr(ecs, name, None))]


def parts_of(annotation: Any) -> Iterator[Any]:
    """An annotation and everything in it."""
    yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)


def nested_section(typed: Any, model: type[BaseModel]) -> str:
    """The properties of a nested input."""
    docs = attribute_docs(typed)
    rows = [
        [f"`{name}`", code(spelled(field.info.annotation, {})) + limits(field), default(field), docs[name]]
        for name, field in fields_of(model).items()
    ]
    properties = table(["Property", "Type", "Default", "Meaning"], rows)
    return f"### {typed.__name__}\n\n{doc(typed)} A plain `dict` does.\n\n{properties}\n\n"


def output_section(typed: Any) -> str:
    """The properties of a nested output."""
    docs, types = attribute_docs(typed), types_of(typed)
    rows = [[f"`{name}`", code(types[name]), text] for name, text in docs.items()]
    return f"### {typed.__name__}\n\n{doc(typed)}\n\n{table(['Property', 'Type', 'Meaning'], rows)}\n\n"


def settings_page() -> str:
    """The stack configuration."""
    docs = attribute_docs(Settings)
    rows = []
    for name, field in Settings.model_fields.items():
        secret = " **Secret.**" if "SecretStr" in str(field.annotation) else ""
        silent = field.default_factory or field.default is None
        standard = "" if silent else f" Default: `{str(field.default).lower()}`."
        variable = "" if name in OURS else f"`{VARIABLES.get(name, f'OS_{name.upper()}')}`"
        rows.append([f"`ecs:{field.alias}`", variable, docs[name] + secret + standard])
    return SETTINGS.format(settings=table(["Setting", "Variable", "Meaning"], rows))


def lookups_page() -> str:
    """Every lookup and what it returns."""
    public = {name: getattr(ecs, name) for name in ecs.__all__}
    parts = []
    for module, title in LOOKUPS:
        parts.append(f"## {title}")
        parts += [
            lookup_section(name, function)
            for name, function in public.items()
            if function.__module__ == f"ecs_pulumi.lookups.{module}" and not name.endswith("_output")
        ]
    models = [model_section(item) for item in public.values() if item.__module__ == "ecs_pulumi.lookups.models"]
    return LOOKUPS_PAGE.format(lookups="\n\n".join(parts), models="\n\n".join(models))


def lookup_section(name: str, function: Any) -> str:
    """One lookup."""
    summary, _, rest = doc(function).partition("\nArgs:\n")
    described = dict(re.findall(r"^    (\w+): ((?:.+\n?(?:        .+\n?)*))", rest.partition("\n\n")[0], re.MULTILINE))
    rows = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name != "region":
            hint = hint_of(function, parameter.annotation)
            standard = parameter.default
            shown = "" if standard is None else "**required**" if standard is parameter.empty else f"`{standard!r}`"
            rows.append([f"`{parameter.name}`", code(hint), shown, one_line(described[parameter.name])])
    returned = str(inspect.signature(function).return_annotation)
    target = returned.removeprefix("list[").removesuffix("]").lower()
    heading = f"### {name}\n\n{one_line(summary)} Returns [`{returned}`](#{target})."
    return heading + ("\n\n" + table(["Argument", "Type", "Default", "Meaning"], rows) if rows else "")


def hint_of(function: Any, annotation: str) -> str:
    """The type of an argument, without None, and with the choices where there are only these."""
    hint = annotation.removesuffix(" | None")
    choices = get_args(vars(sys.modules[function.__module__]).get(hint)) or re.findall(r"'(\w+)'", hint)
    return " | ".join(f'"{choice}"' for choice in choices) or hint


def model_section(model: type[BaseModel]) -> str:
    """What a lookup returns."""
    docs, types = attribute_docs(model), types_of(model)
    rows = [[f"`{name}`", code(types[name]), docs[name]] for name in model.model_fields]
    return f"### {model.__name__}\n\n{one_line(doc(model))}\n\n" + table(["Field", "Type", ""], rows)


@functools.cache
def body_of(cls: type) -> list[ast.stmt]:
    """The statements of a class."""
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    return next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)


def attribute_docs(cls: type) -> dict[str, str]:
    """The text under each annotated attribute, empty where there is none."""
    body = body_of(cls)
    docs: dict[str, str] = {}
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            docs[statement.target.id] = one_line(str(text))
    return docs


def types_of(cls: type) -> dict[str, str]:
    """The types of a class's attributes as its source has them, without what only Pulumi or Pydantic needs."""
    found = {}
    for statement in body_of(cls):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            hint = ast.unparse(statement.annotation)
            hint = re.sub(r"^(?:pulumi\.Output|NotRequired)\[(.*)\]$", r"\1", hint)
            hint = re.sub(r"^Annotated\[(.+?), .*\]$", r"\1", hint)
            found[statement.target.id] = {"Number": "int", "Flag": "bool", "Text": "str | None"}.get(hint, hint)
    return found


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table as GitHub shows it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Text in the type of code."""
    return f"`{text}`"


def doc(item: object) -> str:
    """What the docstring of something says."""
    return inspect.getdoc(item) or ""


def one_line(text: str) -> str:
    """Text without line breaks."""
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
