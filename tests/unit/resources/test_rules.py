"""Validation, comparison, replacement and taint rules of each kind, without a cloud."""

from __future__ import annotations

import re
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from pulumi.dynamic import CheckFailure, ConfigureRequest
from pulumi.output import UNKNOWN

from ecs_pulumi.dynamic.handler import OperationContext, get_handler
from ecs_pulumi.dynamic.provider import Provider
from tests.support.generated import KINDS

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn"

PRIVATE = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nHushHush\n-----END OPENSSH PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY----- HushHush",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nHushHush",
    "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nHushHush",
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nHushHush",
)

FLAT = {"provider_network_type": "flat"}
PEM = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")


def problems(kind: str, **inputs: Any) -> list[tuple[str, str]]:
    """The failures of `check`, each with its property."""
    provider = Provider(kind)
    settings = {"ecs:preflight": "false"}
    provider.configure(ConfigureRequest(config=SimpleNamespace(get=settings.get)))  # type: ignore[arg-type]
    return [_split(failure) for failure in provider.check({}, inputs).failures]


def _split(failure: CheckFailure) -> tuple[str, str]:
    """The property and the reason of a failure, even if the reason contains both."""
    if failure.property:
        return failure.property, failure.reason
    name, reason = re.split(r": |(?=\[)", failure.reason, maxsplit=1)
    return name, reason


def subnet_problems(**inputs: Any) -> list[tuple[str, str]]:
    """The failures of a subnet with these inputs."""
    return problems("Subnet", network_id="n", **({"cidr": "10.0.0.0/24"} | inputs))


def server_problems(**inputs: Any) -> list[tuple[str, str]]:
    """The failures of a server with these inputs."""
    return problems("Server", flavor="f", **({"image": "i"} | inputs))


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != "Server" and "tags" in KINDS[kind].inputs.model_fields]
)
def test_long_tag_is_named(kind: str) -> None:
    """A check names the tag that is longer than Neutron accepts."""
    found = dict(problems(kind, tags=["a" * 255, "a" * 256]))
    assert found["tags"] == "[1]: string must have at most 255 characters, got 256 characters"


