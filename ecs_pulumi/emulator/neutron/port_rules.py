"""What the Open Telekom Cloud documents about ports and upstream does not.

Every function accepts what upstream accepts if the cloud is of another kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attributes import UNSET
from .refusals import bad_request, conflict, invalid_attribute

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

OWNERS = ("", "neutron:VIP_PORT")
"""The values of `device_owner` that a request may set."""
ANY_ADDRESS = ("0.0.0.0/0", "::/0")


def check_port(call: Call, values: Document) -> None:
    """Reject with 400 what the cloud documents for no port, in a create and in an update.

    Args:
        call: The request.
        values: The attributes of the request; those that it does not contain may be UNSET.
    """
    if not _applies(call):
        return
    if len(_given(values, "fixed_ips")) > 1:
        raise bad_request("One port can only set one ipaddress.")
    is_secured = values.get("port_security_enabled") is not False
    if is_secured and "security_groups" in values and values["security_groups"] == []:
        raise bad_request("Port cannot be updated without securitygroup.")
    if any(pair["ip_address"] in ANY_ADDRESS for pair in _given(values, "allowed_address_pairs")):
        raise invalid_attribute("allowed_address_pairs", "'0.0.0.0/0' is not allowed")
    if values.get("device_owner", "") not in (*OWNERS, UNSET):
        raise invalid_attribute("device_owner", f"'{values['device_owner']}' is not in {list(OWNERS)}")


def check_unused(call: Call, port: Document) -> None:
    """Reject with 409 the deletion of a port that a device uses."""
    if _applies(call) and port["device_id"]:
        message = f"Port {port['id']} cannot be deleted directly via the port API: has device id {port['device_id']}."
        raise conflict("PortInUse", message)


def _applies(call: Call) -> bool:
    return call.cloud.dialect.name == "otc" and not call.is_admin


def _given(values: Document, name: str) -> list[Document]:
    value = values.get(name)
    return value if isinstance(value, list) else []
