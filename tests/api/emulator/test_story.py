"""The emulator answers every request of a scenario as a real OpenStack does."""

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

RECORDING = Path(__file__).with_name("real.json")
"""The recording of a run on a real OpenStack. The live test overwrites it if NOTE_STORY is set."""

POLL = 0.2


def run_on_emulator() -> dict[str, Any]:
    """Run the scenario on an emulator with dialect `openstack`, whose clock advances only between polls."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        return Story(cloud.environment, prefix="emulated", pause=lambda: clock.advance(POLL)).run()


def run_on_real_cloud() -> dict[str, Any]:
    """Run the scenario on the cloud of OS_CLOUD."""
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
    return Story(environment, prefix=prefix, pause=lambda: time.sleep(POLL)).run()


def test_emulator_matches_recording_of_real_cloud() -> None:
    """Every response has the status, the keys, the types and the message of the recording."""
    assert differences(json.loads(RECORDING.read_text()), run_on_emulator()) == []


@pytest.mark.live
def test_emulator_matches_real_cloud() -> None:
    """A run on a real OpenStack and a run on the emulator give the same recording."""
    real = run_on_real_cloud()
    if "NOTE_STORY" in os.environ:
        lines = (f"{json.dumps(label)}: {json.dumps(record)}" for label, record in real.items())
        RECORDING.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    assert differences(real, run_on_emulator()) == []
