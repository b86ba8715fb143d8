"""In what a region differs from OpenStack, and how that is known.

Whoever sends a request that some clouds refuse sends it in the way of OpenStack first, recognizes the refusal, uses the
other way, and notes the fact, so that the next request uses the other way at once. What has to be known before any
answer is assumed from the service catalog. No setting names a cloud.
"""

from __future__ import annotations

import threading
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

_SIGN = frozenset({"evs", "vpc"})
"""The services that only clouds of Huawei's kind have, such as the Open Telekom Cloud."""


class Fact(Enum):
    """What an answer has shown: the subject, if there is one, follows the fact.

    Each member says what the cloud does, and which answer shows it.
    """

    NO_ATTRIBUTE = auto()
    """Objects of a kind of Neutron do not have an attribute: a request with it was refused, or an answer came without.

    The subject is the API's name of one object, such as `port`, and the attribute.
    """
    NO_ACTION = auto()
    """An action of servers, which is the subject, is not offered: there is no such action, by a 400 or 404."""
    NO_DESCRIPTION_FOR_MARKER = auto()
    """A new server may not have the owner marker as its description: a 400 or 403 named `description`."""
    NO_TAGS_IN_CREATE = auto()
    """A new server cannot have tags: a 400 or 403 named `tags`."""
    NO_NETWORKS_KEYWORD = auto()
    """A new server cannot have a keyword as `networks`: a 400 or 403 named `networks`."""
    NO_SERVER_WITHOUT_DISK = auto()
    """A flavor without a disk needs a root volume beside the image, by the message of a refusal."""
    FIRST_NIC_STAYS = auto()
    """The first NIC of a server cannot be detached: a 403 for that one alone."""
    NO_RESERVED_PORT = auto()
    """A detach has no parameter `reserve_port`: a 400, and the same request without it succeeded."""
    NO_FIXED_IP_IN_UPDATE = auto()
    """The update of a floating IP cannot choose the address of its port: a 400 named `fixed_ip_address` as unknown."""
    NO_LIST_OF_RULES = auto()
    """A request creates one rule of a security group: a 400 or 404 for a list, each rule of which was then created."""
    ZONE_REQUIRED = auto()
    """A new volume needs a zone: the request was refused, and the same one with a zone succeeded."""
    NO_EXTEND_IN_USE = auto()
    """An attached volume does not grow: a 400 without a code of the cloud's own named its status."""
    RETYPES_BY_PATH = auto()
    """The type of a volume changes by a path of the cloud's own: that took the request, or refused it with a code."""


class Differences:
    """The differences between a region and OpenStack, for the rest of the process; thread-safe.

    `note` and `knows` are about what answers have shown. The properties are assumed where the catalog has the services
    `evs` and `vpc`; each says why a sign has to do instead of an answer. The row is that of
    `docs/design/cloud-differences.md`.

    Args:
        services: returns the types of the services that the catalog has in the region.
    """

    def __init__(self, services: Callable[[], AbstractSet[str]]) -> None:
        self._services = services
        self._facts: set[tuple[Fact, tuple[str, ...]]] = set()
        self._lock = threading.Lock()

    def note(self, fact: Fact, *subject: str) -> bool:
        """Remember a fact; return whether it is new."""
        with self._lock:
            is_new = (fact, subject) not in self._facts
            self._facts.add((fact, subject))
            return is_new

    def knows(self, fact: Fact, *subject: str) -> bool:
        """Whether the fact has been noted."""
        return (fact, subject) in self._facts

    @cached_property
    def _has_sign(self) -> bool:
        return self._services() >= _SIGN

    @property
    def has_project_per_region(self) -> bool:
        """Each project and its token belong to one region (row 6). Needed for the login to another region."""
        return self._has_sign

    # Servers

    @property
    def filters_servers_loosely(self) -> bool:
        """Lists servers by a part of the name, and by an image regardless of other filters (rows 17, 18).

        Such a list looks like that of a cloud with other servers.
        """
        return self._has_sign

    @property
    def boots_from_volumes_only(self) -> bool:
        """Every root disk is a volume, also that of an image (row 5). Needed in previews and before an import."""
        return self._has_sign

    @property
    def requires_nics(self) -> bool:
        """Creates no server without NICs (row 34). Needed for the advice of a preview."""
        return self._has_sign

    @property
    def documents_few_actions(self) -> bool:
        """Documents no pause, suspend, shelve and changePassword (row 7). Needed in previews, before the refusal."""
        return self._has_sign

    @property
    def has_sold_out_flavors(self) -> bool:
        """The extra specs of a flavor say where it is sold out (row 27). Elsewhere, they are not worth the requests."""
        return self._has_sign

    @property
    def deletes_ports_with_nics(self) -> bool:
        """Deletes a port with its server, and at a detach that does not reserve it (rows 1, 2).

        When an answer shows it, the port of the program is lost.
        """
        return self._has_sign

    @property
    def keeps_first_nic(self) -> bool:
        """Does not detach the first NIC of a server: 403, as for a missing right (row 2). Needed in previews, too."""
        return self._has_sign

    # Volumes

    @property
    def attaches_within_zone_only(self) -> bool:
        """A server attaches volumes of its own zone only (row 35). Needed in previews; OpenStack may allow others."""
        return self._has_sign

    @property
    def deletes_snapshots_with_volume(self) -> bool:
        """Deletes the snapshots of a volume with it (row 36). When an answer shows it, they are lost."""
        return self._has_sign

    @property
    def extends_attached_volumes(self) -> bool:
        """Extends an attached volume without a microversion (row 9). Spares a preview a warning."""
        return self._has_sign

    @property
    def may_retype_by_path(self) -> bool:
        """May change types by a path of its own only (row 8), with an answer to the action that is not documented."""
        return self._has_sign

    @property
    def writes_metadata(self) -> bool:
        """Writes metadata of servers and volumes, and keeps some as they were created (rows 15, 16, 32).

        No answer shows who wrote an entry.
        """
        return self._has_sign

    # Networks

    @property
    def may_drop_attributes(self) -> bool:
        """Has not all attributes of networks, subnets, ports, routers and floating IPs (rows 3, 13).

        May drop them without an error: the object exists by then, and the answer may be lost.
        """
        return self._has_sign

    def filters_by_description(self, kind: str) -> bool:
        """Whether a list may be filtered by description: not where one is ignored, or where the kind has none (row 3).

        A list without matches looks like that of a cloud without such objects.
        """
        return not (self._has_sign or self.knows(Fact.NO_ATTRIBUTE, kind, "description"))

    @property
    def restricts_ports(self) -> bool:
        """Documents one address for a port, and few changes (row 10). Needed in previews, before the refusal."""
        return self._has_sign

    @property
    def has_one_subnet_per_version(self) -> bool:
        """A network has one subnet of each IP version (row 37). Needed in previews, and to order a replacement."""
        return self._has_sign

    @property
    def chooses_ipv6_ranges(self) -> bool:
        """An IPv6 subnet has no CIDR in its request (row 12). Needed in previews."""
        return self._has_sign

    @property
    def keeps_gateways(self) -> bool:
        """The gateway of a subnet never changes (row 11). Needed in previews, before the refusal."""
        return self._has_sign

    # All kinds

    @property
    def has_undocumented_refusals(self) -> bool:
        """Restricts inputs that OpenStack takes, with refusals of unknown words (rows 4, 10, 11, 14, 33).

        So the inputs of the request tell what was refused, not the answer.
        """
        return self._has_sign
