"""Edits that a cloud cannot apply in one `up`, so that no walk contains them."""

from __future__ import annotations

from dataclasses import replace

from tests.walks.following import can_follow
from tests.walks.programs import Declaration, Program, Ref, changed, ordered, renamed

NETWORK: Program = (
    Declaration("Network", "net1", {}),
    Declaration("Subnet", "sub1", {"network_id": Ref("net1"), "cidr": "10.20.0.0/24"}),
)


def test_interface_with_a_port_changes_its_router() -> None:
    """Neutron deletes the port of an interface with it; only a renamed router keeps both."""
    before = ordered(
        (
            *NETWORK,
            Declaration("Port", "port1", {"network_id": Ref("net1"), "fixed_ips": [{"subnet_id": Ref("sub1")}]}),
            Declaration("Router", "rtr1", {}),
            Declaration("Router", "rtr2", {}),
            Declaration("RouterInterface", "rif1", {"router_id": Ref("rtr1"), "port_id": Ref("port1")}),
        )
    )
    assert not can_follow(before, changed(before, "rif1", {"router_id": Ref("rtr2")}))
    other = renamed(before, {"rtr1": "rtr3"})
    assert not can_follow(before, other)
    assert can_follow(before, tuple(replace(each, alias="rtr1") if each.name == "rtr3" else each for each in other))


def test_key_pair_under_two_names() -> None:
    """An `up --target` of a renamed key pair leaves both resources in the state, for one key pair in the cloud."""
    before: Program = (Declaration("KeyPair", "key1", {"name": "one", "public_key": "ssh-ed25519 AAAA"}),)
    after = renamed(before, {"key1": "key2"})
    assert can_follow(before, after)
    assert not can_follow(before, (*before, *after))
