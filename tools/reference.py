"""Generate docs/reference from the models (`python -m tools.reference`); `--check` only compares."""

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

import ecs_pulumi as ecs
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.fields import ModelField, fields_of
from ecs_pulumi.resources.registry import handlers
from tools import sdk

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ecs_pulumi.dynamic.handler import ResourceHandler

CHECKOUT = Path(__file__).parents[1]
PAGES = CHECKOUT / "docs" / "reference"
EXAMPLE = CHECKOUT / "examples" / "reference" / "__main__.py"
NOTE = "<!-- Generated from the code by `python -m tools.reference`; do not edit. -->\n\n"
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
_DEFAULTS = {"name": "generated", "region": "the configured region", "cloud": "the stack's cloud"}
VARIABLES = {"region": "OS_REGION_NAME"}
WITHOUT_VARIABLE = {
    "endpoints",
    "api_versions",
    "max_retries",
    "preflight",
    "marker",
    "default_tags",
    "default_metadata",
}


INDEX = """# Reference

All names are in the module `ecs_pulumi`. Programs usually import it with `import ecs_pulumi as ecs`.

{kinds}

The [settings](settings.md) select the cloud, and the [lookups](lookups.md) find existing objects.
[This program](../../{example}) uses every kind.

## How to read the tables

- Every input is a `pulumi.Input`: a plain value or the output of another resource. Every input is an output as well,
  with the value of the remote object.
- Outputs have the values of the last change of the resource or of the last `pulumi refresh`. A change of another
  resource can make them outdated: a server's `addresses` and `access_ip_v4` depend on its port's `fixed_ips`, a
  volume's `attachments` on a `VolumeAttachment`, and a network's `subnet_ids` on a `Subnet`. Export the output of the
  resource that determines the value, such as `port.ip_address`.
- **Default** is the value of an omitted input. *Computed* means that the cloud chooses the value, which is not drift.
  If the column is empty, an omitted input (or `None`) is not managed: the provider leaves the remote value unchanged.
  An empty list or map means *none*, and clears the value.
- **A change** of an input updates the object *in place*, or *replaces* it with a new one. *Nothing is sent* means that
  the input only controls the provider.
- *Needs compute 2.26* is the microversion that the cloud's API has to offer. A preview reports an API that does not.

## Common to all kinds

- `Kind(resource_name, *, …, opts=None)` declares a resource. If `name` is omitted, it is generated once from the name
  of the resource and a random suffix.
- `Kind.get(resource_name, id, *, region=None, cloud=None, opts=None)` reads an existing object without managing it.
- `adopt="<id>"` imports an existing object instead of creating one. The remote values become the state. Where the
  program differs, the object is updated in place, or the import is refused if the change needs a replacement. Later
  changes of `adopt` have no effect. `opts=pulumi.ResourceOptions(import_="<id>")` does the same. The command
  `pulumi import` does not work, since Pulumi does not support it for providers written in Python. An object that the
  stack already manages under another name is refused.
- To rename a resource without replacing its object, use `aliases`. Without an alias, key pairs and attachments keep
  their object too; any other object is created anew before the old one is deleted.
- `opts.ignore_changes`: the named inputs are neither compared nor sent, whatever the remote value is.
- `opts.replace_on_changes`, `pulumi up --replace` and `pulumi state taint` replace an object. A server with its own
  ports, a port with an address, and an attachment are deleted before the new one is created, since two of them cannot
  exist at the same time. A subnet, the interface of one, a route, and a key pair with a `name` need
  `delete_before_replace=True` for that.
- `opts.custom_timeouts` sets the timeouts. The defaults are 30 minutes for a server and 10 minutes for everything else.
- `opts.deleted_with` saves the requests that detach something from an object that is deleted as well, see below.

## Delete attachments with their server

```python
options = pulumi.ResourceOptions(deleted_with=server, delete_before_replace=True)
ecs.VolumeAttachment("data", server_id=server.id, volume_id=volume.id, opts=options)
```

With `deleted_with` the engine does not delete the attachment if it deletes the server. A destroy of 10 servers with a
volume and a port each then sends 53 requests instead of 97 (emulator). The option also suits an `InterfaceAttachment`
with its server, a `FloatingIpAssociation` with its floating IP, and a `SecurityGroupRule` with its group.

Engines newer than 3.259 need `delete_before_replace`: they replace the attachment together with the server, and would
attach the volume to the new server while the old one still has it. Do not combine `deleted_with` with a server that has
`retain_on_delete`: it would keep what is attached.
"""
KIND = """# {name}

{what}

{source}

Its id is {identity}. Its type in the state is `pulumi-python:dynamic/ecs:{name}`. The timeout of a create, update or
delete is {minutes:.0f} minutes, unless `custom_timeouts` sets another one.

## Example

```python
{example}
```

The example is part of [this program](../../{program}).

## Inputs

{inputs}

{nested}## Outputs

Every input, with the value of the remote object, `id`, and:

{outputs}

{nested_outputs}## Existing objects

```python
# Read it.
ecs.{name}.get("it", "{example_id}")
# Import it.
ecs.{name}("it", {required}adopt="{example_id}")
```
"""
SETTINGS = """# Settings

The settings of the stack select the cloud, the credentials and the API versions. All settings are optional. A value
that is not set comes from the `OS_*` variables or from `clouds.yaml`, as for every OpenStack client. If no cloud is
configured, the error names what is missing.

```
pulumi config set ecs:cloud mycloud
pulumi config set --secret ecs:password
pulumi config set --path ecs:endpoints.compute https://ecs.example.com
pulumi config set --path ecs:apiVersions.compute 2
```

{settings}

The services in `ecs:endpoints` and `ecs:apiVersions` are `compute`, `network`, `block-storage`, `image` and `identity`.
Boolean settings accept `true`, `yes`, `on` and `1`, and `false`, `no`, `off` and `0`. A name that resembles the name of
a setting causes a warning, since it has no effect.

`pulumi refresh` and `pulumi destroy` use the settings of the last `up`; with `--run-program` they use the current
settings. Variables and `clouds.yaml` are read on every run; prefer them for credentials.

Open Telekom Cloud has no application credentials, but access keys and agencies. In `clouds.yaml`, their options have
the names of the variables in lower case, and those of python-otcextensions are accepted as well (`ak`, `sk`,
`target_agency_name`, `target_domain_name`, `target_domain_id`, `target_project_name`, `target_project_id`). A password
beside an access key has precedence, unless `auth_type` is `aksk`. `OS_PASSCODE` is the one-time passcode of a user with
a virtual MFA device.

A resource or lookup that names a `cloud` uses that entry of `clouds.yaml` alone: of these settings, only
`ecs:maxRetries`, `ecs:preflight`, `ecs:marker`, `ecs:defaultTags` and `ecs:defaultMetadata` apply to it, and no
variable does, except `OS_CLIENT_CONFIG_FILE` and `OS_CLIENT_SECURE_FILE`, which name the files. See
[Two clouds in one program](../how-to/two-clouds.md).

## Default tags and metadata

```
pulumi config set ecs:defaultTags dev,shop
pulumi config set --path 'ecs:defaultTags[0]' dev
pulumi config set --path ecs:defaultMetadata.owner shop
```

`ecs:defaultTags` is a list, or its items separated by commas. These kinds have the tags, besides those of the program:
{tagged}. `ecs:defaultMetadata` is a map. These kinds have its keys: {with_metadata}. If
the program sets the same key, the value of the program applies.

- The inputs `tags` and `metadata` of each resource contain the defaults. A preview therefore shows a changed setting as
  a change of each resource. The update is in place.
- The defaults also apply to a resource that sets an empty list or map. With `ignore_changes=["tags"]`, a new resource
  gets them, and a later change of the setting does not change it.
- With a default, the tags or metadata of all these resources are managed: the next `up` after a refresh removes what
  another client has added, and an import with `adopt` removes what the program and the default do not contain. The
  preview shows both.
- If a setting is removed or empty, the next `up` removes from each resource what the setting has added.
- Servers have no tags below compute 2.26, and some clouds store no tags of networks and other objects. The preview then
  shows one warning for the kind, and the resources are created without these tags.
- A tag has up to 60 characters, without commas and slashes, and there are at most 50. A key of metadata has up to 255
  letters, digits, spaces and `-_:.`; its value has up to 255 characters. The settings must not be secret.
- An object that `get` or a lookup reads gets no defaults.
"""
LOOKUPS_PAGE = """# Lookups

Lookups find existing objects while the program runs. They use the same [settings](settings.md) as the resources.

```python
flavor = ecs.get_flavor(min_vcpus=2, min_ram=4096)  # the smallest that fits
image = ecs.get_image(name_regex="(?i)debian", most_recent=True)
network = ecs.get_network(name="demo-net")
server = ecs.Server("web", flavor=flavor.id, image=image.id, networks=[{{"network_id": network.id}}])
```

- Each lookup has a variant with the suffix `_output` and the same arguments. It accepts outputs of resources and
  returns an output. The result is secret if an argument is secret. In a preview it is unknown if an argument is unknown
  or belongs to a resource that does not exist yet.
- A lookup raises `NoMatch` if it finds nothing, and `NotUnique` if it finds several objects instead of one. Both
  contain the candidates, in the message and in `.candidates`. Both are subclasses of `LookupFailed`, which every other
  failure raises. Pulumi shows the message in one line and ends the program.
- Every lookup has the arguments `region` and `cloud`, an entry of `clouds.yaml`. Their defaults are the configured
  region and the cloud of the stack.
- Results are immutable. A value that the API does not return is `None` or empty.

{lookups}

## Results

{models}
"""


