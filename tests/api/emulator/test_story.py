"""The emulator answers as a real OpenStack does, request by request."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import openstack.config
import pytest

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.recorder import differences
from tests.api.emulator.story import Story

NOTED = Path(__file__).with_name("real.json")
"""The notes of a telling on a real OpenStack; the live test writes them anew where NOTE_STORY is set."""

POLL = 0.2


def on_the_emulator() -> dict[str, Any]:
    """Tell the story on an emulated OpenStack whose time passes only while the story waits."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        return Story(cloud.environment, prefix="emulated", pause=lambda: clock.advance(POLL)).tell()


def on_the_cloud_of_the_environment() -> dict[str, Any]:
    """Tell the story on the cloud of OS_CLOUD."""
    region = openstack.config.OpenStackConfig().get_one()
    auth = region.config["auth"]
    names = {
        "OS_AUTH_URL": "auth_url",
        "OS_USERNAME": "username",
        "OS_PASSWORD": "password",
        "OS_PROJECT_NAME": "project_name",
        "OS_USER_DOMAIN_NAME": "user_domain_name",
    }
    environment = {variable: auth[name] for variable, name in names.items()} | {"OS_REGION_NAME": region.region_name}
    prefix = f"story{uuid.uuid4().hex[:6]}"
    return Story(environment, prefix=prefix, pause=lambda: time.sleep(POLL)).tell()


def test_the_emulator_answers_as_a_real_openstack_was_seen_to() -> None:
    """Each request of the story has the status, the body's keys and types and the words that were noted."""
    assert differences(json.loads(NOTED.read_text()), on_the_emulator()) == []


@pytest.mark.live
def test_the_emulator_answers_as_the_cloud_of_the_environment() -> None:
    """The story, told now on a real OpenStack and on the emulator, is the same."""
    real = on_the_cloud_of_the_environment()
    if "NOTE_STORY" in os.environ:
        lines = (f"{json.dumps(label)}: {json.dumps(note)}" for label, note in real.items())
        NOTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    assert differences(real, on_the_emulator()) == []
