"""Subnet: a range of addresses in a network (guide, chapter 7; Neutron API reference, "Subnets")."""

import contextlib
import ipaddress
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    Computed,
    InPlace,
    Nested,
    Outputs,
    Problem,
    References,
    Replace,
    Set,
    exactly_one_of,
    format_value,
    has_unknown,
    to_plain,
)
from ecs_pulumi.dynamic.handler import ImportedResource, Provenance
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.addresses import (
    IpAddress,
    IpAddressAsWritten,
    Range,
    canonical_ip,
    ip_range,
    port_address_range,
)
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.deletion import User
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.neutron import (
    NeutronHandler,
    NeutronInputs,
    dependent_ports,
    describe_port,
    shared_reason,
)
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.router import INTERFACE_OWNERS
from ecs_pulumi.resources.same_run import retry_while_awaited


class SubnetAllocationPool(Nested):
    """A range from which ports get their addresses."""

    start: IpAddress = Field(description="First address.")
    end: IpAddress = Field(description="Last address.")


class SubnetHostRoute(Nested):
    """A route that DHCP announces to the servers."""

    destination: IpAddress = Field(description="Range of addresses, for example `10.1.0.0/16`.")
    nexthop: IpAddress = Field(description="Address of the router.")


Ipv6Mode = Literal["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]


class SubnetInputs(NeutronInputs):
    """A range of addresses in a network, from which ports get their addresses.

    Source: guide, chapter 7 "Create a subnet"; Neutron API reference, "Subnets".
    """

    network_id: Annotated[str, Replace(), References("Network")] = Field(description="Network it belongs to.")
    cidr: Annotated[IpAddressAsWritten | None, Replace(), Computed(), AlwaysSet()] = Field(
        None, description="Range of addresses, for example `10.0.10.0/24`. Set either this or `subnet_pool_id`."
    )
    subnet_pool_id: Annotated[str | None, Replace()] = Field(
        None, description="Subnet pool from which the cloud allocates the range."
    )
    prefix_length: Annotated[int | None, Replace()] = Field(
        None, ge=0, le=128, description="Prefix length of the range that is allocated from the pool."
    )
    ip_version: Annotated[Literal[4, 6], Replace()] = Field(4, description="4 or 6.")
    gateway_ip: Annotated[IpAddressAsWritten | None, InPlace(), Computed(), ChangedBy(("no_gateway",))] = Field(
        None, description="Address of the gateway. Default: the first address of the range."
    )
    no_gateway: Annotated[bool | None, InPlace(), AlwaysSet()] = Field(
        None, description="True: the subnet has no gateway."
    )
    enable_dhcp: Annotated[bool, InPlace()] = Field(default=True, description="Whether DHCP is enabled.")
    dns_nameservers: Annotated[list[IpAddressAsWritten] | None, InPlace(), AlwaysSet()] = Field(
        None, description="DNS servers, in order."
    )
    allocation_pools: Annotated[list[SubnetAllocationPool] | None, InPlace(), Computed(), Set(), AlwaysSet()] = Field(
        None, description="Ranges from which ports get their addresses, a set. Default: all of the cidr."
    )
    host_routes: Annotated[list[SubnetHostRoute] | None, InPlace(), Set(), AlwaysSet()] = Field(
        None, description="Routes that DHCP announces to the servers, a set."
    )
    ipv6_address_mode: Annotated[Ipv6Mode | None, Replace()] = Field(
        None, description="How IPv6 addresses are assigned."
    )
    ipv6_ra_mode: Annotated[Ipv6Mode | None, Replace()] = Field(
        None, description="How IPv6 router advertisements are sent."
    )
    service_types: Annotated[list[str] | None, InPlace(), Set(), AlwaysSet()] = Field(
        None, description="Device owners that may use it, for example `network:floatingip`."
    )
    segment_id: Annotated[str | None, Replace()] = Field(None, description="Segment of the network.")
    dns_publish_fixed_ip: Annotated[bool | None, InPlace(), Computed()] = Field(
        None, description="Whether the DNS service publishes the addresses of its ports."
    )


class SubnetOutputs(Outputs):
    """Attributes that only the cloud sets."""

    created_at: Annotated[str | None, ChangedBy()] = Field(None, description="When it was created, UTC.")
    updated_at: str | None = Field(None, description="When it was last changed, UTC.")


class SubnetHandler(NeutronHandler[SubnetInputs]):
    """Handler of subnets."""

    name = "Subnet"
    inputs = SubnetInputs
    outputs = SubnetOutputs
    title = "Subnets"
    singular = "subnet"
    attribute_map: ClassVar = {
        "subnet_pool_id": "subnetpool_id",
        "prefix_length": "prefixlen",
        "project_id": "tenant_id",
    }

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Check that `cidr`, the gateway and the allocation pools are valid and do not contradict each other."""
        if not checked.has("subnet_pool_id") or checked.has("cidr"):
            # Some clouds choose the range of an IPv6 subnet.
            is_chosen = checked.known("ip_version") == _IPV6
            yield from exactly_one_of(checked, "cidr", "subnet_pool_id", required=not is_chosen)
        if checked.has("gateway_ip") and checked.known("no_gateway"):
            yield Problem("no_gateway", "give only one of `gateway_ip` or `no_gateway`")
        network, problem = _parse_cidr(checked)
        if problem:
            yield problem
        elif network:
            yield from _check_addresses(network, checked)

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the network exists and the range is free in it."""
        yield from super().preflight(context, checked)
        resolver = catalog(context.cloud.region)
        if not (context.cloud.region.differences.chooses_ipv6_ranges or checked.provided("cidr", "subnet_pool_id")):
            yield from exactly_one_of(checked, "cidr", "subnet_pool_id")
        yield from preflight.check_exists(checked, "network_id", lambda id_: resolver.neutron("network", id_))
        yield from _check_overlap(context, checked)

    def preflight_update(self, context: Context, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:
        """Warn of a change of the gateway, which some clouds refuse, and others while a router has its address."""
        region, prior = context.cloud.region, context.prior
        for name in sorted(_GATEWAY.intersection(changed)):
            if region.differences.keeps_gateways:
                users = _users_in_preview(context, id_, prior["network_id"])
                advice = _gateway_advice(prior.get("gateway_ip"), users, none=bool(new.get("no_gateway")))
                context.warn(f"{name}: this cloud may not change the gateway of a subnet. If so, {advice}")
            # OpenStack lets a subnet lose its gateway behind a router.
            elif not new.get("no_gateway") and (router := _router_of_gateway(context, prior)):
                context.warn(f"{name}: the update fails, because the router {router} {_GATEWAY_IN_USE}")

    def preflight_replacement(self, context: Context, new: Mapping[str, Any]) -> None:
        """Warn of the ports that keep the subnet from being deleted before its replacement is created."""
        if self.delete_before_replace(context, context.prior, new):
            users = _users_in_preview(context, context.id, context.prior["network_id"])
            if users:
                context.warn(f"the subnet is deleted before its replacement is created, but {_in_use(users)}")

    def delete_before_replace(self, context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Delete first if the ranges overlap or the pool changes: Neutron allows neither within one network.

        Delete it first as well if its network can have only one subnet of an IP version, as far as a request of this
        process has shown what the cloud is. Without preflight checks, only the create shows it.
        """
        if new.get("network_id") != prior.get("network_id"):
            return False
        if new.get("subnet_pool_id") != prior.get("subnet_pool_id"):
            return True
        ranges = [_range(item.get("cidr")) for item in (prior, new)]
        if all(ranges) and ranges[0].overlaps(ranges[1]):
            return True
        if new.get("ip_version", _IPV4) != prior.get("ip_version", _IPV4):
            return False
        with contextlib.suppress(errors.EcsError):  # for example without credentials
            region = context.cloud.known_region
            return region is not None and region.differences.has_one_subnet_per_version
        return False

    def create(self, context: Context, desired: SubnetInputs) -> RemoteObject:
        """Create the subnet. If it cannot exist beside the one that it replaces, the error says what to do.

        Where the cloud chooses the range of an IPv6 subnet, it may require an IPv4 subnet: wait a minute for that one.
        A new subnet without any pool needs an update, because Neutron then creates the default ones.
        """
        create = super().create
        is_last_attempt = False

        def awaited(error: errors.ApiError, _: float) -> str | None:
            nonlocal is_last_attempt
            if not isinstance(error, errors.BadRequest):
                return None
            if desired.no_gateway and "gateway_ip" in error.message:
                error.hint = "Remove `no_gateway`: this cloud has no subnet without a gateway."
            if explained := self._explained(context, desired, error):
                raise explained from error
            if desired.ip_version == _IPV4 or desired.cidr or desired.subnet_pool_id or is_last_attempt:
                return None
            if self._lacks_ipv4(context, desired):
                return "waiting for the IPv4 subnet of the network"
            # That subnet may have been created after the refusal.
            is_last_attempt = True
            return ""

        remote = retry_while_awaited(context, lambda: create(context, desired), awaited)
        if desired.allocation_pools == [] and remote.get("allocation_pools"):
            remote = self._send_update(context, remote, {"allocation_pools": []})
        return remote

    @staticmethod
    def _lacks_ipv4(context: Context, desired: SubnetInputs) -> bool:
        """Whether the network has no IPv4 subnet yet."""
        others = network.list_all(context.cloud.network, "subnet", network_id=desired.network_id)
        return all(each["ip_version"] != _IPV4 for each in others)

    @staticmethod
    def _excludes_predecessor(context: Context, desired: SubnetInputs) -> bool:
        """Whether its range or its network rules out that it exists beside the subnet that is being replaced."""
        with contextlib.suppress(errors.EcsError):
            others = network.list_all(context.cloud.network, "subnet", network_id=desired.network_id)
            desired_range = _range(desired.cidr)
            is_single = context.cloud.region.differences.has_one_subnet_per_version
            return any(
                (
                    (is_single and each["ip_version"] == desired.ip_version)
                    or (desired_range and desired_range.overlaps(_range(each["cidr"])))
                )
                and context.provenance(each["id"], None) is Provenance.PREDECESSOR
                for each in others
            )
        return False

    def _explained(self, context: Context, desired: SubnetInputs, error: errors.BadRequest) -> errors.EcsError | None:
        """Return the error for a subnet that cannot exist beside another one, or for an input; None otherwise."""
        if self._excludes_predecessor(context, desired):
            return errors.OperationFailed(str(error), _EXCLUDES_PREDECESSOR)
        if "has a subnet already" in error.message:
            return errors.OperationFailed(f"network_id: {_ONE_SUBNET}", str(error))
        return _refused_input(context, to_plain(desired), error)

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the attributes of the API, and `no_gateway`."""
        return {**super().to_outputs(context, remote), "no_gateway": remote.get("gateway_ip") is None}

    def unmanaged_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return that another project owns the subnet, or that its network is shared or external."""
        network = existing.of("Network").get(remote["network_id"], {})
        return super().unmanaged_reason(existing, remote) or shared_reason(network)

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the range unless a pool allocates it; add the gateway and the pools unless they are the defaults."""
        resource = super().import_resource(existing, remote, outputs)
        network, gateway = ipaddress.ip_network(outputs["cidr"]), outputs.get("gateway_ip")
        is_first = network.num_addresses > 1 and gateway == str(network[1])
        pools = outputs.get("allocation_pools") or ()
        resource.inputs["cidr"] = None if outputs.get("subnet_pool_id") else outputs["cidr"]
        resource.inputs["gateway_ip"] = None if is_first else gateway
        if _pool_ends(pools) != _default_pool_ends(network, gateway):
            resource.inputs["allocation_pools"] = outputs.get("allocation_pools")
        return resource

    def _send_update(self, context: Context, remote: RemoteObject, body: RemoteObject) -> RemoteObject:
        """Explain an update of the gateway that the cloud refuses, ignores, or does not make behind a router."""
        refusal: errors.EcsError | None = None
        try:
            updated = super()._send_update(context, remote, body)
        except errors.BadRequest as error:
            if "gateway_ip" not in errors.unknown_attributes(error):
                raise _refused_input(context, body, error) or error from None
            refusal = error
        except errors.Conflict as error:
            if "gateway_ip" not in body or "gateway" not in error.message.lower():
                raise
            raise errors.OperationFailed(f"gateway_ip: a router {_GATEWAY_IN_USE}", str(error)) from error
        else:
            desired = body.get("gateway_ip")
            if "gateway_ip" not in body or updated.get("gateway_ip") == (desired and canonical_ip(desired)):
                return updated
        ports = network.list_all(context.cloud.network, "port", network_id=remote["network_id"])
        advice = _gateway_advice(
            remote.get("gateway_ip"), _users(ports, remote["id"]), none=body.get("gateway_ip") is None
        )
        raise errors.OperationFailed("gateway_ip: this cloud does not change it", advice) from refusal

    def _body(self, values: Mapping[str, Any], remote: RemoteObject) -> RemoteObject:
        body = super()._body(values, remote)
        if body.pop("no_gateway", False):
            body["gateway_ip"] = None
        elif "no_gateway" in values and remote and "gateway_ip" not in body:
            # Neutron's default gateway. In a range of a single address it lies outside of the range.
            body["gateway_ip"] = str(ipaddress.ip_network(remote["cidr"]).network_address + 1)
        if remote and body.get("gateway_ip") and "allocation_pools" not in body:
            body |= _pools_without_gateway(body["gateway_ip"], remote["allocation_pools"])
        return body

    def _dependents(self, context: Context, id_: str) -> list[User]:
        return dependent_ports(context, fixed_ips=f"subnet_id={id_}")


_IPV4, _IPV6 = 4, 6
_GATEWAY = frozenset({"gateway_ip", "no_gateway"})


_GATEWAY_IN_USE = (
    "has the address of the former gateway: remove its RouterInterface with an `up` of its own before the change, and "
    "add it again afterwards, or return to the former gateway"
)
_LISTED = 5
"""How many ports a message lists."""


def _gateway_advice(former: str | None, users: list[str], *, none: bool) -> str:
    """Return what to do where the gateway of a subnet never changes.

    Args:
        former: The gateway.
        users: The ports that have to be deleted before the subnet.
        none: Whether the program wants no gateway, which a new subnet would not have either.
    """
    keep = f"return to the former gateway {former}"
    if none:
        return keep
    if users:
        return f"{keep}: a new subnet is no way, because this one {_in_use(users)}"
    return f'set replace_on_changes=["gateway_ip"] in the options of the resource to replace the subnet, or {keep}'


def _in_use(users: list[str]) -> str:
    listed = errors.join_names(users, _LISTED)
    return f"is in use by {listed}; it can only be deleted after them"


def _users(ports: Iterable[RemoteObject], subnet_id: str) -> list[str]:
    """Describe the ports of a subnet that do not end with it, as those of its router and of DHCP do."""
    return [
        describe_port(port)
        for port in ports
        if any(each["subnet_id"] == subnet_id for each in port.get("fixed_ips") or ())
        and not str(port.get("device_owner") or "").startswith("network:")
    ]


def _users_in_preview(context: Context, subnet_id: str, network_id: str) -> list[str]:
    """Describe these ports as far as the account may see them."""
    with contextlib.suppress(errors.ApiError):
        return _users(catalog(context.cloud.region).ports(network_id), subnet_id)
    return []


def _router_of_gateway(context: Context, prior: Mapping[str, Any]) -> str | None:
    """Return the router that has the address of the gateway; None if there is none."""
    address = prior.get("gateway_ip")
    with contextlib.suppress(errors.ApiError):
        port = address and catalog(context.cloud.region).port_with_address(
            prior["network_id"], ipaddress.ip_address(address)
        )
        if port and port.get("device_owner") in INTERFACE_OWNERS:
            return str(port["device_id"])
    return None


_INVALID = re.compile(r"Invalid input for (?P<name>\w+)")


def _refused_input(
    context: Context, values: Mapping[str, Any], error: errors.BadRequest
) -> errors.OperationFailed | None:
    """Return the error with the input that an Open Telekom Cloud restricts; None if the error names none."""
    if not context.cloud.region.differences.has_undocumented_refusals:
        return None
    cidr, found = values.get("cidr"), _INVALID.match(error.message)
    if cidr and cidr in error.message:
        name = "cidr"
    elif found and found["name"] in values:
        name = "no_gateway" if found["name"] == "gateway_ip" and values.get("no_gateway") else found["name"]
    else:
        return None
    value = values[name]
    shown = f" {format_value(value)}" if isinstance(value, str | int) else ""
    return errors.OperationFailed(f"{name}: this cloud does not accept{shown or ' it'}", str(error))


_ONE_SUBNET = "a network has one subnet of each IP version on this cloud; use another network"
_EXCLUDES_PREDECESSOR = (
    "it cannot exist beside the subnet that is being replaced: set delete_before_replace=True in the options of the "
    "resource, so that Pulumi deletes that subnet first"
)


def _check_overlap(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check that the range overlaps no other subnet of the network, and that the network can have another one."""
    network_id, cidr = checked.known("network_id"), checked.known("cidr")
    if (
        not network_id
        or checked.is_replacement
        or created_in_this_run(network_id)
        or not checked.changed("network_id", "cidr")
    ):
        return
    # The prior range of this subnet is no conflict: an overlapping replacement deletes the subnet first.
    own = _range(checked.prior.get("cidr")) if checked.prior.get("network_id") == network_id else None
    for other in preflight.subnets_of(context, network_id) if cidr else ():
        if own and "id" in other and _range(other["cidr"]) == own:
            continue
        desired, range_ = ipaddress.ip_network(cidr), ip_range(other["cidr"]) if other["cidr"] else None
        is_same_version = range_ and range_.version == desired.version
        is_only = is_same_version and context.cloud.region.differences.has_one_subnet_per_version
        if range_ and (is_only or desired.overlaps(range_)):
            if "id" in other and preflight.is_own_object(context, checked, (other["id"], other["name"])):
                _warn_of_forced_replacement(context, other)
                continue
            is_planned = "id" not in other
            which = "another subnet of this program" if is_planned else f"the subnet {other.get('name') or other['id']}"
            name, reason = "cidr", f"overlaps {other['cidr']}, the range of {which}"
            if is_only:
                name, reason = "network_id", f"{_ONE_SUBNET}: this one has {which}"
            if checked.prior:
                # The same update may delete the other subnet first.
                context.warn(f"{name}: {reason}; the update fails unless that subnet is deleted or replaced first")
            else:
                yield Problem(name, reason)
            return
    planned(context.cloud.region).add_subnet(network_id, cidr)


def _warn_of_forced_replacement(context: Context, predecessor: RemoteObject) -> None:
    """Warn that `--replace`, of which only this check knows, creates first, and of what keeps the other order back."""
    if context.provenance(predecessor["id"], None) is not Provenance.PREDECESSOR:
        return
    users = _users_in_preview(context, predecessor["id"], predecessor["network_id"])
    also = f". The subnet {_in_use(users)}" if users else ""
    context.warn(f"the replacement fails unless the options of the resource have delete_before_replace=True{also}")


def _pools_without_gateway(gateway: str, pools: list[RemoteObject]) -> RemoteObject:
    """Return the update that excludes the gateway from the allocation pools; empty if it lies in none."""
    address, remaining = ipaddress.ip_address(gateway), []
    for pool in pools:
        start, end = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
        if not int(start) <= int(address) <= int(end):
            remaining.append(pool)
            continue
        parts = ((start, address - 1), (address + 1, end))
        remaining += [{"start": str(first), "end": str(last)} for first, last in parts if int(first) <= int(last)]
    return {} if remaining == pools else {"allocation_pools": remaining}


def _pool_ends(pools: Iterable[RemoteObject]) -> set[tuple[int, int]]:
    return {(int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))) for pool in pools}


def _default_pool_ends(network: Range, gateway: str | None) -> set[tuple[int, int]]:
    """Return the ends of the allocation pools that Neutron uses by default: all addresses except the gateway's."""
    last = 2 if network.version == 4 else 1  # noqa: PLR2004
    low, high = int(network[0]) + 1, int(network[0]) + network.num_addresses - last
    if not gateway:
        return {(low, high)}
    router = int(ipaddress.ip_address(gateway))
    return {(a, b) for a, b in ((low, min(high, router - 1)), (max(low, router + 1), high)) if a <= b}


def _range(cidr: Any) -> Any:
    try:
        return ipaddress.ip_network(str(cidr))
    except ValueError:
        return None


def _parse_cidr(
    checked: CheckInputs,
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network | None, Problem | None]:
    cidr = checked.known("cidr")
    if cidr is None:
        return None, None
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None, Problem("cidr", f'not a range of addresses such as "10.0.10.0/24", got {format_value(cidr)}')
    if network.version != (checked.known("ip_version") or network.version):
        return None, Problem("cidr", f"not of IP version {checked.known('ip_version')}, got {format_value(cidr)}")
    if "/" not in cidr:
        example = f'"{network.network_address}/{24 if network.version == _IPV4 else 64}"'
        return None, Problem("cidr", f"has no prefix length, got {format_value(cidr)}; add it, as in {example}")
    if ipaddress.ip_interface(cidr).ip != network.network_address:
        return None, Problem("cidr", f'has host bits set, got {format_value(cidr)}; did you mean "{network}"?')
    return network, None


def _check_addresses(network: ipaddress.IPv4Network | ipaddress.IPv6Network, checked: CheckInputs) -> Iterator[Problem]:
    pools = []
    first, last = port_address_range(network)
    for index, pool in [pair for pair in checked.items("allocation_pools") if not has_unknown(pair[1])]:
        try:
            start, end = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
        except ValueError:
            ends = f"{format_value(pool['start'])} to {format_value(pool['end'])}"
            yield Problem("allocation_pools", f"[{index}]: not a range of addresses, got {ends}")
            continue
        if start not in network or end not in network:
            yield Problem("allocation_pools", f"[{index}]: {start} to {end} is not within {network}")
        elif int(start) < int(first) or int(end) > int(last):
            reason = f"{start} to {end} is not within {first} to {last}, the addresses that ports can use"
            yield Problem("allocation_pools", f"[{index}]: {reason}")
        elif int(start) > int(end):
            yield Problem("allocation_pools", f"[{index}]: starts at {start}, after its end {end}")
        else:
            pools.append((int(start), int(end), f"{start} to {end}"))
    pools.sort()
    for one, other in itertools.pairwise(pools):
        if other[0] <= one[1]:
            yield Problem("allocation_pools", f"{one[2]} overlaps {other[2]}")
    gateway = checked.known("gateway_ip")
    if gateway is None and checked.values.get("no_gateway") is False and network.num_addresses > 1:
        gateway = str(network[1])
    if gateway:
        try:
            address = ipaddress.ip_address(gateway)
        except ValueError:
            yield Problem("gateway_ip", f"not an address, got {format_value(gateway)}")
            return
        if any(start <= int(address) <= end for start, end, _ in pools):
            yield Problem("gateway_ip", f"{gateway} lies in an allocation pool")


HANDLER = SubnetHandler()
