"""`ecs:defaultTags` and `ecs:defaultMetadata` with the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject

PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    network = ecs.Network("net", tags=["mine"])
    other = ecs.Network("other")
    # Unknown until the network exists.
    ecs.SecurityGroup("group", tags=network.id.apply(lambda id: ["of-" + id[:8]]))
    ecs.Network("ignored", opts=pulumi.ResourceOptions(ignore_changes=["tags"]))
    ecs.Volume("disk", size=1, metadata={"owner": "me"})
    pulumi.export("tags", other.tags)
"""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud that stores tags of networks."""
    with Emulator(speed=200, dialect="openstack") as running:
        yield running


def test_setting_in_previews(project: MakeProject) -> None:
    """A preview shows each resource that a changed setting changes, with its tags and metadata, and `up` does the same.

    An update plan permits what it shows, and a refresh without the program changes nothing.
    """
    defaults = {"ecs:defaultTags": "dev,shop", "ecs:defaultMetadata": '{"owner": "shop", "cost": 42}'}
    it = project(PROGRAM, config=defaults)
    it.run("preview", "--save-plan", "plan.json")
    it.up("--plan", "plan.json")
    assert it.outputs == {"tags": ["dev", "shop"]}

    it.settings({"ecs:defaultTags": '["dev", "web"]', "ecs:defaultMetadata": '{"owner": "shop", "cost": 43}'})
    shown = it.preview(diff=True)
    labelled = dict.fromkeys(("Network net", "Network other", "SecurityGroup group", "Volume disk"), "update")
    assert shown.changes == labelled
    for line in ('"shop" => "web"', 'cost : "42" => "43"'):
        assert line in " ".join(shown.text.split()), shown.text
    assert "__defaults" not in shown.text
    it.up()
    it.refresh()
    assert it.preview().changes == {}

    it.settings({"ecs:defaultTags": "", "ecs:defaultMetadata": ""})
    assert it.preview().changes == labelled
    it.config("ecs:defaultTags", "hush", secret=True)
    failed = it.preview(fails=True)
    assert "ecs:defaultTags: must not be secret" in failed.text
    assert "hush" not in failed.text
    it.config("ecs:defaultTags", "a/b")
    assert "ecs:defaultTags: a tag cannot contain" in it.preview(fails=True).text
    it.config("ecs:defaultTags", None)
    it.up()
    assert it.outputs == {"tags": []}
    it.destroy()
