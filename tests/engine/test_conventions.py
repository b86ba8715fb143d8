"""Pulumi's own features with resources of this package, beyond what docs/how-to/pulumi-features.md shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape


def test_names_and_secrets_of_transforms(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """A transform sets a secret input, which is encrypted; `pulumi:autonaming` has no effect on the names."""
    it = project(
        """
        import pulumi
        import ecs_pulumi as ecs

        def add(args):
            if args.type_ == "pulumi-python:dynamic/ecs:Server":
                props = {**args.props, "user_data": pulumi.Output.secret("hush-hush")}
                return pulumi.ResourceTransformResult(props, args.opts)
            return None

        pulumi.runtime.register_resource_transform(add)
        config = pulumi.Config()
        disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40}
        network = ecs.Network("net")
        subnet = ecs.Subnet("net", network_id=network.id, cidr="10.0.13.0/24")
        ecs.Server(
            "web",
            flavor=config.require("flavor"),
            image=config.require("image"),
            networks=[{"network_id": network.id}],
            block_devices=[{**disk, "delete_on_termination": True}],
            opts=pulumi.ResourceOptions(depends_on=[subnet]),
        )
        """,
        config={"flavor": landscape.small, "image": landscape.image},
    )
    it.run("config", "set", "--path", "pulumi:autonaming.mode", "verbatim")
    it.up()
    assert re.fullmatch("net-[0-9a-f]{8}", it.state()["Network net"]["outputs"]["name"])
    assert "user_data" in it.state()["Server web"]["inputs"]
    assert "hush-hush" not in it.run("stack", "export")
    assert it.preview().changes == {}


def test_error_hook(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """An error hook repeats a failed create, which deletes the volume that the first attempt has left."""
    it = project("""
        import pulumi
        import ecs_pulumi as ecs

        def again(args):
            return args.failed_operation == "create"

        hooks = pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("again", again)])
        ecs.Volume("data", size=10, opts=pulumi.ResourceOptions(hooks=hooks))
    """)
    before = landscape.objects()
    cloud.fault(outcome="fail-create", times=1)
    assert "retrying create due to on-error hook request" in it.up().text
    (volume,) = it.state().values()
    assert landscape.objects() - before == {volume["id"]}
    # The engine keeps the error of the first attempt in the state until the next operation.
    assert it.preview().changes == {"Volume data": "update"}
    it.up()
    assert it.preview().changes == {}
