"""What is different in the table of fields on an Open Telekom Cloud, by kind and field."""

from tests.fields.rows.otc.compute import INTERFACE_ATTACHMENT_ON_OTC, SERVER_GROUP_ON_OTC, SERVER_ON_OTC
from tests.fields.rows.otc.networks import NETWORK_ON_OTC, PORT_ON_OTC, SECURITY_GROUP_ON_OTC, SUBNET_ON_OTC
from tests.fields.rows.otc.outcomes import NotChanged, NotKept, NotOffered, OtcRow
from tests.fields.rows.otc.routers import FLOATING_IP_ASSOCIATION_ON_OTC, FLOATING_IP_ON_OTC, ROUTER_ON_OTC
from tests.fields.rows.otc.storage import VOLUME_ATTACHMENT_ON_OTC, VOLUME_ON_OTC

__all__ = ["OTC", "NotChanged", "NotKept", "NotOffered", "OtcRow"]

OTC: dict[str, dict[str, OtcRow]] = {
    "KeyPair": {},
    "Network": NETWORK_ON_OTC,
    "SecurityGroup": SECURITY_GROUP_ON_OTC,
    "Port": PORT_ON_OTC,
    "InterfaceAttachment": INTERFACE_ATTACHMENT_ON_OTC,
    "SecurityGroupRule": {},
    "Server": SERVER_ON_OTC,
    "ServerGroup": SERVER_GROUP_ON_OTC,
    "Volume": VOLUME_ON_OTC,
    "VolumeAttachment": VOLUME_ATTACHMENT_ON_OTC,
    "Subnet": SUBNET_ON_OTC,
    "Router": ROUTER_ON_OTC,
    "RouterInterface": {},
    "RouterRoute": {},
    "FloatingIp": FLOATING_IP_ON_OTC,
    "FloatingIpAssociation": FLOATING_IP_ASSOCIATION_ON_OTC,
}
"""The kinds whose fields are tested on an Open Telekom Cloud, and the rows of the fields that differ there."""
