"""The table of fields: the row of each field of each kind."""

from tests.fields.rows.compute import INTERFACE_ATTACHMENT, KEY_PAIR, SERVER, SERVER_GROUP
from tests.fields.rows.floating_ips import FLOATING_IP, FLOATING_IP_ASSOCIATION
from tests.fields.rows.neutron import NETWORK, PORT, SUBNET
from tests.fields.rows.routers import ROUTER, ROUTER_INTERFACE, ROUTER_ROUTE
from tests.fields.rows.row import Row
from tests.fields.rows.security_groups import SECURITY_GROUP, SECURITY_GROUP_RULE
from tests.fields.rows.storage import VOLUME, VOLUME_ATTACHMENT

__all__ = ["TABLE", "Row"]

TABLE: dict[str, dict[str, Row]] = {
    "Network": NETWORK,
    "Subnet": SUBNET,
    "Port": PORT,
    "SecurityGroup": SECURITY_GROUP,
    "SecurityGroupRule": SECURITY_GROUP_RULE,
    "Router": ROUTER,
    "RouterInterface": ROUTER_INTERFACE,
    "RouterRoute": ROUTER_ROUTE,
    "FloatingIp": FLOATING_IP,
    "FloatingIpAssociation": FLOATING_IP_ASSOCIATION,
    "KeyPair": KEY_PAIR,
    "Volume": VOLUME,
    "ServerGroup": SERVER_GROUP,
    "Server": SERVER,
    "VolumeAttachment": VOLUME_ATTACHMENT,
    "InterfaceAttachment": INTERFACE_ATTACHMENT,
}
