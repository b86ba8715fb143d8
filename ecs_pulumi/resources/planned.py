"""What the resources of a program plan to create. Each resource records it in its check, for the checks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from ecs_pulumi.resources.addresses import Address
    from ecs_pulumi.resources.remote import RemoteObject


class Plans:
    """The plans of the resources in one region.

    Attributes:
        key_pairs: Names of the key pairs that the program declares. In a preview, a server can refer by name to a key
            pair that does not exist yet.
        security_groups: Names of the security groups that the program declares, for the same reason.
        external_networks: Names of the external networks that the program declares, for the same reason.
        server_zones: Zones of the servers that the program declares, as far as they are known.
        connected_subnets: Ids of the subnets that the program connects to a router; None for one that is not known yet.
        interfaces: For each router, the ids of the subnets that the program connects to it, with the resources.
    """

    def __init__(self) -> None:
        self.key_pairs: set[str] = set()
        self.security_groups: set[str] = set()
        self.external_networks: set[str] = set()
        self.server_zones: list[str] = []
        self.connected_subnets: set[str | None] = set()
        self.interfaces: dict[str, dict[str, str]] = {}
        self._subnets: dict[str, list[RemoteObject]] = {}
        self._addresses: dict[tuple[str, Address], str] = {}

    def add_subnet(self, network_id: str, cidr: str | None) -> None:
        """Record that the program declares a subnet with this range in an existing network."""
        planned: RemoteObject = {"cidr": cidr, "allocation_pools": [], "gateway_ip": None}
        self._subnets.setdefault(network_id, []).append(planned)

    def subnets(self, network_id: str) -> list[RemoteObject]:
        """Return the planned subnets of a network, without ids. The `cidr` of one is None if it is not known yet."""
        return self._subnets.get(network_id, [])

    def reserve_address(self, network_id: str, address: Address, resource: str) -> str | None:
        """Record that a resource requests an address. Return another resource that requested it first, or None."""
        first = self._addresses.setdefault((network_id, address), resource)
        return None if first == resource else first


planned = PerRegion(lambda _: Plans())
"""Returns the plans of the resources in a region."""
