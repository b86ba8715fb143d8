"""What a person sees of an `up`: on a terminal, in a file, with `--debug`; and warnings once, whatever they concern."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.project import read_events

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.project import Project, Result

VOLUMES = 40
SLOW, FAST = 0.3, 200
MANY = f"""
    import ecs_pulumi as ecs

    for number in range({VOLUMES}):
        ecs.Volume(f"disk-{{number}}", size=1)
"""
SERVER = """
    import ecs_pulumi as ecs

    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.0.0/24")
    disk = {"source_type": "blank", "destination_type": "volume", "volume_size": 1}
    root = {**disk, "source_type": "image", "boot_index": 0, "volume_size": 10}
    port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    server = ecs.Server(
        "web",
        flavor="s3.medium.2",
        image="Standard_Debian_12_latest",
        networks=[{"port_id": port.id}],
        block_devices=[root, disk, disk],
    )
"""
KEPT = """
    import ecs_pulumi as ecs

    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 10}
    ecs.Server(
        "web",
        flavor="s3.medium.2",
        image="Standard_Debian_12_latest",
        block_devices=[{**disk, "delete_on_termination": True}],
        config_drive=False,
    )
    ecs.Volume("data", size=1)
"""
ONE = """
    import ecs_pulumi as ecs

    disk = ecs.Volume("disk", size=1)
    key = ecs.KeyPair("key")
"""


@pytest.fixture(autouse=True)
def nobody_builds_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables by which the engine knows a pipeline are not those of whoever runs the tests."""
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)


def up_on_a_terminal(project: Project) -> Result:
    """Run `pulumi up` as a person does."""
    log = project.folder / "events-terminal.json"
    here, there = pty.openpty()
    command = ("pulumi", "up", "--skip-preview", "--yes", f"--event-log={log}")
    with subprocess.Popen(command, cwd=project.folder, env=project.env, stdin=there, stdout=there, stderr=there) as up:
        os.close(there)
        text = b""
        while chunk := _read(here):
            text += chunk
    os.close(here)
    return read_events(log, text.decode(errors="replace"), up.returncode)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody writes any more
        return b""


def test_status_lines_do_not_flood_a_file(cloud: Emulator, project: MakeProject) -> None:
    """On a terminal every resource shows what it waits for; in a file, where lines stay, only some of many do."""
    many = project(MANY)
    cloud.cloud.speed = SLOW
    seen = up_on_a_terminal(many)
    assert seen.status == 0, seen.text
    assert len([line for line in seen.status_lines if "creating" in line]) >= VOLUMES
    cloud.cloud.speed = FAST
    many.destroy()
    cloud.cloud.speed = SLOW
    filed = many.up()
    lines = [line for line in filed.status_lines if line]
    assert any("creating" in line for line in lines)
    assert len(lines) < VOLUMES


def test_status_lines_say_what_is_waited_for(cloud: Emulator, project: MakeProject) -> None:
    """The server's status and task, for how many volumes, that a resize is being confirmed, and for how long."""
    server = project(SERVER)
    cloud.cloud.speed = 2
    building = server.up().status_lines
    assert any(re.fullmatch(r"BUILD: block_device_mapping, waiting for 3 volumes, \d+ s", line) for line in building)
    assert any(re.fullmatch(r"BUILD: spawning, \d+ s", line) for line in building)
    server.write(SERVER.replace("s3.medium.2", "s3.large.2"))
    resizing = server.up().status_lines
    assert any(re.fullmatch(r"VERIFY_RESIZE, confirming, \d+ s", line) for line in resizing)
    assert resizing[-1] == ""


def test_data_that_are_lost_are_a_warning(cloud: Emulator, project: MakeProject) -> None:
    """A replacement warns in preview and update, a deletion in the update alone, and `destroy` not at all."""
    it = project(KEPT)
    it.up()
    it.write(KEPT.replace("s3.medium.2", "s3.large.2").replace("False", "True").replace("ecs.Volume", "# ecs.Volume"))
    replaced = "replacing web deletes 1 volume with `delete_on_termination`"
    deleted = "deleting data deletes its data (1 GiB)"
    assert warnings(it.preview()) == [replaced]
    done = it.up()
    assert sorted(warnings(done)) == [deleted, replaced]
    assert "stops the server" not in done.text
    assert warnings(it.destroy()) == []


GROWING = """
    import ecs_pulumi as ecs

    ecs.Volume("bad", name="fail-extend", size=%d)
    """


def test_the_reason_of_a_failed_update_comes_first(cloud: Emulator, project: MakeProject) -> None:
    """In a file its line stands before the engine's; on a terminal it is what is shown while others are worked on."""
    it = project(GROWING % 1)
    it.up()
    reason = "error: update Volume bad: "
    it.write(GROWING % 2)
    failed = it.up(fails=True).text
    assert failed.index(reason) < failed.index("error: 1 error occurred")

    it.write((GROWING % 3) + 'ecs.Volume("good", size=1)\n')
    cloud.cloud.speed = SLOW
    shown = up_on_a_terminal(it)
    assert shown.status != 0
    frames = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.text).partition("Diagnostics:")[0]
    assert frames.rindex(reason) > frames.rfind("error: 1 error occurred")


def warnings(result: Result) -> list[str]:
    """The warnings of a run."""
    found = [each["message"] for each in result.diagnostics if each["severity"] == "warning"]
    return [message.removeprefix("warning:").strip() for message in found]


def test_debug_lists_every_request(project: MakeProject, cloud: Emulator) -> None:
    """With method, path, status, milliseconds and request id; without `--debug` not one is shown."""
    one = project(ONE)
    cloud.requests.clear()
    shown = one.up("--debug")
    listed = set(re.findall(r"debug: (\w+) (/\S+) (\d+) \d+ ms (req-[\w-]+)", shown.text))
    asked = {
        (each.method, each.path + (f"?{each.query}" if each.query else ""), str(each.status), each.request_id)
        for each in cloud.requests
    }
    assert asked == listed
    one.write(ONE.replace("size=1", "size=2"))
    assert "req-" not in one.up().text


def test_a_warning_is_shown_once_whatever_it_concerns(project: MakeProject) -> None:
    """Unverified certificates, a preview that does not ask the cloud, a misspelled setting: one line each."""
    careless = project(ONE, config={"ecs:insecure": "yes", "ecs:preflight": "False", "ecs:regoin": "eu-de"})
    made = careless.up()
    warnings = sorted(each["message"].strip() for each in made.diagnostics if each["severity"] == "warning")
    assert len(warnings) == 3
    assert "Nothing was checked against the cloud: ecs:preflight is false [not-checked]" in warnings[0]
    assert "ecs:insecure" in warnings[1]
    assert "ecs:regoin is no setting and has no effect; did you mean ecs:region?" in warnings[2]
