"""The output of `pulumi up`: on a terminal, in a file and with `--debug`; status messages and warnings."""

from __future__ import annotations

import os
import pty
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.command import running
from tests.support.landscape import client
from tests.support.project import read_events

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.project import Project, Result

VOLUMES = 40
SLOW, FAST = 0.3, 200
MANY_VOLUMES = f"""
    import ecs_pulumi as ecs

    for number in range({VOLUMES}):
        ecs.Volume(f"disk-{{number}}", size=10)
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
WITH_DISKS = """
    import ecs_pulumi as ecs

    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 10}
    network = ecs.get_network(name="demo-net")
    ecs.Server(
        "web",
        flavor="s3.medium.2",
        image="Standard_Debian_12_latest",
        block_devices=[{**disk, "delete_on_termination": True}],
        networks=[{"network_id": network.id}],
        user_data="before",
    )
    ecs.Volume("data", size=10)
"""
VOLUME_AND_KEY = """
    import ecs_pulumi as ecs

    disk = ecs.Volume("disk", size=10)
    key = ecs.KeyPair("key")
"""


@pytest.fixture(autouse=True)
def no_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the variables by which the engine detects that it runs in a pipeline."""
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)


def up_on_a_terminal(project: Project) -> Result:
    """Run `pulumi up` on a terminal."""
    log = project.folder / "events-terminal.json"
    parent, child = pty.openpty()
    command = ("pulumi", "up", "--skip-preview", "--yes", f"--event-log={log}")
    with running(*command, cwd=project.folder, env=project.env, stdin=child, stdout=child, stderr=child) as up:
        os.close(child)
        text = b""
        while chunk := _read(parent):
            text += chunk
    os.close(parent)
    return read_events(log, text.decode(errors="replace"), up.returncode)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux raises this if no process has the other end open
        return b""


def test_status_lines_are_limited_in_a_file(cloud: Emulator, project: MakeProject) -> None:
    """On a terminal every resource shows its status; in a file, only some status lines are printed."""
    many = project(MANY_VOLUMES)
    cloud.cloud.speed = SLOW
    on_terminal = up_on_a_terminal(many)
    assert on_terminal.status == 0, on_terminal.text
    assert len([line for line in on_terminal.status_lines if "creating" in line]) >= VOLUMES
    cloud.cloud.speed = FAST
    many.destroy()
    cloud.cloud.speed = SLOW
    in_file = many.up()
    lines = [line for line in in_file.status_lines if line]
    assert any("creating" in line for line in lines)
    assert len(lines) < VOLUMES


def test_imports_are_marked(cloud: Emulator, project: MakeProject) -> None:
    """A file and a detailed diff show each import beside its resource, a terminal lists the imports at the end."""
    with client(cloud.settings) as it:
        ids = [it.network.create_network(name=name).id for name in ("a", "b")]
    importing = project(
        "import ecs_pulumi as ecs\n" + "".join(f"ecs.Network({id_[:4]!r}, adopt={id_!r})\n" for id_ in ids)
    )
    for shown in (importing.preview(), importing.preview("--diff")):
        assert all(f"imports {id_} as {id_[:4]}" in shown.text for id_ in ids)
        assert "shown as create" not in shown.text
    at_the_end = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", up_on_a_terminal(importing).text).rpartition("Diagnostics:")[2]
    (listed,) = re.findall("imports existing objects, shown as create: (.*?)\\s*\n", at_the_end)
    assert sorted(listed.split(", ")) == sorted(f"Network {id_[:4]}" for id_ in ids)
    assert "imports" not in importing.preview().text


def test_status_lines_of_build_and_resize(cloud: Emulator, project: MakeProject) -> None:
    """They contain the status and task of the server, the volumes it waits for, and the duration."""
    server = project(SERVER)
    cloud.cloud.speed = 2
    building = server.up().status_lines
    assert any(re.fullmatch(r"BUILD: block_device_mapping, waiting for 3 volumes, \d+ s", line) for line in building)
    assert any(re.fullmatch(r"BUILD: spawning, \d+ s", line) for line in building)
    server.write(SERVER.replace("s3.medium.2", "s3.large.2"))
    resizing = server.up().status_lines
    assert resizing.count("VERIFY_RESIZE, confirming, 0 s") == 1
    assert "VERIFY_RESIZE, confirming" not in resizing
    assert resizing[-1] == ""


