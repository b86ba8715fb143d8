"""What each kind refuses in a preview, and what it takes for the same, for dead or for in the way, without a cloud."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.dynamic import CheckFailure, ConfigureRequest
from pulumi.output import UNKNOWN

from ecs_pulumi.dynamic.kind import OperationContext
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

PEM = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")


def refused(kind: str, **said: Any) -> list[tuple[str, str]]:
    """What check says is wrong, by property."""
    provider = Provider(kind)
    settings = {"ecs:preflight": "false"}
    provider.configure(ConfigureRequest(config=SimpleNamespace(get=settings.get)))  # type: ignore[arg-type]
    return [_told(failure) for failure in provider.check({}, said).failures]


def _told(failure: CheckFailure) -> tuple[str, str]:
    """The property and what is wrong with it, also where the engine is told both in one text."""
    if failure.property:
        return failure.property, failure.reason
    name, reason = re.split(r": |(?=\[)", failure.reason, maxsplit=1)
    return name, reason


def subnet(**said: Any) -> list[tuple[str, str]]:
    """What is wrong with this subnet."""
    return refused("Subnet", network_id="n", **({"cidr": "10.0.0.0/24"} | said))


def server(**said: Any) -> list[tuple[str, str]]:
    """What is wrong with this server."""
    return refused("Server", flavor="f", **({"image": "i"} | said))


def pool(start: Any, end: Any) -> dict[str, Any]:
    """An allocation pool."""
    return {"start": start, "end": end}


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("said", "found"),
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
        ({"cidr": "10.0.0.0"}, [("cidr", 'has host bits set, got "10.0.0.0"; did you mean "10.0.0.0/32"?')]),
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
            [("allocation_pools", "[0]: 10.0.0.2 to 10.0.1.9 leaves 10.0.0.0/24")],
        ),
        (
            {"allocation_pools": [pool("10.0.0.2", "2001:db8::1")]},
            [("allocation_pools", "[0]: 10.0.0.2 to 2001:db8::1 leaves 10.0.0.0/24")],
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
def test_subnets(said: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """One source of the range, one word on the gateway, pools that are ranges, apart and inside; silent on unknowns."""
    assert subnet(**said) == found


@pytest.mark.parametrize(
    ("said", "found"),
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
def test_interface_attachments(said: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """A port or a network, and addresses only where Nova makes the port."""
    assert refused("InterfaceAttachment", server_id="s", **said) == found


@pytest.mark.parametrize(
    ("said", "found"),
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
                        "this is a private key, which belongs nowhere but on your machine; give the .pub file's text",
                    )
                ],
            )
            for private in PRIVATE
            for type_ in (None, "x509", UNKNOWN)
        ],
    ],
)
def test_key_pairs(said: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """A public key is the key itself, not the name of its file."""
    assert refused("KeyPair", **said) == found


@pytest.mark.parametrize("key", [*PRIVATE, "HushHush"])
def test_a_key_is_never_shown(key: str) -> None:
    """The engine shows the value of the property that a failure names; this one names none."""
    provider = Provider("KeyPair")
    (failure,) = provider.check({}, {"public_key": key}).failures
    assert failure.property == ""
    assert "Hush" not in failure.reason


@pytest.mark.parametrize(
    ("said", "found"),
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
    ],
)
def test_volumes(said: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """At most one source, and a size."""
    assert refused("Volume", **({"size": 1.0} | said)) == found


BOOT = {"source_type": "image", "destination_type": "volume", "boot_index": 0.0, "volume_size": 40.0}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, []),
        ({"image": UNKNOWN}, []),
        ({"metadata": {"a": "1", "b": UNKNOWN}}, []),
        (
            {"metadata": {"managed-by-pulumi": UNKNOWN}},
            [("metadata", "`managed-by-pulumi` is the key in which ecs_pulumi notes the owner of a server")],
        ),
        ({"image": None}, [("image", "required, unless a block device with boot_index 0 has what to boot from")]),
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
            [("networks", "must be a list of {network_id, port_id, fixed_ip, tag}, or 'auto' or 'none'")],
        ),
        (
            {"networks": [{"port_id": UNKNOWN, "fixed_ip": "10.0.0.5"}]},
            [("networks", "[0]: `fixed_ip` goes with `network_id`; a port has its own addresses")],
        ),
        (
            {"networks": [{"port_id": UNKNOWN}], "security_groups": [UNKNOWN]},
            [("security_groups", "for NICs that Nova makes; a port has its own `security_group_ids`")],
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
            [("image", "required, unless a block device with boot_index 0 has what to boot from")],
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
            [("networks", "[0]: `fixed_ip` goes with `network_id`; a port has its own addresses")],
        ),
        (
            {"networks": [{"port_id": "p"}], "security_groups": ["web"]},
            [("security_groups", "for NICs that Nova makes; a port has its own `security_group_ids`")],
        ),
        ({"networks": [{"port_id": "p"}, {"network_id": "n"}], "security_groups": ["web"]}, []),
        ({"image": ["i"]}, [("image", "must be a valid string")]),
    ],
)
def test_servers(said: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Something to boot from, disks and NICs that can be, groups where they apply; silent on unknowns and mistypes."""
    assert server(**said) == found


