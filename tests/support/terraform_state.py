"""A recorded state of Terraform's OpenStack provider, and its objects in another cloud."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openstack.connection import Connection

LANDSCAPE = CHECKOUT / "tests" / "terraform" / "landscape.tfstate"
"""The state that the provider wrote for `main.tf` in the same folder, on a real OpenStack: 60 objects of all kinds."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WAIT: dict[str, Any] = {"interval": 0.05, "wait": 60}


def recorded() -> dict[str, Any]:
    """Return the recorded state."""
    state: dict[str, Any] = json.loads(LANDSCAPE.read_text())
    return state


def rebuild(cloud: Connection) -> dict[str, Any]:
    """Create the objects of the recorded state, in an empty project; return the state with their ids."""
    return Rebuilding(cloud).run()


class Rebuilding:
    """Creates the objects of the recorded state, those that others refer to first."""

    def __init__(self, cloud: Connection) -> None:
        self.cloud = cloud
        self.neutron: Any = cloud.network
        self.nova: Any = cloud.compute
        self.cinder: Any = cloud.block_storage
        self.public: str = next(self.neutron.networks(name="public")).id
        self.ids: dict[str, str] = {}
        """The new id for each recorded one."""

    def run(self) -> dict[str, Any]:
        """Create all objects and return the state with their ids."""
        state = recorded()
        by_type: dict[str, list[dict[str, Any]]] = {}
        for resource in state["resources"]:
            items = by_type.setdefault(f"{resource['mode']} {resource['type']}", [])
            items += [instance["attributes"] for instance in resource["instances"]]
        for type_, create in self.steps.items():
            for attributes in by_type.pop(type_):
                new = create(self, self._translated(attributes))
                if new:
                    self.ids[attributes["id"]] = new
        assert set(by_type) == {"managed openstack_networking_subnetpool_v2"}, "a type that has no kind"
        return self._translated(state)

    def _translated(self, value: dict[str, Any]) -> dict[str, Any]:
        text = _UUID.sub(lambda match: self.ids.get(match[0], match[0]), json.dumps(value))
        translated: dict[str, Any] = json.loads(text)
        return translated

    def _image(self, values: Mapping[str, Any]) -> str:
        images: Any = self.cloud.image
        found: str = images.find_image(values["name"]).id
        return found

    def _data_network(self, values: Mapping[str, Any]) -> str:
        network = self.neutron.create_network(name=values["name"]).id
        (subnet,) = values["subnets"]
        self.ids[subnet] = self.neutron.create_subnet(network_id=network, ip_version=4, cidr="10.99.0.0/24").id
        return str(network)

    def _key_pair(self, values: Mapping[str, Any]) -> None:
        self.nova.create_keypair(name=values["name"], public_key=values["public_key"])

    def _server_group(self, values: Mapping[str, Any]) -> str:
        return str(self.nova.create_server_group(name=values["name"], policies=values["policies"]).id)

    def _network(self, values: Mapping[str, Any]) -> str:
        network = self.neutron.create_network(name=values["name"], description=values["description"])
        self.neutron.set_tags(network, values["tags"])
        return str(network.id)

    def _subnet(self, values: Mapping[str, Any]) -> str:
        names = ["name", "network_id", "cidr", "ip_version", "dns_nameservers", "gateway_ip"]
        names += ["ipv6_address_mode", "ipv6_ra_mode"]
        pools = [{key: pool[key] for key in ("start", "end")} for pool in values["allocation_pool"]]
        if values["ip_version"] == 6:
            pools = []  # with addresses that the ports derive from their MAC addresses
        given = {name: values[name] for name in names if values[name]} | ({"allocation_pools": pools} if pools else {})
        return str(self.neutron.create_subnet(**given).id)

    def _router(self, values: Mapping[str, Any]) -> str:
        self.ids[values["external_network_id"]] = self.public
        gateway = {"network_id": self.public}
        return str(self.neutron.create_router(name=values["name"], external_gateway_info=gateway).id)

    def _group(self, values: Mapping[str, Any]) -> str:
        group = self.neutron.create_security_group(name=values["name"], description=values["description"])
        for rule in group.security_group_rules if values["delete_default_rules"] else ():
            self.neutron.delete_security_group_rule(rule["id"])
        return str(group.id)

    def _rule(self, values: Mapping[str, Any]) -> str:
        names = ["direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix"]
        names += ["remote_group_id", "security_group_id", "description"]
        return str(self.neutron.create_security_group_rule(**{n: values[n] for n in names if values[n]}).id)

    def _port(self, values: Mapping[str, Any]) -> str:
        fixed_ips = [{key: value for key, value in item.items() if value} for item in values["fixed_ip"]]
        given: dict[str, Any] = {"name": values["name"], "network_id": values["network_id"]}
        given |= {"fixed_ips": fixed_ips} if fixed_ips else {}
        given |= {"security_groups": values["security_group_ids"]} if values["security_group_ids"] else {}
        return str(self.neutron.create_port(**given).id)

    def _volume(self, values: Mapping[str, Any]) -> str:
        given = {name: values[name] for name in ("name", "size", "metadata", "image_id") if values[name]}
        volume = self.cinder.create_volume(**given)
        self.cinder.wait_for_status(volume, "available", **_WAIT)
        return str(volume.id)

    def _server(self, values: Mapping[str, Any]) -> str:
        devices = [
            {name: value for name, value in each.items() if value not in ("", 0)} for each in values["block_device"]
        ]
        ports = [{"port": nic["port"]} if nic["port"] else {"uuid": nic["uuid"]} for nic in values["network"]]
        given: dict[str, Any] = {"name": values["name"], "flavor_id": self.nova.find_flavor(values["flavor_name"]).id}
        given |= {"networks": ports, "metadata": values["metadata"] or {}}
        given |= {"key_name": values["key_pair"]} if values["key_pair"] else {}
        if devices:
            given["block_device_mapping"] = [{**device, "boot_index": 0} for device in devices]
        else:
            given["image_id"] = values["image_id"]
        if not any(nic["port"] for nic in values["network"]):
            given["security_groups"] = [{"name": name} for name in values["security_groups"]]
        given |= {"user_data": "aHVzaA=="} if values["user_data"] else {}
        for hints in values["scheduler_hints"]:
            given["scheduler_hints"] = {"group": hints["group"]}
        server = self.nova.wait_for_server(self.nova.create_server(**given), **_WAIT)
        for tag in values["tags"] or ():
            self.nova.add_tag_to_server(server, tag)
        if values["power_state"] == "shutoff":
            self.nova.stop_server(server)
            self.nova.wait_for_server(server, status="SHUTOFF", **_WAIT)
        return str(server.id)

    def _interface(self, values: Mapping[str, Any]) -> str | None:
        is_own = values["port_id"] in self.ids.values()
        place = {"port": values["port_id"]} if is_own else {"subnet": values["subnet_id"]}
        added = self.neutron.add_interface_to_router(values["router_id"], **place)
        return None if is_own else str(added["port_id"])

    def _route(self, values: Mapping[str, Any]) -> None:
        router = self.neutron.get_router(values["router_id"])
        route = {"destination": values["destination_cidr"], "nexthop": values["next_hop"]}
        self.neutron.update_router(router, routes=[*router.routes, route])

    def _volume_attachment(self, values: Mapping[str, Any]) -> None:
        self.nova.create_volume_attachment(values["instance_id"], volume_id=values["volume_id"])
        volume = self.cinder.get_volume(values["volume_id"])
        self.cinder.wait_for_status(volume, "in-use", **_WAIT)

    def _attached_nic(self, values: Mapping[str, Any]) -> None:
        is_own = values["port_id"] in self.ids.values()
        place = {"port_id": values["port_id"]} if is_own else {"net_id": values["network_id"]}
        added = self.nova.create_server_interface(values["instance_id"], **place)
        self.ids[values["port_id"]] = str(added.port_id)

    def _floating_ip(self, values: Mapping[str, Any]) -> str:
        given = {"port_id": values["port_id"]} if values["port_id"] else {}
        address = self.neutron.create_ip(floating_network_id=self.public, **given)
        self.neutron.set_tags(address, values["tags"])
        return str(address.id)

    def _association(self, values: Mapping[str, Any]) -> None:
        self.neutron.update_ip(values["id"], port_id=values["port_id"])

    steps: ClassVar = {
        "data openstack_images_image_v2": _image,
        "data openstack_networking_network_v2": _data_network,
        "managed openstack_compute_keypair_v2": _key_pair,
        "managed openstack_compute_servergroup_v2": _server_group,
        "managed openstack_networking_network_v2": _network,
        "managed openstack_networking_subnet_v2": _subnet,
        "managed openstack_networking_router_v2": _router,
        "managed openstack_networking_secgroup_v2": _group,
        "managed openstack_networking_secgroup_rule_v2": _rule,
        "managed openstack_networking_port_v2": _port,
        "managed openstack_blockstorage_volume_v3": _volume,
        "managed openstack_compute_instance_v2": _server,
        "managed openstack_networking_router_interface_v2": _interface,
        "managed openstack_networking_router_route_v2": _route,
        "managed openstack_compute_volume_attach_v2": _volume_attachment,
        "managed openstack_compute_interface_attach_v2": _attached_nic,
        "managed openstack_networking_floatingip_v2": _floating_ip,
        "managed openstack_networking_floatingip_associate_v2": _association,
    }
