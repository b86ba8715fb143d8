"""The own APIs of the Open Telekom Cloud that the dialect `otc` emulates beside those of OpenStack."""

from __future__ import annotations

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account


def test_vpc_quotas() -> None:
    """The quotas of the VPC API have the limits and the usage that Neutron does not show there; a type selects one."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        account = Account(cloud, clock)
        cloud.set_quota(router=3)
        path = f"/vpc/v1/{account.project_id}/quotas"
        before = {each["type"]: each for each in account.send("GET", path).body["quotas"]["resources"]}
        assert before["vpc"] == {"type": "vpc", "used": 0, "quota": 3, "min": 0}
        account.neutron("POST", "/routers", {"router": {"name": "router"}})
        account.network()
        after = {each["type"]: each["used"] for each in account.send("GET", path).body["quotas"]["resources"]}
        assert (after["vpc"], after["subnet"]) == (1, before["subnet"]["used"] + 1)
        assert [each["type"] for each in account.send("GET", f"{path}?type=subnet").body["quotas"]["resources"]] == [
            "subnet"
        ]
        foreign = account.send("GET", f"/vpc/v1/{'0' * 32}/quotas")
        assert (foreign.status, set(foreign.body)) == (400, {"code", "message"})


def test_openstack_has_no_vpc_api() -> None:
    """OpenStack has no such service."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account = Account(cloud, clock)
        assert account.send("GET", f"/vpc/v1/{account.project_id}/quotas").status == 404