# ---------------------------------------------------------------- the same, said otherwise


@pytest.mark.parametrize(
    ("kind", "name", "desired", "old", "same"),
    [
        ("Subnet", "cidr", "2001:db8:0::/64", {"cidr": "2001:db8::/64"}, True),
        ("Subnet", "cidr", "10.0.0.0/24", {"cidr": "10.0.1.0/24"}, False),
        ("Subnet", "gateway_ip", "2001:db8::0:1", {"gateway_ip": "2001:db8::1"}, True),
        ("Subnet", "gateway_ip", "10.0.0.1", {"gateway_ip": None}, False),
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
            "Port",
            "fixed_ips",
            [{"subnet_id": "s"}],
            {"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}]},
            True,
        ),
        ("Port", "fixed_ips", [], {"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}]}, False),
        ("Port", "qos_policy_id", "", {"qos_policy_id": None}, True),
        ("Network", "tags", ["a", "b"], {"tags": ["b", "a"]}, True),
    ],
)
def test_the_same_in_other_words(kind: str, name: str, desired: Any, old: dict[str, Any], same: bool) -> None:  # noqa: FBT001
    """Addresses, keys, flavors and images are the same however they are written."""
    assert KINDS[kind].is_equal(name, desired, old) is same


# ---------------------------------------------------------------- replacement


@pytest.mark.parametrize(
    ("kind", "old", "new", "collides"),
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
        ("Network", {"provider_segmentation_id": 7}, {"provider_segmentation_id": 7}, True),
        ("Network", {"provider_segmentation_id": 7}, {"provider_segmentation_id": 8}, False),
        ("Network", {"provider_segmentation_id": 7}, {}, False),
        ("KeyPair", {"name": "mine"}, {"name": "mine"}, True),
        ("KeyPair", {"name": "mine"}, {"name": "ours"}, False),
        ("KeyPair", {"name": "web-01020304"}, {"name": "web-01020304"}, False),
        ("VolumeAttachment", {"volume_id": "v"}, {"volume_id": "v"}, True),
        ("VolumeAttachment", {"volume_id": "v"}, {"volume_id": "w"}, True),
        ("InterfaceAttachment", {"port_id": "p"}, {"port_id": "p"}, True),
        ("InterfaceAttachment", {"port_id": "p"}, {"network_id": "n"}, False),
        ("InterfaceAttachment", {"port_id": "p"}, {"network_id": "n", "fixed_ips": [{"ip_address": "10.0.0.5"}]}, True),
        ("Volume", {"image": "i"}, {"image": "j"}, False),
    ],
)
def test_what_cannot_stand_beside_its_successor_goes_first(
    kind: str,
    old: dict[str, Any],
    new: dict[str, Any],
    collides: bool,  # noqa: FBT001
) -> None:
    """A port, an address, a volume, a range, a key's name exist once."""
    assert KINDS[kind].delete_before_replace("web", old, new) is collides


@pytest.mark.parametrize(
    ("desired", "has", "same"),
    [
        ("ssh-ed25519 AAAA me@home\n", "ssh-ed25519 AAAA", True),
        ("ssh-ed25519 AAAA", "ssh-ed25519 BBBB", False),
        (f"{PEM[0]}\nAA\n{PEM[1]}\n", f"{PEM[0]}\nAA\n{PEM[1]}", True),
        (f"{PEM[0]}\nAA\n{PEM[1]}", f"{PEM[0]}\nBB\n{PEM[1]}", False),
        (f"\n{PEM[0]}\nAA\n{PEM[1]}", f"{PEM[0]}\nAA\n{PEM[1]}", True),
        (f"\n{PEM[0]}\nAA\n{PEM[1]}", f"{PEM[0]}\nBB\n{PEM[1]}", False),
    ],
)
def test_which_public_keys_are_the_same(desired: str, has: str, *, same: bool) -> None:
    """A key's comment is no part of it; all of a certificate is."""
    assert KINDS["KeyPair"].is_equal("public_key", desired, {"public_key": has}) is same


def test_an_image_is_rebuilt_where_the_program_says_so() -> None:
    """`image_policy` decides whether another image or file replaces the server."""
    changed = ["image", "personality", "key_name"]
    replaced_by = KINDS["Server"].requires_replacement
    assert replaced_by({}, {}, changed) == changed
    assert replaced_by({"image_id": "1"}, {"image_policy": "rebuild"}, changed) == ["key_name"]
    # One that boots from a volume has no image of its own.
    assert replaced_by({}, {"image_policy": "rebuild"}, changed) == ["image", "key_name"]


@pytest.mark.parametrize(
    ("kind", "old", "unwell"),
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
def test_what_never_lived_is_replaced(kind: str, old: dict[str, Any], unwell: list[str]) -> None:
    """What failed in its creation holds nothing; what failed later may hold everything, and is never thrown away."""

    def connect() -> None:
        raise AssertionError("the state tells enough")

    op: OperationContext[Any] = OperationContext("diff", kind, "web", connect=connect, timeout=1)
    assert KINDS[kind].tainted(op, "1", old) == unwell
