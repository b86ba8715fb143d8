"""The emulator as a program and as an object: start, settings, state, time, request log, tokens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from ecs_pulumi.emulator import Emulator, ManualClock
from ecs_pulumi.emulator.keystone import APPLICATION_CREDENTIAL
from ecs_pulumi.emulator.store import Store
from tests.api.emulator.account import Account, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "ecs_pulumi.emulator"]
WITHOUT_FASTAPI = (
    "import sys, runpy; sys.modules['fastapi'] = None; runpy.run_module('ecs_pulumi.emulator', run_name='__main__')"
)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock()


@pytest.fixture(scope="module")
def account(clock: ManualClock) -> Iterator[Account]:
    """An account of an emulator in the guide's dialect."""
    with Emulator(clock=clock) as cloud:
        yield Account(cloud, clock)


@pytest.mark.parametrize("wrong", ["--port=99999", "--port=-1", "--port=x", "--speed=0", "--speed=nan", "--speed=inf"])
def test_a_number_that_is_none_of_the_commands_is_refused(wrong: str) -> None:
    """One line says which."""
    done = subprocess.run([*COMMAND, wrong], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()[-1:]
    assert line.startswith(f"python -m ecs_pulumi.emulator: error: argument {wrong.partition('=')[0]}: must be ")


def test_the_command_says_where_it_listens_and_how_to_point_a_stack_at_it() -> None:
    """`--port 0` finds a free port; what is printed is all that a stack needs; SIGINT ends it without a trace."""
    with subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        lines = []
        while "Ctrl-C" not in (line := run.stdout.readline()):
            lines.append(line.strip())
        settings = dict(line.removeprefix("pulumi config set ecs:").split()[:2] for line in lines[2:])
        user = {"name": settings["username"], "password": settings["password"]}
        user["domain"] = {"name": settings["userDomainName"]}  # type: ignore[assignment]
        project = {"name": settings["projectName"], "domain": {"name": settings["projectDomainName"]}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
        answer = requests.post(f"{settings['authUrl']}/auth/tokens", json={"auth": auth}, timeout=10)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=10)
    assert answer.status_code == 201
    assert settings["authUrl"] in lines[0]
    assert f"in a browser at {settings['authUrl'].removesuffix('v3')}." in line
    assert "pulumi config set ecs:password demo-secret --secret" in lines
    assert settings["region"] == "eu-de"
    assert errors == ""


def test_a_port_in_use_is_one_line(account: Account) -> None:
    """A second emulator on the same port says so, and what to do."""
    port = account.cloud.url.rpartition(":")[2]
    run = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "--port" in run.stderr


@pytest.mark.parametrize("content", [None, b"no database", b""])
def test_a_state_file_that_is_none_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    """A file of something else is left alone; an empty one is a new state; a folder that is not there is named."""
    file = tmp_path / ("missing/state" if content is None else "state")
    if content is not None:
        file.write_bytes(content)
    if content == b"":
        Store(str(file)).close()
        return
    arguments = ["--port", "0", "--state", str(file)]
    run = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert str(file) in run.stderr
    assert content is None or file.read_bytes() == content


def test_without_its_dependencies_the_command_names_the_extra() -> None:
    """Where FastAPI is missing, one line says what to install."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_FASTAPI], capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "pip install 'ecs-pulumi[emulator]'" in run.stderr


def test_it_imports_nothing_of_the_rest_of_the_package() -> None:
    """Client and cloud cannot share a mistake, and starting the cloud does not load Pulumi."""
    code = "import sys, ecs_pulumi.emulator.server; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = run.stdout.split()
    ours = {name for name in loaded if name.startswith("ecs_pulumi.")}
    assert {name for name in ours if not name.startswith("ecs_pulumi.emulator")} == set()
    assert not {"pulumi", "keystoneauth1", "openstack"} & set(loaded)


def test_a_restart_loses_nothing_and_goes_on_with_what_was_under_way(tmp_path: Path) -> None:
    """With `state`, a server asked for before the restart is built after it; the token still holds."""
    clock = ManualClock()
    file = str(tmp_path / "cloud.sqlite")
    with Emulator(state=file, clock=clock) as cloud:
        account = Account(cloud, clock)
        network = account.network()
        server = account.server(networks=[{"uuid": network}])
        clock.advance(1)
        account.show(server)
        token = account.session.headers["X-Auth-Token"]
    with Emulator(state=file, clock=clock) as cloud:
        account = Account(cloud, clock)
        account.session.headers["X-Auth-Token"] = token
        assert account.show(server)["status"] == "BUILD"
        clock.advance(20)
        shown = account.show(server)
        networks = account.neutron("GET", "/networks?name=net").body["networks"]
    assert shown["status"] == "ACTIVE"
    assert list(shown["addresses"]) == ["net"]
    assert [each["id"] for each in networks] == [network]


def test_speed_divides_every_duration() -> None:
    """At speed 4 a build takes a quarter of the time; what the clock says is not scaled."""
    clock = ManualClock()
    with Emulator(clock=clock, speed=4) as cloud:
        account = Account(cloud, clock)
        began = clock.now
        account.active(networks=[{"uuid": account.network()}])
        took = clock.now - began
    assert 1.5 < took < 2.5


def test_regions_share_nothing_but_the_catalog(account: Account) -> None:
    """A network of one region is not in the other, which has its own flavors, images and zones."""
    network = account.network("only-here")
    other = Account(account.cloud, account.clock)
    other.region = "eu-nl"
    assert account.neutron("GET", f"/networks/{network}").status == 200
    assert other.neutron("GET", f"/networks/{network}").status == 404
    zones = other.nova("GET", "/os-availability-zone").body["availabilityZoneInfo"]
    assert [zone["zoneName"] for zone in zones] == ["eu-nl-01", "eu-nl-02", "eu-nl-03"]
    assert other.flavor("s3.large.2") == account.flavor("s3.large.2")


def test_the_catalog_lists_every_service_in_every_region(account: Account) -> None:
    """All that a client looks for is there, at a URL that answers."""
    catalog = sign_in(account.cloud).json()["token"]["catalog"]
    assert [entry["type"] for entry in catalog] == [
        "compute",
        "compute_legacy",
        "network",
        "volumev2",
        "volumev3",
        "block-storage",
        "image",
        "identity",
    ]
    for entry in catalog:
        assert {endpoint["region"] for endpoint in entry["endpoints"]} == {"eu-de", "eu-nl"}
        for endpoint in entry["endpoints"]:
            assert account.session.get(endpoint["url"], timeout=10).status_code in (200, 300, 404), endpoint["url"]


def test_every_way_to_sign_in(account: Account) -> None:
    """By user id, with a token, with an application credential by id or name; wrong secrets are 401."""
    cloud = account.cloud
    user_id = sign_in(cloud).json()["token"]["user"]["id"]
    user = {"id": user_id, "password": "demo-secret"}
    token = str(account.session.headers["X-Auth-Token"])
    by_id = {key: APPLICATION_CREDENTIAL[key] for key in ("id", "secret")}
    by_name = {"name": APPLICATION_CREDENTIAL["name"], "secret": by_id["secret"], "user": {"id": user_id}}
    good = {
        "password": {"user": user},
        "token": {"id": token},
        "application_credential": by_id,
    }
    bad = {
        "password": {"user": user | {"password": "wrong"}},
        "token": {"id": "wrong"},
        "application_credential": by_id | {"secret": "wrong"},
    }
    for method, credentials in good.items():
        assert sign_in(cloud, identity={"methods": [method], method: credentials}).status_code == 201, method
    for method, credentials in bad.items():
        assert sign_in(cloud, identity={"methods": [method], method: credentials}).status_code == 401, method
    named = sign_in(cloud, identity={"methods": ["application_credential"], "application_credential": by_name})
    assert named.json()["token"]["project"]["name"] == "demo"


def test_tokens_expire() -> None:
    """After their lifetime, or when told to, tokens are 401; a new one works."""
    clock = ManualClock()
    with Emulator(clock=clock, token_lifetime=60) as cloud:
        account = Account(cloud, clock)
        assert account.nova("GET", "/servers").status == 200
        clock.advance(61)
        assert account.nova("GET", "/servers").status == 401
        account = Account(cloud, clock)
        cloud.expire_tokens()
        refused = account.nova("GET", "/servers")
        assert (refused.status, refused.body["error"]["title"]) == (401, "Unauthorized")
        assert Account(cloud, clock).nova("GET", "/servers").status == 200


def test_a_revoked_token_is_no_good(account: Account) -> None:
    """DELETE ends a token, which validation then does not find."""
    second = Account(account.cloud, account.clock)
    subject = {"X-Subject-Token": str(second.session.headers["X-Auth-Token"])}
    url = f"{account.cloud.auth_url}/auth/tokens"
    assert account.session.get(url, headers=subject, timeout=10).status_code == 200
    assert account.session.delete(url, headers=subject, timeout=10).status_code == 204
    assert account.session.get(url, headers=subject, timeout=10).status_code == 404
    assert second.nova("GET", "/servers").status == 401


def test_every_request_is_logged_without_its_token(account: Account) -> None:
    """The log has method, path, query, status, milliseconds, the answer's request id and what was sent."""
    account.cloud.requests.clear()
    answer = account.nova("POST", "/servers?x=1", {"server": {}}, **{"X-Extra": "yes"})
    assert len(account.cloud.requests) == 1
    logged = account.cloud.requests[-1]
    assert (logged.method, logged.status, logged.query) == ("POST", 400, "x=1")
    assert logged.path == f"/eu-de/compute/v2.1/{account.project_id}/servers"
    assert logged.request_id == answer.headers["X-Compute-Request-Id"]
    assert logged.headers["x-extra"] == "yes"
    assert logged.body is None, "that of a refused request is not kept"
    assert 0 < logged.ms < 1000
    assert str(account.session.headers["X-Auth-Token"]) not in str(logged.headers)


def test_the_environment_is_what_openstack_clients_read(account: Account) -> None:
    """OS_* variables and stack settings name the same cloud and account."""
    environment, settings = account.cloud.environment, account.cloud.settings
    assert environment["OS_AUTH_URL"] == settings["authUrl"]
    assert environment["OS_PASSWORD"] == settings["password"]
    assert not set(environment) & set(os.environ)


def test_the_state_can_be_read_and_changed_by_a_test(account: Account) -> None:
    """`state()` gives the documents as of now; what is changed there the API shows."""
    network = account.network("by-hand")
    with account.cloud.state() as state:
        doc = state.get("network", network)
        assert doc is not None
        state.put("network", doc | {"name": "drifted"})
    assert account.neutron("GET", f"/networks/{network}").body["network"]["name"] == "drifted"


def test_quotas_can_be_set(account: Account) -> None:
    """A limit set by a test is what the API enforces and shows."""
    account.cloud.set_quota(instances=0)
    refused = account.nova("POST", "/servers", account.body(networks=[{"uuid": account.network("quota")}]))
    shown = account.nova("GET", "/limits").body["limits"]["absolute"]["maxTotalInstances"]
    account.cloud.set_quota(instances=100)
    assert (refused.status, shown) == (403, 0)
    assert refused.message == "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances"
