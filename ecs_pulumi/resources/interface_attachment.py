"""InterfaceAttachment: a NIC in a server (guide, chapter 7; Nova API reference, "Port interfaces")."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import pulumi
from pydantic import Field
from typing_extensions import TypedDict

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic.fields import (
    CloudDefault,
    Given,
    Inputs,
    Nested,
    Outputs,
    Problem,
    Replace,
    Since,
    Unordered,
    WriteOnly,
    objects,
    one_of,
)
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources import preflight, quota
from ecs_pulumi.resources.addresses import FixedIp, IpAddress
from ecs_pulumi.resources.asleep import while_awake
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import EcsKind, Live, Op, found_or_failed, split_id
from ecs_pulumi.resources.neutron import with_marker
from ecs_pulumi.resources.nic import (
    TAG,
    attach,
    attach_own_port,
    bound_to,
    delete_port,
    detach,
    is_for_a_nic,
    mark_of,
)

_DETACHED = "DETACHED"
_SERVER = "server of the NIC"
"""In a port as we read it: the server that the state says, whichever one has the port."""


class InterfaceFixedIpArgs(TypedDict):
    """An address to ask for."""

    ip_address: pulumi.Input[str]
    """The address."""


class _FixedIp(Nested):
    ip_address: IpAddress


class InterfaceAttachmentInputs(Inputs):
    """What a program may ask of a NIC."""

    server_id: Annotated[str, Replace()] = Field(description="Server.")
    port_id: Annotated[str | None, Replace(), CloudDefault()] = Field(
        None, description="Port to bind. Or `network_id`, and a port is made."
    )
    network_id: Annotated[str | None, Replace(), CloudDefault()] = Field(
        None, description="Network in which a port is made, which goes with the NIC or its server."
    )
    fixed_ips: Annotated[list[_FixedIp] | None, Replace(), CloudDefault(), Unordered()] = Field(
        None, description="Addresses to ask for; only with `network_id`."
    )
    tag: Annotated[str | None, Replace(), WriteOnly(), Since("compute", TAG)] = Field(
        None, max_length=60, description="Tag that the server finds the NIC by in its metadata."
    )


class InterfaceAttachmentOutputs(Outputs):
    """What the cloud tells beyond the inputs."""

    mac_address: str | None = Field(None, description="MAC address.")
    port_state: str | None = Field(
        None,
        description="`ACTIVE` once it is up; `DETACHED` where somebody took it out: the next `up` puts it back.",
    )


class InterfaceAttachmentKind(EcsKind[InterfaceAttachmentInputs]):
    """NICs, seen from the port: one list of ports tells all of them."""

    name = "InterfaceAttachment"
    inputs = InterfaceAttachmentInputs
    outputs = InterfaceAttachmentOutputs
    # A NIC with a port of the program's and one whose port goes with it are two NICs.
    alternatives = ("port_id", "network_id")

    def rules(self, given: Given) -> Iterator[Problem]:
        """A port or a network, and addresses only where the port is made here."""
        yield from one_of(given, "port_id", "network_id")
        if given.has("fixed_ips") and given.has("port_id"):
            yield Problem("fixed_ips", "only with `network_id`: a port has its own addresses")

    def preflight(self, op: Op, given: Given) -> Iterator[Problem]:
        """Server, port and network exist, and requested addresses can be had."""
        yield from super().preflight(op, given)
        names = catalog(op.cloud.region)
        yield from preflight.there_is(given, "server_id", names.server)
        yield from preflight.there_is(given, "port_id", lambda id_: names.neutron("port", id_))
        if given.known("port_id") and given.changed("port_id"):
            preflight.port_in_use(op, given, "port_id", given.known("port_id"))
        yield from preflight.there_is(given, "network_id", lambda id_: names.neutron("network", id_))
        if not given.before:
            yield from preflight.addresses(op, given)
        if given.has("network_id"):
            yield from quota.of_network(op, given, "ports", "network_id")

    def same(self, name: str, wanted: Any, old: Mapping[str, Any]) -> bool:
        """A port's further addresses are the cloud's choice where the program asks for some."""
        if name == "fixed_ips" and isinstance(wanted, list):
            has = [item.get("ip_address") for item in objects(old.get("fixed_ips"))]
            return all(isinstance(item, Mapping) and item.get("ip_address") in has for item in wanted)
        return super().same(name, wanted, old)

    def is_exclusive(self, inputs: Mapping[str, Any]) -> bool:
        """A port is bound once, and an address exists once."""
        return inputs.get("port_id") is not None or inputs.get("fixed_ips") not in (None, [])

    def leftovers(self, op: Op, wanted: InterfaceAttachmentInputs) -> list[tuple[str, None]]:
        """The NIC whose port carries the marker, and the port that is not in the server yet."""
        if not wanted.network_id:
            return []
        ports = with_marker(op, "port", mark_of(op))
        return [
            (f"{wanted.server_id}/{port['id']}", None)
            for port in ports
            if port.get("device_id") in (None, "", wanted.server_id)
        ]

    def create(self, op: Op, wanted: InterfaceAttachmentInputs) -> Live:
        """Attach; a port that this server has already is taken over."""
        addresses = [item.ip_address for item in wanted.fixed_ips or ()]

        def plug_in() -> Live:
            if wanted.network_id and (marked := mark_of(op)):
                live = attach_own_port(op, wanted.server_id, wanted.network_id, addresses, wanted.tag, marked=marked)
            else:
                place = {"port_id": wanted.port_id, "network_id": wanted.network_id}
                live = attach(op, wanted.server_id, **place, addresses=addresses, tag=wanted.tag)
            op.created(f"{wanted.server_id}/{live['id']}")
            return live

        return while_awake(op, wanted.server_id, plug_in)

    def read(self, op: Op, id_: str) -> Live | None:
        """From the list that serves every refresh of ports."""
        server_id, port_id = split_id(id_, self.name)
        return _nic(op.cloud.region.ports.read(port_id), server_id)

    def fetch(self, op: Op, id_: str) -> Live | None:
        """The port as it is this moment, if the server has it."""
        server_id, port_id = split_id(id_, self.name)
        try:
            return _nic(network.get(op.cloud.network, "port", port_id), server_id)
        except errors.NotFound:
            return None

    def observe(self, op: Op, live: Live) -> dict[str, Any]:
        """As Neutron tells it."""
        server_id = live.get(_SERVER, live["device_id"])
        return {
            "region": op.cloud.region.name,
            "server_id": server_id,
            "port_id": live["id"],
            "network_id": live["network_id"],
            "fixed_ips": live.get("fixed_ips") or [],
            "mac_address": live.get("mac_address"),
            "port_state": live.get("status") if live.get("device_id") == server_id else _DETACHED,
        }

    def owed(self, old: Mapping[str, Any]) -> str | None:
        """A NIC that somebody took out of its server is put back."""
        is_out = old.get("port_state") == _DETACHED
        return "the NIC was taken out of its server; an `up` puts it back" if is_out else None

    def claims(self, op: Op, live: Live) -> dict[str, Any]:  # noqa: ARG002
        """Nothing: the mark of a port that the program declares is that port's own."""
        return {}

    def update(
        self,
        op: Op,
        id_: str,
        wanted: InterfaceAttachmentInputs,
        old: Mapping[str, Any],  # noqa: ARG002
    ) -> Live:
        """Nothing can be changed; this only puts back what somebody took out."""
        live = found_or_failed(self.fetch(op, id_), self.name, id_)
        if bound_to(live, wanted.server_id):
            return live
        put_back = partial(attach, op, wanted.server_id, port_id=live["id"], tag=wanted.tag)
        return while_awake(op, wanted.server_id, put_back)

    def delete(self, op: Op, id_: str, old: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Detach and wait until the port is free; one that was made for the NIC goes with it."""
        server_id, port_id = split_id(id_, self.name)
        left = while_awake(op, server_id, partial(detach, op, server_id, port_id))
        if left and is_for_a_nic(left) and left.get("device_id") in (None, "", server_id):
            delete_port(op, port_id)


def _nic(port: Live | None, server_id: str) -> Live | None:
    """The port of a NIC; one that was made for it stays the NIC's where somebody has taken it out of the server."""
    return {**port, _SERVER: server_id} if port and is_for_a_nic(port) else bound_to(port, server_id)


KIND = InterfaceAttachmentKind()


class InterfaceAttachment(EcsResource, kind=KIND):
    """A NIC in a server. Its id is `<server>/<port>`.

    Source: guide, chapter 7 "Bind the NIC to the ECS"; Nova API reference, "Port interfaces".
    """

    server_id: pulumi.Output[str]
    port_id: pulumi.Output[str]
    network_id: pulumi.Output[str]
    fixed_ips: pulumi.Output[list[FixedIp]]
    tag: pulumi.Output[str | None]
    mac_address: pulumi.Output[str]
    port_state: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        server_id: pulumi.Input[str],
        port_id: pulumi.Input[str] | None = None,
        network_id: pulumi.Input[str] | None = None,
        fixed_ips: pulumi.Input[Sequence[pulumi.Input[InterfaceFixedIpArgs]]] | None = None,
        tag: pulumi.Input[str] | None = None,
        region: pulumi.Input[str] | None = None,
        adopt: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a NIC. Every argument is described in the reference of the kind."""
