"""The whole program, from what was picked."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from ecs_pulumi.adopt.inputs import InputBuilder
from ecs_pulumi.adopt.text import call, declaration, resource_name, stem, variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecs_pulumi.adopt.landscape import Candidate, CloudInventory

_HEAD = '''"""What existed already, taken over: the first `pulumi up` changes nothing in the cloud."""

'''
_SECTIONS = {
    "KeyPair": ("Key pairs. Their private keys are told by no API.",),
    "Network": ("Networks.",),
    "Subnet": ("Subnets.",),
    "Port": ("Ports.",),
    "Volume": ("Volumes.",),
    "Server": (
        "Servers. No API tells their user_data, personality, admin_pass and scheduler_hints:",
        "what a replacement should have of these is to be added before the first `pulumi up`.",
    ),
    "VolumeAttachment": ("Volumes in servers.",),
    "InterfaceAttachment": ("NICs that were added to servers later.",),
}


_LOOKUPS = "Networks that other projects use as well: looked up, not managed."


def program(landscape: CloudInventory, picked: Sequence[Candidate], *, protect: bool = True) -> str:
    """The text of a program that takes over what was picked.

    Args:
        landscape: What is there.
        picked: What `CloudInventory.pick` returned.
        protect: Whether each resource refuses to be deleted.
    """
    variables = _variables(picked)
    writer = InputBuilder(landscape, variables, protect=protect)
    parts: list[str] = []
    for kind, those in groupby(picked, lambda each: each.kind):
        parts.append("\n" + "".join(f"# {line}\n" for line in _SECTIONS[kind]))
        used: set[str] = set()
        for each in those:
            name = resource_name(each.label, kind, used)
            used.add(name)
            inputs, comments = writer.write(each)
            target = variables.get((kind, each.id))
            left = f"{target} = ecs.{kind}" if target else f"ecs.{kind}"
            parts.append(("\n" if comments else "") + declaration(left, name, inputs, comments))
    lookups = [call(f"{name} = ecs.get_network", {"id": id_}) for id_, name in writer.lookups.items()]
    if lookups:
        parts.insert(0, "".join([f"\n# {_LOOKUPS}\n", *lookups]))
    body = "".join(parts)
    pulumi = "import pulumi\n" if "=pulumi." in body else ""
    return f"{_HEAD}{pulumi}import ecs_pulumi as ecs\n{body}"


def _variables(picked: Sequence[Candidate]) -> dict[tuple[str, str], str]:
    """A variable for each resource that others may refer to, named like the object."""
    stems = [(each, stem(each.label, each.kind)) for each in picked if not each.is_attachment]
    kinds = Counter(name for name, _ in {(name, each.kind) for each, name in stems})
    shared = {name for name, count in kinds.items() if count > 1}
    variables: dict[tuple[str, str], str] = {}
    for each, name in stems:
        used = set(variables.values())
        variables[each.kind, each.id] = variable(name, each.kind, shared, used)
    return variables
