"""Which fixed addresses a preview checks, and against which subnets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from pulumi.output import UNKNOWN

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import CheckInputs
from ecs_pulumi.resources import idempotent_create, preflight

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

SUBNETS = {"s": "n", "of_m": "m"}


@pytest.fixture
def checked_addresses(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses that are checked, with the place of their input, their network and their subnet."""
    found: list[Any] = []

    def look_up(kind: str, id_: str) -> dict[str, str]:
        assert kind == "subnet"
        if id_ not in SUBNETS:
            raise errors.NoMatch([], f'there is no subnet "{id_}"')
        return {"id": id_, "network_id": SUBNETS[id_]}

    def check(_context: object, _checked: object, place: Any, address: object, *subnets: dict[str, str]) -> list[Any]:
        found.append((place.index, place.network_id, address, *(each["id"] for each in subnets)))
        return []

    monkeypatch.setattr(preflight, "catalog", lambda _: SimpleNamespace(neutron=look_up))
    monkeypatch.setattr(preflight, "check_address", check)
    monkeypatch.setattr(idempotent_create, "_created", {"new_subnet", "new_network"})
    return found


@pytest.mark.parametrize(
    ("network_id", "fixed_ip", "checked", "problem"),
    [
        ("n", {"ip_address": "a"}, ("n", "a"), None),
        ("n", {"ip_address": "a", "subnet_id": "s"}, ("n", "a", "s"), None),
        ("n", {"subnet_id": "s"}, ("n", None, "s"), None),
        (UNKNOWN, {"ip_address": "a", "subnet_id": "s"}, ("n", "a", "s"), None),
        (UNKNOWN, {"ip_address": "a"}, None, None),
        ("n", {"ip_address": "a", "subnet_id": UNKNOWN}, None, None),
        ("new_network", {"ip_address": "a"}, None, None),
        ("n", {"ip_address": "a", "subnet_id": "new_subnet"}, None, None),
        ("n", {"subnet_id": "of_m"}, None, "[1]: the subnet of_m does not belong to the network n"),
        ("n", {"subnet_id": "gone"}, None, '[1]: there is no subnet "gone"'),
    ],
)
def test_addresses(
    checked_addresses: list[Any],
    network_id: object,
    fixed_ip: dict[str, Any],
    checked: tuple[Any, ...] | None,
    problem: str | None,
) -> None:
    """An address is checked in its subnet, or in its network; what this run creates is not looked up.

    A wrong subnet is a problem, and does not hide what is wrong with the other addresses.
    """
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=None)))
    fixed_ips = [UNKNOWN, fixed_ip, {"ip_address": "last", "subnet_id": "s"}]
    inputs = CheckInputs({"network_id": network_id, "fixed_ips": fixed_ips}, {})
    problems = [each.reason for each in preflight.addresses(context, inputs)]
    last = "[2]: the subnet s does not belong to the network new_network" if network_id == "new_network" else None
    assert [text[: len(expected)] for text, expected in zip(problems, filter(None, (problem, last)), strict=True)] == [
        *filter(None, (problem, last))
    ]
    found = [("[1]: ", *checked)] if checked else []
    assert checked_addresses == [*found, *([] if last else [("[2]: ", "n", "last", "s")])]


def test_unchanged_addresses_are_not_checked(checked_addresses: list[Any]) -> None:
    """An object keeps the addresses that it has."""
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=None)))
    inputs = {"network_id": "n", "fixed_ips": [{"subnet_id": "gone"}], "name": "new"}
    assert list(preflight.addresses(context, CheckInputs(inputs, {**inputs, "name": "old"}))) == []
    assert checked_addresses == []
    # Either of the two may have changed.
    changes: tuple[dict[str, Any], ...] = ({"network_id": "m"}, {"fixed_ips": []})
    for prior in changes:
        assert len(list(preflight.addresses(context, CheckInputs(inputs, {**inputs, **prior})))) == 1