def main() -> int:
    """Write the pages, or with `--check` list those that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only list the pages that are out of date")
    check = parser.parse_args().check
    generated = pages()
    existing = {path.name: path.read_text() for path in PAGES.glob("*.md")} if PAGES.exists() else {}
    stale = sorted(name for name in {*generated, *existing} if generated.get(name) != existing.get(name))
    if check:
        if stale:
            print(f"out of date: {', '.join(stale)}; run python -m tools.reference")
        return len(stale)
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in generated:
            (PAGES / name).write_text(generated[name])
        else:
            (PAGES / name).unlink()
    return 0


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    kinds = {f"{handler.name}.md": NOTE + kind_page(handler) for handler in handlers()}
    return {
        **kinds,
        "README.md": NOTE + index_page(),
        "settings.md": NOTE + settings_page(),
        "lookups.md": NOTE + lookups_page(),
    }


def index_page() -> str:
    """Return the index page."""
    rows = [[f"[{each.name}]({each.name}.md)", introduction(each)[0]] for each in handlers()]
    return INDEX.format(kinds=table(["Kind", "What it is"], rows), example=EXAMPLE.relative_to(CHECKOUT))


def kind_page(handler: ResourceHandler[Any, Any, Any]) -> str:
    """Return the page of one kind."""
    what, source = introduction(handler)
    input_models, models = sdk.nested_models(handler)
    inputs = [
        [f"`{name}`", input_type(field), default(field), change(field), meaning(field)]
        for name, field in fields_of(handler.inputs).items()
    ]
    outputs = [
        [f"`{name}`", code(sdk.output(field)), meaning(field)] for name, field in fields_of(handler.outputs).items()
    ]
    return KIND.format(
        name=handler.name,
        what=what,
        source=source,
        identity=handler.id_format,
        minutes=handler.timeout / 60,
        example=example(handler.name),
        program=EXAMPLE.relative_to(CHECKOUT),
        inputs=table(["Input", "Type", "Default", "A change", "Meaning"], inputs),
        nested="".join(nested_section(model, is_output=model in models) for model in input_models),
        outputs=table(["Output", "Type", "Meaning"], outputs),
        nested_outputs="".join(output_section(model) for model in models if model not in input_models),
        required="".join(
            f'{name}="…", ' for name, field in fields_of(handler.inputs).items() if field.info.is_required()
        ),
        example_id=handler.id_example,
    )


def introduction(handler: ResourceHandler[Any, Any, Any]) -> tuple[str, str]:
    """Return the summary and the sources from the docstring of a kind, without the sentence about its id."""
    what, _, source = re.sub(r" ?Its id is [^.]*\.", "", doc(handler.inputs)).partition("\n\n")
    return one_line(what), one_line(source)


def example(kind: str) -> str:
    """Return the statements of the example program that declare this kind."""
    text = EXAMPLE.read_text()
    statements = [
        ast.get_source_segment(text, statement) or ""
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.attr == kind
    ]
    if not statements:
        raise SystemExit(f"{EXAMPLE} declares no {kind}")
    return "\n".join(statements)


def input_type(field: ModelField) -> str:
    """Return the type of an input with its limits."""
    return code(type_name(field.info.annotation)) + limits(field)


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


def limits(field: ModelField) -> str:
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
    return f", {', '.join(words)}" if words else ""


def default(field: ModelField) -> str:
    """Return the default of an input."""
    if field.info.is_required():
        return "**required**"
    if field.name in _DEFAULTS:
        return _DEFAULTS[field.name]
    if field.default is not None:
        value = field.default
        return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"
    return "computed" if field.has(fields.Computed) else ""


def change(field: ModelField) -> str:
    """Return the effect of a change of an input."""
    if field.has(fields.ProviderOnly):
        return "nothing is sent"
    if field.has(fields.GrowOnly):
        return "in place, can only grow"
    return "replaces" if field.has(fields.Replace) else "in place"


def meaning(field: ModelField) -> str:
    """Return the description of a field, with sentences for its field options."""
    words = [field.info.description or ""]
    if field.since:
        words.append(f"Needs {field.since.service} {field.since.microversion}.")
    if field.has(fields.Secret):
        words.append("Secret: encrypted in the state.")
    if field.has(fields.Advisory):
        words.append("A different choice of the cloud is not drift.")
    if field.has(fields.WriteOnly):
        words.append("The API does not return it.")
    if field.has(fields.Set) and " set" not in words[0]:
        words.append("A set: the order is irrelevant.")
    return " ".join(words)


def nested_section(model: type[BaseModel], *, is_output: bool) -> str:
    """Return the section about a nested input."""
    rows = [
        [f"`{name}`", input_type(field), default(field), meaning(field)] for name, field in fields_of(model).items()
    ]
    properties = table(["Property", "Type", "Default", "Meaning"], rows)
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


def settings_page() -> str:
    """Return the page about the stack configuration."""
    docs = attribute_docs(Settings)
    rows = []
    for name, field in Settings.model_fields.items():
        secret = " **Secret.**" if "SecretStr" in str(field.annotation) else ""
        has_default = not field.default_factory and field.default not in (None, ())
        standard = f" Default: `{str(field.default).lower()}`." if has_default else ""
        variable = "" if name in WITHOUT_VARIABLE else f"`{VARIABLES.get(name, f'OS_{name.upper()}')}`"
        rows.append([f"`ecs:{field.alias}`", variable, docs[name] + secret + standard])
    return SETTINGS.format(
        settings=table(["Setting", "Variable", "Meaning"], rows),
        tagged=kinds_with("tags"),
        with_metadata=kinds_with("metadata"),
    )


def kinds_with(name: str) -> str:
    """Return the kinds with an input of this name, as in a sentence."""
    *first, last = [f"`{each.name}`" for each in handlers() if name in each.inputs.model_fields]
    return f"{', '.join(first)} and {last}"


def lookups_page() -> str:
    """Return the page about lookups and their results."""
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
    """Return the section about one lookup."""
    summary, _, rest = doc(function).partition("\nArgs:\n")
    described = dict(re.findall(r"^    (\w+): ((?:.+\n?(?:        .+\n?)*))", rest.partition("\n\n")[0], re.MULTILINE))
    rows = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in ("region", "cloud"):
            hint = hint_of(function, parameter.annotation)
            standard = parameter.default
            shown = "" if standard is None else "**required**" if standard is parameter.empty else f"`{standard!r}`"
            rows.append([f"`{parameter.name}`", code(hint), shown, one_line(described[parameter.name])])
    returned = str(inspect.signature(function).return_annotation)
    target = returned.removeprefix("list[").removesuffix("]").lower()
    heading = f"### {name}\n\n{one_line(summary)} Returns [`{returned}`](#{target})."
    return heading + ("\n\n" + table(["Argument", "Type", "Default", "Meaning"], rows) if rows else "")


def hint_of(function: Any, annotation: str) -> str:
    """Return the type of an argument: without None, and as a list of choices if there are only a few."""
    hint = annotation.removesuffix(" | None")
    choices = get_args(vars(sys.modules[function.__module__]).get(hint)) or re.findall(r"'(\w+)'", hint)
    return " | ".join(f'"{choice}"' for choice in choices) or hint


def model_section(model: type[BaseModel]) -> str:
    """Return the section about the result of a lookup."""
    docs, types = attribute_docs(model), types_of(model)
    rows = [[f"`{name}`", code(types[name]), docs[name]] for name in model.model_fields]
    return f"### {model.__name__}\n\n{one_line(doc(model))}\n\n" + table(["Field", "Type", ""], rows)


@functools.cache
def body_of(cls: type) -> list[ast.stmt]:
    """Return the statements in the body of a class."""
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    return next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)


def attribute_docs(cls: type) -> dict[str, str]:
    """Return the docstring of each annotated attribute; empty if it has none."""
    body = body_of(cls)
    docs: dict[str, str] = {}
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            docs[statement.target.id] = one_line(str(text))
    return docs


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


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in GitHub Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Return text as inline code."""
    return f"`{text}`"


def doc(item: object) -> str:
    """Return the docstring of an object."""
    return inspect.getdoc(item) or ""


def one_line(text: str) -> str:
    """Return text without line breaks."""
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
