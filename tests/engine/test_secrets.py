"""Secrets do not appear in the output, files or arguments of `pulumi`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.interrupted import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

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
TWO_REGIONS = """
    import ecs_pulumi as ecs

    for region in ("eu-de", "eu-nl"):
        network = ecs.Network(f"net-{region}", region=region)
        ecs.Subnet(f"sub-{region}", region=region, network_id=network.id, cidr="10.0.14.0/24")
"""
PASSWORD, OTHER_PASSWORD, USER_DATA = "Quite-5ecret", "Quite-0ther", "#cloud-config: hush-hush"
VERBOSE = ("--debug", "-v=9", "--logtostderr")
INSECURE = "TLS certificates are not verified (ecs:insecure)"


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud that changes the password of a server."""
    from ecs_pulumi.emulator import Emulator

    with Emulator(speed=200, rules={"undocumented_actions": "answer"}) as running:
        yield running


@pytest.fixture
def secrets(landscape: Landscape) -> re.Pattern[str]:
    """A pattern of all secrets: of the account, of the program, and those that the cloud generates."""
    hidden = [*landscape.secrets.values(), PASSWORD, OTHER_PASSWORD, "hush-hush"]
    encoded = "aHVzaC1odXNo"
    return re.compile("|".join([*map(re.escape, hidden), encoded, "PRIVATE KEY", r"(?<![\w+/])gAAAAA"]))


@pytest.fixture
def story(project: MakeProject, landscape: Landscape) -> Project:
    """A stack of the program with its settings."""
    stack = project(PROGRAM, config={"story:flavor": landscape.small, "story:image": landscape.image})
    stack.settings({}, {"story:password": PASSWORD, "story:data": USER_DATA})
    return stack


def lines_with_secrets(text: str, secrets: re.Pattern[str]) -> list[str]:
    """Return the beginning of each line that contains a secret."""
    return [line[:300] for line in text.splitlines() if secrets.search(line)]


def test_output_contains_no_secrets(story: Project, cloud: Emulator, secrets: re.Pattern[str]) -> None:
    """No run prints a secret with verbose logging, not even if an error of the API contains one."""
    echo = f"Invalid input for field/attribute adminPass. Value: {PASSWORD}. '{PASSWORD}' is not what it has to be"
    body = {"badRequest": {"code": 400, "message": echo}}
    cloud.fault(method="POST", path="*/servers", status=400, body=body, times=1)
    failed = story.up(*VERBOSE, fails=True)
    assert any("is not what it has to be (HTTP 400" in error for error in failed.errors)
    output = failed.text + story.up(*VERBOSE).text
    assert re.search(r"POST \S*/servers 202", output), "requests are logged"
    story.config("password", OTHER_PASSWORD, secret=True)
    output += story.up(*VERBOSE).text
    output += story.refresh(*VERBOSE).text
    output += story.preview("--diff", *VERBOSE).text
    output += story.destroy(*VERBOSE).text
    # With -v=9 the engine itself logs every property that it sends and receives.
    engine_lines = re.compile(r'"msg":"(Unm|M)arshaling property for RPC')
    assert [line for line in lines_with_secrets(output, secrets) if not engine_lines.search(line)] == []


@pytest.mark.thorough
def test_files_and_arguments_contain_no_secrets(story: Project, secrets: re.Pattern[str]) -> None:
    """State, history, settings, logs and the arguments of processes contain no secret in clear text."""
    up = Run(story)
    up.until("Server web", "creating")
    arguments = up.arguments()
    assert any("pulumi.dynamic" in each for each in arguments)
    assert up.end() == 0
    assert lines_with_secrets(up.output, secrets) == []
    assert lines_with_secrets("\n".join(arguments), secrets) == []
    story.config("password", OTHER_PASSWORD, secret=True)
    story.up()
    files = [path for path in story.folder.rglob("*") if path.is_file()]
    assert len(files) > len(arguments)
    assert [path for path in files if secrets.search(path.read_text(errors="replace"))] == []
    story.destroy()


def test_private_key_as_public_key_is_refused(project: MakeProject, cloud: Emulator) -> None:
    """It is refused before any request, and appears in no output and in no file except the program."""
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaHush\\n-----END OPENSSH PRIVATE KEY-----"
    it = project(f'import ecs_pulumi as ecs\n\necs.KeyPair("key", public_key="{key}")\n')
    cloud.requests.clear()
    failed = [it.preview("--diff", fails=True), it.up(fails=True)]
    assert all(any("this is a private key" in error for error in each.errors) for each in failed)
    assert not any("Hush" in each.text for each in failed)
    assert list(cloud.requests) == []
    programs = (it.program, *it.folder.rglob("__pycache__/*"))
    files = [path for path in it.folder.rglob("*") if path.is_file() and path not in programs]
    assert [path for path in files if "b3BlbnNzaHush" in path.read_text(errors="replace")] == []


def test_access_key_in_two_regions(project: MakeProject, cloud: Emulator) -> None:
    """Runs that sign their requests work in two regions, and the secret key is in no output and no file."""
    it = project(TWO_REGIONS, config={"ecs:accessKey": "DEMOACCESSKEY0000001"})
    for name in ("ecs:username", "ecs:password", "ecs:userDomainName", "ecs:projectDomainName"):
        it.config(name, None)
    it.config("ecs:secretKey", "wrong-5ecret", secret=True)
    failed = it.up(*VERBOSE, fails=True)
    assert any("Check ecs:accessKey, ecs:secretKey, ecs:projectName, and the clock" in each for each in failed.errors)
    it.config("ecs:secretKey", "demo-secret-key", secret=True)
    cloud.requests.clear()
    runs = [it.up(*VERBOSE), it.refresh(*VERBOSE), it.preview("--diff", *VERBOSE)]
    assert {each["outputs"]["region"] for name, each in it.state().items() if "Network" in name} == {"eu-de", "eu-nl"}
    assert it.preview().changes == {}
    assert not [request for request in cloud.requests if request.path.endswith("/auth/tokens")]

    runs += [failed, it.destroy(*VERBOSE)]
    hidden = re.compile("demo-secret-key|wrong-5ecret")
    engine_lines = re.compile(r'"msg":"(Unm|M)arshaling property for RPC')
    output = "".join(each.text for each in runs)
    assert [line for line in lines_with_secrets(output, hidden) if not engine_lines.search(line)] == []
    files = [path for path in it.folder.rglob("*") if path.is_file()]
    assert [path for path in files if hidden.search(path.read_text(errors="replace"))] == []


@pytest.mark.thorough
def test_every_run_warns_of_insecure_connection(story: Project) -> None:
    """Each run warns exactly once, regardless of the number of resources."""
    story.config("ecs:insecure", "true")
    for run in (story.preview, story.up, story.refresh, story.destroy):
        warnings = [each["message"] for each in run().diagnostics if each["severity"] == "warning"]
        assert [INSECURE in warning for warning in warnings].count(True) == 1