def test_warning_of_data_loss(cloud: Emulator, project: MakeProject) -> None:
    """A replacement causes a warning in preview and `up`, a deletion only in `up`, and `destroy` causes none."""
    it = project(WITH_DISKS)
    it.up()
    it.write(
        WITH_DISKS.replace("s3.medium.2", "s3.large.2").replace("before", "after").replace("ecs.Volume", "# ecs.Volume")
    )
    root = it.state()["Server web"]["outputs"]["volumes_attached"][0]["id"]
    replaced = f"replacing web deletes the volume {root} [data-loss]"
    deleted = "deleting data deletes its data (10 GiB) and its snapshots, if it has any [data-loss]"
    assert warnings(it.preview()) == [replaced]
    done = it.up()
    assert sorted(warnings(done)) == [deleted, replaced]
    assert "stops the server" not in done.text
    assert warnings(it.destroy()) == []


GROWING = """
    import ecs_pulumi as ecs

    ecs.Volume("bad", name="fail-extend", size=%d)
    """


def test_reason_of_failed_update_is_visible(cloud: Emulator, project: MakeProject) -> None:
    """In a file it precedes the line of the engine; on a terminal it stays visible while other operations run."""
    it = project(GROWING % 10)
    it.up()
    reason = "error: update Volume bad: "
    it.write(GROWING % 11)
    failed = it.up(fails=True).text
    assert failed.index(reason) < failed.index("error: 1 error occurred")

    it.write((GROWING % 12) + 'ecs.Volume("good", size=10)\n')
    cloud.cloud.speed = SLOW
    on_terminal = up_on_a_terminal(it)
    assert on_terminal.status != 0
    frames = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", on_terminal.text).partition("Diagnostics:")[0]
    assert frames.rindex(reason) > frames.rfind("error: 1 error occurred")


def warnings(result: Result) -> list[str]:
    """Return the warnings of a run."""
    messages = [each["message"] for each in result.diagnostics if each["severity"] == "warning"]
    return [message.removeprefix("warning:").strip() for message in messages]


def test_debug_lists_every_request(project: MakeProject, cloud: Emulator) -> None:
    """`--debug` shows each request with method, path, status, milliseconds and request id; without it none is shown."""
    it = project(VOLUME_AND_KEY)
    cloud.requests.clear()
    debug = it.up("--debug")
    listed = set(re.findall(r"debug: (\w+) (/\S+) (\d+) \d+ ms ?(req-[\w-]+)?", debug.text))
    sent = {
        (
            each.method,
            each.path + (f"?{each.query}" if each.query else ""),
            str(each.status),
            each.request_id if each.status != 404 else "",  # the gateway names no request id
        )
        for each in cloud.requests
    }
    assert sent == listed
    it.write(VOLUME_AND_KEY.replace("size=1", "size=2"))
    assert "req-" not in it.up().text


@pytest.mark.thorough
def test_warnings_are_shown_once(project: MakeProject) -> None:
    """Unverified certificates, a disabled preflight and a misspelled setting cause one warning each."""
    it = project(VOLUME_AND_KEY, config={"ecs:insecure": "yes", "ecs:preflight": "False", "ecs:regoin": "eu-de"})
    result = it.up()
    warnings = sorted(each["message"].strip() for each in result.diagnostics if each["severity"] == "warning")
    assert len(warnings) == 3
    assert "Nothing was checked against the cloud: ecs:preflight is false [not-checked]" in warnings[0]
    assert "ecs:insecure" in warnings[1]
    assert "ecs:regoin is not a setting and has no effect; did you mean ecs:region?" in warnings[2]
