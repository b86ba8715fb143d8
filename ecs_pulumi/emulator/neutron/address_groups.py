"""Address groups: sets of address ranges to which the rules of security groups refer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.context import Reply

from .collection import get_owned, new_document, register_reads, render
from .refusals import conflict
from .resources import ADDRESS_GROUP
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document


def _view(call: Call, doc: Document) -> Document:
    result = render(call, ADDRESS_GROUP, doc)
    result.pop("tags", None)
    return result


@service.post("/address-groups")
def create_address_group(call: Call) -> Reply:
    """`POST /address-groups`."""
    values = ADDRESS_GROUP.read_create(call, extensions(call))
    doc = call.put("address_group", new_document(call, values))
    return Reply(201, {"address_group": _view(call, doc)})


register_reads(ADDRESS_GROUP, _view)


@service.delete("/address-groups/{group_id}")
def delete_address_group(call: Call, group_id: str) -> None:
    """`DELETE /address-groups/{id}`: 409 if a rule refers to the group."""
    get_owned(call, ADDRESS_GROUP, group_id, "delete")
    if call.find("security_group_rule", remote_address_group_id=group_id):
        message = f"Address group {group_id} is in use on one or more security group rules."
        raise conflict("AddressGroupInUse", message)
    call.remove("address_group", group_id)
