"""The text of the program that imports the selected objects."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from ecs_pulumi.adopt.inputs import InputBuilder
from ecs_pulumi.adopt.text import call, declaration, resource_name, stem, variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecs_pulumi.adopt.landscape import Candidate, CloudInventory

_HEAD = '''"""Import of existing objects: the first `pulumi up` changes nothing in the cloud."""

'''
_SECTIONS = {
    "KeyPair": ("Key pairs. No API returns their private keys.",),
    "Network": ("Networks.",),
    "Subnet": ("Subnets.",),
    "Port": ("Ports.",),
    "Volume": ("Volumes.",),
    "Server": (
        "Servers. No API returns their user_data, personality, admin_pass and scheduler_hints:",
        "add those that a replacement needs before the first `pulumi up`.",
    ),
    "VolumeAttachment": ("Volumes in servers.",),
    "InterfaceAttachment": ("NICs that were attached to servers later.",),
}


_LOOKUPS = "Networks that other projects use as well: looked up, not managed."


def program(inventory: CloudInventory, selected: Sequence[Candidate], *, protect: bool = True) -> str:
    """Return the text of a program that imports the selected objects.

    Args:
        inventory: The existing objects.
        selected: The result of `CloudInventory.select`.
        protect: Whether each resource is protected from deletion.
    """
    variables = _variables(selected)
    builder = InputBuilder(inventory, variables, protect=protect)
    parts: list[str] = []
    for kind, candidates in groupby(selected, lambda each: each.kind):
        parts.append("\n" + "".join(f"# {line}\n" for line in _SECTIONS[kind]))
        used: set[str] = set()
        for each in candidates:
            name = resource_name(each.label, kind, used)
            used.add(name)
            inputs, comments = builder.build(each)
            target = variables.get((kind, each.id))
            start = f"{target} = ecs.{kind}" if target else f"ecs.{kind}"
            parts.append(("\n" if comments else "") + declaration(start, name, inputs, comments))
    lookups = [call(f"{name} = ecs.get_network", {"id": id_}) for id_, name in builder.lookups.items()]
    if lookups:
        parts.insert(0, "".join([f"\n# {_LOOKUPS}\n", *lookups]))
    body = "".join(parts)
    pulumi = "import pulumi\n" if "=pulumi." in body else ""
    return f"{_HEAD}{pulumi}import ecs_pulumi as ecs\n{body}"


def _variables(selected: Sequence[Candidate]) -> dict[tuple[str, str], str]:
    """Return a variable for each resource that others may refer to, named after the object."""
    stems = [(each, stem(each.label, each.kind)) for each in selected if not each.is_attachment]
    kinds = Counter(name for name, _ in {(name, each.kind) for each, name in stems})
    shared = {name for name, count in kinds.items() if count > 1}
    variables: dict[tuple[str, str], str] = {}
    for each, name in stems:
        used = set(variables.values())
        variables[each.kind, each.id] = variable(name, each.kind, shared, used)
    return variables
