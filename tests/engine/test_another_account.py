"""A stack whose credentials are replaced by those of another account, with the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.project import Project

NETWORK = """
    import ecs_pulumi as ecs

    network = ecs.Network("net")
    subnet = ecs.Subnet("sub", network_id=network.id, cidr="10.77.0.0/24")
"""
SERVER = """
    ecs.Server("web", flavor="s3.medium.2", image="Standard_Debian_12_latest", networks=[{"network_id": network.id}])
"""


AGENCY = {"ecs:agencyName": "ecs-agency", "ecs:agencyDomainName": "OTC-EU-DE-00000000001000000002"}
REASON = "not found, but may exist: the credentials are for project"


def use_another_account(it: Project) -> None:
    """Change the settings of a stack to an agency in another account."""
    for key, value in {**AGENCY, "ecs:projectDomainName": None}.items():
        it.config(key, value)


@pytest.mark.thorough
def test_no_resource_is_lost(project: MakeProject, cloud: Emulator) -> None:
    """Refresh, destroy and an `up` without the server fail with the reason; the state keeps every resource."""
    it = project(NETWORK + SERVER)
    it.up()
    before = {urn: each["id"] for urn, each in it.state().items() if each.get("id")}
    use_another_account(it)
    it.write(NETWORK)
    for result in (it.refresh("--run-program", fails=True), it.up(fails=True), it.destroy("--run-program", fails=True)):
        assert any(REASON in error for error in result.errors), result.errors
        assert {urn: each["id"] for urn, each in it.state().items() if each.get("id")} == before
    for key in AGENCY:
        it.config(key, None)
    it.config("ecs:projectDomainName", cloud.settings["projectDomainName"])
    it.up()
    it.destroy()


def test_no_server_or_volume_is_lost(project: MakeProject, cloud: Emulator) -> None:
    """The same without any object of Neutron in the stack."""
    with cloud.state() as state:
        [network] = state.find("network", name="demo-net")
    it = project(f"""
        import ecs_pulumi as ecs

        group = ecs.ServerGroup("group", policy="anti-affinity")
        networks = [{{"network_id": "{network["id"]}"}}]
        server = ecs.Server("web", flavor="s3.medium.2", image="Standard_Debian_12_latest", networks=networks)
        volume = ecs.Volume("data", size=10)
        ecs.VolumeAttachment("data", server_id=server.id, volume_id=volume.id)
    """)
    it.up()
    before = {urn: each["id"] for urn, each in it.state().items() if each.get("id")}
    use_another_account(it)
    for result in (it.refresh("--run-program", fails=True), it.destroy("--run-program", fails=True)):
        assert any(REASON in error for error in result.errors), result.errors
        assert {urn: each["id"] for urn, each in it.state().items() if each.get("id")} == before