def pool(start: Any, end: Any) -> dict[str, Any]:
    """An allocation pool."""
    return {"start": start, "end": end}


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, []),
        ({"cidr": UNKNOWN}, []),
        ({"cidr": None}, [("cidr", "one of `cidr` or `subnet_pool_id` is required")]),
        ({"cidr": None, "subnet_pool_id": "p", "prefix_length": 24}, []),
        (
            {"subnet_pool_id": "p"},
            [("subnet_pool_id", "give only one of `cidr` or `subnet_pool_id`; `cidr` is set as well")],
        ),
        ({"cidr": "10.0.0.7/24"}, [("cidr", 'has host bits set, got "10.0.0.7/24"; did you mean "10.0.0.0/24"?')]),
        ({"cidr": "10.0.0.0"}, [("cidr", 'has no prefix length, got "10.0.0.0"; add it, as in "10.0.0.0/24"')]),
        (
            {"cidr": "2001:db8::", "ip_version": 6},
            [("cidr", 'has no prefix length, got "2001:db8::"; add it, as in "2001:db8::/64"')],
        ),
        ({"cidr": "net"}, [("cidr", 'not a range of addresses such as "10.0.10.0/24", got "net"')]),
        ({"cidr": "2001:db8::/64"}, [("cidr", 'not of IP version 4, got "2001:db8::/64"')]),
        ({"cidr": "2001:db8::/64", "ip_version": 6}, []),
        (
            {"gateway_ip": "10.0.0.1", "no_gateway": True},
            [("no_gateway", "give only one of `gateway_ip` or `no_gateway`")],
        ),
        ({"gateway_ip": "10.0.0.1", "no_gateway": False}, []),
        ({"gateway_ip": "router"}, [("gateway_ip", 'not an address, got "router"')]),
        ({"allocation_pools": [pool("10.0.0.2", "10.0.0.9"), pool("10.0.0.20", "10.0.0.29")]}, []),
        ({"allocation_pools": [pool("10.0.0.2", UNKNOWN)]}, []),
        ({"allocation_pools": [UNKNOWN]}, []),
        (
            {"allocation_pools": [UNKNOWN, pool("10.0.0.2", UNKNOWN), pool("10.0.0.9", "10.0.0.2")]},
            [("allocation_pools", "[2]: starts at 10.0.0.9, after its end 10.0.0.2")],
        ),
        (
            {"allocation_pools": [pool("10.0.0.2", "10.0.0.9"), pool("low", "high")]},
            [("allocation_pools", '[1]: not a range of addresses, got "low" to "high"')],
        ),
        (
            {"allocation_pools": [pool("10.0.0.2", "10.0.1.9")]},
            [("allocation_pools", "[0]: 10.0.0.2 to 10.0.1.9 is not within 10.0.0.0/24")],
        ),
        (
            {"allocation_pools": [pool("10.0.0.2", "2001:db8::1")]},
            [("allocation_pools", "[0]: 10.0.0.2 to 2001:db8::1 is not within 10.0.0.0/24")],
        ),
        (
            {"allocation_pools": [pool("10.0.0.9", "10.0.0.2")]},
            [("allocation_pools", "[0]: starts at 10.0.0.9, after its end 10.0.0.2")],
        ),
        (
            {"allocation_pools": [pool("10.0.0.8", "10.0.0.20"), pool("10.0.0.2", "10.0.0.9")]},
            [("allocation_pools", "10.0.0.2 to 10.0.0.9 overlaps 10.0.0.8 to 10.0.0.20")],
        ),
        (
            {"allocation_pools": [pool("10.0.0.1", "10.0.0.9")], "gateway_ip": "10.0.0.5"},
            [("gateway_ip", "10.0.0.5 lies in an allocation pool")],
        ),
    ],
)
def test_subnet_validation(inputs: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """The rules of the range, the gateway and the allocation pools; unknown values are ignored."""
    assert subnet_problems(**inputs) == expected


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"port_id": "p"}, []),
        ({"network_id": UNKNOWN}, []),
        ({"network_id": "n", "fixed_ips": [{"ip_address": "10.0.0.5"}]}, []),
        ({}, [("port_id", "one of `port_id` or `network_id` is required")]),
        (
            {"port_id": UNKNOWN, "network_id": "n"},
            [("network_id", "give only one of `port_id` or `network_id`; `port_id` is set as well")],
        ),
        (
            {"port_id": "p", "fixed_ips": [{"ip_address": "10.0.0.5"}]},
            [("fixed_ips", "only with `network_id`: a port has its own addresses")],
        ),
    ],
)
def test_interface_attachment_validation(inputs: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Either a port or a network is required, and addresses are allowed only with a network."""
    assert problems("InterfaceAttachment", server_id="s", **inputs) == expected


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, []),
        ({"public_key": UNKNOWN}, []),
        ({"public_key": f"{KEY} me@home\n"}, []),
        ({"public_key": "-----BEGIN-CERTIFICATE-----", "type": "x509"}, []),
        (
            {"public_key": "~/.ssh/id_ed25519.pub"},
            [("public_key", 'not an OpenSSH public key such as "ssh-ed25519 AAAA… comment"')],
        ),
        *[
            (
                {"public_key": private, "type": type_},
                [
                    (
                        "public_key",
                        "this is a private key, which must not leave your machine; use the content of the .pub file",
                    )
                ],
            )
            for private in PRIVATE
            for type_ in (None, "x509", UNKNOWN)
        ],
    ],
)
def test_key_pair_validation(inputs: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """`public_key` has to be the text of a public key, not a file name or a private key."""
    assert problems("KeyPair", **inputs) == expected


@pytest.mark.parametrize("key", [*PRIVATE, "HushHush"])
def test_invalid_public_key_is_not_printed(key: str) -> None:
    """The engine prints the value of the property that a failure names, so this failure names none."""
    provider = Provider("KeyPair")
    (failure,) = provider.check({}, {"public_key": key}).failures
    assert failure.property == ""
    assert "Hush" not in failure.reason


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"image": "i"}, []),
        ({"image": UNKNOWN, "size": UNKNOWN}, []),
        (
            {"image": "i", "backup_id": UNKNOWN},
            [
                (
                    "backup_id",
                    (
                        "give only one of `image` or `snapshot_id` or `source_volume_id` or `backup_id`; "
                        "`image` is set as well"
                    ),
                )
            ],
        ),
        ({"size": 0.0}, [("size", "must be greater than or equal to 1, got 0")]),
        (
            {"metadata": {"managed-by-pulumi": UNKNOWN}},
            [("metadata", "`managed-by-pulumi` is the key in which ecs_pulumi notes the owner of a volume")],
        ),
    ],
)
def test_volume_validation(inputs: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """A volume has at most one source, and a size of at least 1."""
    assert problems("Volume", **({"size": 1.0} | inputs)) == expected


BOOT = {"source_type": "image", "destination_type": "volume", "boot_index": 0.0, "volume_size": 40.0}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, []),
        ({"image": UNKNOWN}, []),
        ({"metadata": {"a": "1", "b": UNKNOWN}}, []),
        (
            {"metadata": {"managed-by-pulumi": UNKNOWN}},
            [("metadata", "`managed-by-pulumi` is the key in which ecs_pulumi notes the owner of a server")],
        ),
        ({"image": None}, [("image", "required, unless a block device has boot_index 0")]),
        ({"image": None, "block_devices": UNKNOWN}, []),
        ({"image": None, "block_devices": [{"source_type": UNKNOWN, "boot_index": 0.0}]}, []),
        ({"image": None, "block_devices": [{**BOOT, "uuid": "i"}]}, []),
        ({"block_devices": [BOOT]}, []),
        ({"image": None, "block_devices": [BOOT]}, [("block_devices", "[0]: source_type 'image' needs `uuid`")]),
        (
            {"block_devices": [BOOT, {"source_type": "volume"}]},
            [("block_devices", "[1]: source_type 'volume' needs `uuid`")],
        ),
        (
            {"block_devices": [BOOT, {"source_type": "blank", "destination_type": "volume"}]},
            [("block_devices", "[1]: a new volume needs `volume_size`, in GiB")],
        ),
        ({"block_devices": [{"source_type": "blank", "destination_type": "local"}]}, []),
        ({"block_devices": [{"source_type": "volume", "uuid": "v", "boot_index": 0.0}]}, []),
        ({"networks": "none"}, []),
        ({"networks": [{"network_id": UNKNOWN}, {"port_id": "p"}]}, []),
        ({"networks": [UNKNOWN, {"port_id": UNKNOWN}]}, []),
        (
            {"networks": [UNKNOWN, {"tag": UNKNOWN}]},
            [("networks", "[1]: give either `network_id` or `port_id`")],
        ),
        (
            {"networks": [{"prt_id": UNKNOWN}]},
            [("networks", "[0].prt_id: no such property; did you mean `port_id`?")],
        ),
        (
            {"networks": {"port_id": UNKNOWN}},
            [("networks", "must be a list of {network_id, port_id, fixed_ip, tag, …}, or 'auto' or 'none'")],
        ),
        (
            {"networks": [{"port_id": UNKNOWN, "fixed_ip": "10.0.0.5"}]},
            [("networks", "[0]: `fixed_ip` is only allowed with `network_id`; a port has its own addresses")],
        ),
        (
            {"networks": [{"port_id": UNKNOWN}], "security_groups": [UNKNOWN]},
            [("security_groups", "applies only to NICs that Nova creates; a port has its own `security_group_ids`")],
        ),
        ({"networks": [{"port_id": UNKNOWN}, UNKNOWN], "security_groups": ["web"]}, []),
        (
            {"block_devices": [{"source_type": "volume", "boot_index": UNKNOWN}]},
            [("block_devices", "[0]: source_type 'volume' needs `uuid`")],
        ),
        ({"block_devices": [{"source_type": "image", "boot_index": UNKNOWN}]}, []),
        ({"image": None, "block_devices": [UNKNOWN]}, []),
        (
            {"image": None, "block_devices": [{"source_type": "volume", "uuid": UNKNOWN}]},
            [("image", "required, unless a block device has boot_index 0")],
        ),
        ({"image": None, "block_devices": [{"source_type": "volume", "uuid": UNKNOWN, "boot_index": 0.0}]}, []),
        ({"image": None, "block_devices": [{"source_type": "volume", "uuid": "v", "boot_index": UNKNOWN}]}, []),
        ({"networks": [{"port_id": "p"}, {}]}, [("networks", "[1]: give either `network_id` or `port_id`")]),
        (
            {"networks": [{"port_id": "p", "network_id": "n"}]},
            [("networks", "[0]: give either `network_id` or `port_id`")],
        ),
        (
            {"networks": [{"port_id": "p", "fixed_ip": "10.0.0.5"}]},
            [("networks", "[0]: `fixed_ip` is only allowed with `network_id`; a port has its own addresses")],
        ),
        (
            {"networks": [{"port_id": "p"}], "security_groups": ["web"]},
            [("security_groups", "applies only to NICs that Nova creates; a port has its own `security_group_ids`")],
        ),
        ({"networks": [{"port_id": "p"}, {"network_id": "n"}], "security_groups": ["web"]}, []),
        ({"image": ["i"]}, [("image", "must be a valid string")]),
    ],
)
def test_server_validation(inputs: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """The rules of boot source, disks, NICs and security groups; unknown and mistyped values are ignored."""
    assert server_problems(**inputs) == expected


# ---------------------------------------------------------------- comparison


@pytest.mark.parametrize(
    ("kind", "name", "desired", "prior", "equal"),
    [
        ("Subnet", "cidr", "2001:db8:0::/64", {"cidr": "2001:db8::/64"}, True),
        ("Subnet", "cidr", "10.0.0.0/24", {"cidr": "10.0.1.0/24"}, False),
        ("Subnet", "gateway_ip", "2001:db8::0:1", {"gateway_ip": "2001:db8::1"}, True),
        ("Subnet", "gateway_ip", "10.0.0.1", {"gateway_ip": None}, False),
        ("Subnet", "dns_nameservers", ["2001:DB8::1"], {"dns_nameservers": ["2001:db8:0::1"]}, True),
        ("Subnet", "dns_nameservers", ["2001:DB8::1", "::2"], {"dns_nameservers": ["::2", "2001:db8::1"]}, False),
        (
            "Subnet",
            "allocation_pools",
            [{"start": "2001:DB8::1", "end": "2001:DB8::9"}],
            {"allocation_pools": [{"start": "2001:db8:0::1", "end": "2001:db8:0::9"}]},
            True,
        ),
        (
            "Subnet",
            "host_routes",
            [{"destination": "2001:db8::/64", "nexthop": "fe80::1"}],
            {"host_routes": [{"destination": "2001:DB8:0::/64", "nexthop": "FE80::2"}]},
            False,
        ),
        ("KeyPair", "public_key", f"{KEY} me@home", {"public_key": f"{KEY} you@work\n"}, True),
        ("KeyPair", "public_key", f"{KEY}x me@home", {"public_key": f"{KEY} me@home"}, False),
        ("Volume", "image", "debian", {"image": "1", "image_id": "1", "image_name": "debian"}, True),
        ("Volume", "image", "cirros", {"image": "1", "image_id": "1", "image_name": "debian"}, False),
        ("Server", "image", "1", {"image": "debian", "image_id": "1"}, True),
        ("Server", "flavor", "2", {"flavor": "small", "flavor_id": "2"}, True),
        ("Server", "flavor", "large", {"flavor": "small", "flavor_id": "2"}, False),
        ("Server", "availability_zone", "az1:host7", {"availability_zone": "az1"}, True),
        ("Server", "availability_zone", "az2", {"availability_zone": "az1"}, False),
        ("Server", "availability_zone", "az1:host7", {"availability_zone": "az1:host7"}, True),
        ("Server", "availability_zone", "az1:host8", {"availability_zone": "az1:host7"}, False),
        ("Server", "availability_zone", "az1", {"availability_zone": "az1:host7"}, True),
        (
            "InterfaceAttachment",
            "fixed_ips",
            [{"ip_address": "10.0.0.5"}],
            {"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "fe80::1"}]},
            True,
        ),
        (
            "InterfaceAttachment",
            "fixed_ips",
            [{"ip_address": "10.0.0.6"}],
            {"fixed_ips": [{"ip_address": "10.0.0.5"}]},
            False,
        ),
        (
            "InterfaceAttachment",
            "fixed_ips",
            [{"ip_address": "2001:db8::5"}],
            {"fixed_ips": [{"ip_address": "2001:DB8:0::5", "subnet_id": "s"}]},
            True,
        ),
        (
            "Port",
            "fixed_ips",
            [{"subnet_id": "s"}],
            {"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}]},
            True,
        ),
        (
            "Port",
            "fixed_ips",
            [{"ip_address": "2001:db8::5"}],
            {"fixed_ips": [{"subnet_id": "s", "ip_address": "2001:DB8:0::5"}]},
            True,
        ),
        ("Port", "mac_address", "FA-16-3E-00-00-0A", {"mac_address": "fa:16:3e:00:00:0a"}, True),
        ("Port", "mac_address", "fa:16:3e:00:00:0a", {"mac_address": "FA:16:3E:00:00:0B"}, False),
        (
            "Port",
            "allowed_address_pairs",
            [{"ip_address": "2001:db8::/80", "mac_address": "fa:16:3e:00:00:0a"}, {"ip_address": "10.0.0.1"}],
            {
                "allowed_address_pairs": [
                    {"ip_address": "10.0.0.1", "mac_address": "anything"},
                    {"ip_address": "2001:DB8:0::/80", "mac_address": "FA:16:3E:00:00:0A"},
                ]
            },
            True,
        ),
        (
            "Server",
            "networks",
            [{"network_id": "n", "fixed_ip": "2001:db8::5"}],
            {"networks": [{"network_id": "n", "fixed_ip": "2001:DB8:0::5"}]},
            True,
        ),
        ("Server", "networks", "none", {"networks": [{"network_id": "n", "fixed_ip": "2001:DB8:0::5"}]}, False),
        ("Port", "fixed_ips", [], {"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}]}, False),
        ("Port", "qos_policy_id", "", {"qos_policy_id": None}, True),
        ("Network", "tags", ["a", "b"], {"tags": ["b", "a"]}, True),
    ],
)
def test_is_equal_ignores_spelling(kind: str, name: str, desired: Any, prior: dict[str, Any], equal: bool) -> None:  # noqa: FBT001
    """Addresses, keys, flavors and images are compared by value, not by spelling."""
    assert KINDS[kind].is_equal(name, desired, prior) is equal


# ---------------------------------------------------------------- replacement


@pytest.mark.parametrize(
    ("kind", "prior", "new", "expected"),
    [
        ("Server", {}, {"networks": [{"network_id": "n"}]}, False),
        ("Server", {}, {"networks": [{"port_id": "p"}]}, True),
        ("Server", {}, {"networks": [{"network_id": "n", "fixed_ip": "10.0.0.5"}]}, True),
        ("Server", {}, {"networks": UNKNOWN, "block_devices": UNKNOWN}, False),
        ("Server", {}, {"block_devices": [{"source_type": "volume", "uuid": "v"}]}, True),
        ("Server", {}, {"networks": "auto", "block_devices": [{"source_type": "image"}]}, False),
        ("Port", {}, {"fixed_ips": [{"subnet_id": "s"}]}, False),
        ("Port", {}, {"fixed_ips": [{"ip_address": "10.0.0.5"}]}, True),
        ("Port", {}, {"fixed_ips": UNKNOWN}, False),
        ("Port", {}, {"mac_address": "fa:16:3e:00:00:01"}, True),
        ("Subnet", {"cidr": "10.0.0.0/24", "network_id": "n"}, {"cidr": "10.0.0.0/16", "network_id": "n"}, True),
        ("Subnet", {"cidr": "10.0.0.0/24", "network_id": "n"}, {"cidr": "10.0.1.0/24", "network_id": "n"}, False),
        ("Subnet", {"cidr": "10.0.0.0/24", "network_id": "n"}, {"cidr": "10.0.0.0/24", "network_id": "m"}, False),
        ("Subnet", {"cidr": "10.0.0.0/24", "network_id": "n"}, {"cidr": UNKNOWN, "network_id": "n"}, False),
        ("Subnet", {"subnet_pool_id": "p", "network_id": "n"}, {"subnet_pool_id": "q", "network_id": "n"}, True),
        ("Subnet", {"subnet_pool_id": "p", "network_id": "n"}, {"network_id": "n"}, True),
        ("Subnet", {"subnet_pool_id": "p", "network_id": "n"}, {"subnet_pool_id": "p", "network_id": "n"}, False),
        ("Network", {"provider_segmentation_id": 7}, {"provider_segmentation_id": 7}, True),
        ("Network", {"provider_segmentation_id": 7}, {"provider_segmentation_id": 8}, False),
        ("Network", {"provider_segmentation_id": 7}, {}, False),
        ("Network", FLAT | {"provider_physical_network": "a"}, FLAT | {"provider_physical_network": "a"}, True),
        ("Network", FLAT | {"provider_physical_network": "a"}, FLAT | {"provider_physical_network": "b"}, False),
        ("Network", {"provider_physical_network": "a"}, {"provider_physical_network": "a"}, False),
        ("Network", FLAT, FLAT, False),
        ("KeyPair", {"name": "mine"}, {"name": "mine"}, True),
        ("KeyPair", {"name": "mine"}, {"name": "ours"}, False),
        ("KeyPair", {"name": "web-01020304"}, {"name": "web-01020304"}, False),
        ("VolumeAttachment", {"volume_id": "v"}, {"volume_id": "v"}, True),
        ("VolumeAttachment", {"volume_id": "v"}, {"volume_id": "w"}, True),
        ("InterfaceAttachment", {"port_id": "p"}, {"port_id": "p"}, True),
        ("InterfaceAttachment", {"port_id": "p"}, {"network_id": "n"}, False),
        ("InterfaceAttachment", {"port_id": "p"}, {"network_id": "n", "fixed_ips": [{"ip_address": "10.0.0.5"}]}, True),
        ("RouterInterface", {"subnet_id": "s", "port_id": "p"}, {"subnet_id": "s"}, True),
        ("RouterInterface", {"subnet_id": "s", "port_id": "p"}, {"subnet_id": "t"}, False),
        ("RouterInterface", {"subnet_id": "s", "port_id": "p"}, {"subnet_id": UNKNOWN}, False),
        ("RouterInterface", {"subnet_id": "s", "port_id": "p"}, {"port_id": "q"}, True),
        ("Volume", {"image": "i"}, {"image": "j"}, False),
    ],
)
def test_delete_before_replace(
    kind: str,
    prior: dict[str, Any],
    new: dict[str, Any],
    expected: bool,  # noqa: FBT001
) -> None:
    """The old object is deleted first if it shares a port, address, volume, range or key pair name with the new one."""
    cloud = SimpleNamespace(known_region=None)
    context: OperationContext[Any] = OperationContext("diff", kind, "web", connect=lambda: cloud, timeout=1)
    assert KINDS[kind].delete_before_replace(context, prior, new) is expected


@pytest.mark.parametrize(
    ("desired", "prior", "equal"),
    [
        ("ssh-ed25519 AAAA me@home\n", "ssh-ed25519 AAAA", True),
        ("ssh-ed25519 AAAA", "ssh-ed25519 BBBB", False),
        (f"{PEM[0]}\nAA\n{PEM[1]}\n", f"{PEM[0]}\nAA\n{PEM[1]}", True),
        (f"{PEM[0]}\nAA\n{PEM[1]}", f"{PEM[0]}\nBB\n{PEM[1]}", False),
        (f"\n{PEM[0]}\nAA\n{PEM[1]}", f"{PEM[0]}\nAA\n{PEM[1]}", True),
        (f"\n{PEM[0]}\nAA\n{PEM[1]}", f"{PEM[0]}\nBB\n{PEM[1]}", False),
    ],
)
def test_public_key_comparison(desired: str, prior: str, *, equal: bool) -> None:
    """The comment of a key is ignored; certificates are compared as a whole."""
    assert KINDS["KeyPair"].is_equal("public_key", desired, {"public_key": prior}) is equal


def test_image_policy_decides_between_rebuild_and_replacement() -> None:
    """With `image_policy="rebuild"`, a change of `image` or `personality` does not replace the server."""
    changed = ["image", "personality", "key_name"]
    requires_replacement = partial(KINDS["Server"].requires_replacement, mock.Mock())
    assert requires_replacement({}, {}, changed) == changed
    new = {"image_policy": "rebuild", "image": "debian-13"}
    assert requires_replacement({"image_id": "1"}, new, changed) == ["key_name"]
    # No rebuild rewrites a server that boots from a volume, or has no image to rebuild from.
    assert requires_replacement({}, new, changed) == changed
    without_image = {"image_policy": "rebuild"}
    assert requires_replacement({"image_id": "1"}, without_image, changed[1:]) == changed[1:]


@pytest.mark.parametrize(
    ("kind", "prior", "expected"),
    [
        ("Server", {"status": "ERROR"}, ["status"]),
        ("Server", {"status": "ERROR", "launched_at": "2024-01-01T00:00:00Z"}, []),
        ("Server", {"status": "ACTIVE"}, []),
        ("Volume", {"status": "error"}, ["status"]),
        ("Volume", {"status": "error_extending"}, []),
        ("Volume", {"status": "available"}, []),
        ("Network", {"status": "ERROR"}, []),
    ],
)
def test_only_objects_that_failed_on_creation_are_tainted(
    kind: str, prior: dict[str, Any], expected: list[str]
) -> None:
    """An object that failed on creation is replaced. One that failed later may contain data and is kept."""

    def connect() -> None:
        raise AssertionError("the prior outputs are sufficient")

    context: OperationContext[Any] = OperationContext("diff", kind, "web", connect=connect, timeout=1)
    assert KINDS[kind].tainted(context, "1", prior) == expected


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "description" in KINDS[kind].inputs.model_fields])
def test_empty_description_removes_owner_marker(kind: str) -> None:
    """An empty description that the program begins to set is a change, because the description has the owner marker."""
    prior = {"description": "Managed by Pulumi: shop/dev/it"}
    assert not get_handler(kind).is_equal("description", "", prior)
