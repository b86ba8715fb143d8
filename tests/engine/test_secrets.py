"""No secret is told by any run of `pulumi`, however much it is asked to tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.interrupted import Run

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Project

PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    key = ecs.KeyPair("key")
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.14.0/24")
    port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    ecs.Server(
        "web",
        flavor=config.require("flavor"),
        image=config.require("image"),
        key_name=key.name,
        networks=[{"port_id": port.id}],
        admin_pass=config.require_secret("password"),
        user_data=config.require_secret("data"),
        block_devices=[
            {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40}
            | {"delete_on_termination": True}
        ],
    )
"""
PASSWORD, OTHER, USER_DATA = "Quite-5ecret", "Quite-0ther", "#cloud-config: hush-hush"
LOUD = ("--debug", "-v=9", "--logtostderr")
INSECURE = "TLS certificates are not verified (ecs:insecure)"


@pytest.fixture
def secrets(landscape: Landscape) -> re.Pattern[str]:
    """What nobody may read: of the cloud's account, of the program, and what the cloud made up."""
    hidden = [*landscape.secrets.values(), PASSWORD, OTHER, "hush-hush"]
    encoded = "aHVzaC1odXNo"
    return re.compile("|".join([*map(re.escape, hidden), encoded, "PRIVATE KEY", r"(?<![\w+/])gAAAAA"]))


@pytest.fixture
def story(project: MakeProject, landscape: Landscape) -> Project:
    """The program, and the settings that it needs."""
    made = project(PROGRAM, config={"story:flavor": landscape.small, "story:image": landscape.image})
    made.settings({}, {"story:password": PASSWORD, "story:data": USER_DATA})
    return made


def told(text: str, secrets: re.Pattern[str]) -> list[str]:
    """The lines that tell a secret, so much of them that one sees whose they are."""
    return [line[:300] for line in text.splitlines() if secrets.search(line)]


def test_no_line_tells_a_secret(story: Project, cloud: Emulator, secrets: re.Pattern[str]) -> None:
    """With every switch for more words on, no run tells one, not even where the API's answer to a create does."""
    echo = f"Invalid input for field/attribute adminPass. Value: {PASSWORD}. '{PASSWORD}' is not what it has to be"
    body = {"badRequest": {"code": 400, "message": echo}}
    cloud.fault(method="POST", path="*/servers", status=400, body=body, times=1)
    failed = story.up(*LOUD, fails=True)
    assert any("is not what it has to be (HTTP 400" in error for error in failed.errors)
    said = failed.text + story.up(*LOUD).text
    assert re.search(r"POST \S*/servers 202", said), "it does tell requests"
    story.config("password", OTHER, secret=True)
    said += story.up(*LOUD).text
    said += story.refresh(*LOUD).text
    said += story.preview("--diff", *LOUD).text
    said += story.destroy(*LOUD).text
    # From -v=9 on the engine itself writes down every property that it sends and gets.
    engines = re.compile(r'"msg":"(Unm|M)arshaling property for RPC')
    assert [line for line in told(said, secrets) if not engines.search(line)] == []


def test_no_file_and_no_process_tells_a_secret(story: Project, secrets: re.Pattern[str]) -> None:
    """State, its history, settings and logs have none in clear, and no process has one among its arguments."""
    up = Run(story)
    up.until("Server web", "creating")
    arguments = up.arguments()
    assert any("pulumi.dynamic" in each for each in arguments)
    assert up.end() == 0
    assert told(up.said, secrets) == []
    assert told("\n".join(arguments), secrets) == []
    story.config("password", OTHER, secret=True)
    story.up()
    files = [path for path in story.folder.rglob("*") if path.is_file()]
    assert len(files) > len(arguments)
    assert [path for path in files if secrets.search(path.read_text(errors="replace"))] == []
    story.destroy()


def test_a_private_key_given_as_a_public_one(project: MakeProject, cloud: Emulator) -> None:
    """It is refused before any request; no output and no file has it but the program itself."""
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaHush\\n-----END OPENSSH PRIVATE KEY-----"
    it = project(f'import ecs_pulumi as ecs\n\necs.KeyPair("key", public_key="{key}")\n')
    cloud.requests.clear()
    failed = [it.preview("--diff", fails=True), it.up(fails=True)]
    assert all(any("this is a private key" in error for error in each.errors) for each in failed)
    assert not any("Hush" in each.text for each in failed)
    assert list(cloud.requests) == []
    files = [path for path in it.folder.rglob("*") if path.is_file() and path != it.program]
    assert [path for path in files if "b3BlbnNzaHush" in path.read_text(errors="replace")] == []


def test_a_connection_that_is_not_verified_is_told_in_every_run(story: Project) -> None:
    """Each run warns, once, however many resources of however many kinds it is about."""
    story.config("ecs:insecure", "true")
    for run in (story.preview, story.up, story.refresh, story.destroy):
        warnings = [each["message"] for each in run().diagnostics if each["severity"] == "warning"]
        assert [INSECURE in warning for warning in warnings].count(True) == 1
