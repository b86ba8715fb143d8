"""The emulator as a command and as an object: start, settings, state, time, request log and tokens."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from ecs_pulumi.emulator import Emulator, ManualClock
from ecs_pulumi.emulator.keystone import APPLICATION_CREDENTIAL
from ecs_pulumi.emulator.store import Store
from tests.api.emulator.account import Account, sign_in, sign_in_body
from tests.support.command import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "ecs_pulumi.emulator"]
WITHOUT_FASTAPI = (
    "import sys, runpy; sys.modules['fastapi'] = None; runpy.run_module('ecs_pulumi.emulator', run_name='__main__')"
)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    """A clock that only the test advances."""
    return ManualClock()


@pytest.fixture(scope="module")
def account(clock: ManualClock) -> Iterator[Account]:
    """An account of an emulator with dialect `otc`."""
    with Emulator(clock=clock) as cloud:
        yield Account(cloud, clock)


@pytest.mark.parametrize("wrong", ["--port=99999", "--port=-1", "--port=x", "--speed=0", "--speed=nan", "--speed=inf"])
def test_invalid_numeric_option_is_rejected(wrong: str) -> None:
    """The command exits with one line that names the invalid option."""
    done = subprocess.run([*COMMAND, wrong], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()[-1:]
    assert line.startswith(f"ecs-pulumi emulator: error: argument {wrong.partition('=')[0]}: must be ")


def test_command_prints_address_and_settings() -> None:
    """`--port 0` selects a free port, the output has all settings and variables, and SIGINT exits without traceback."""
    with running(*COMMAND, "--port", "0", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        lines = []
        for line in run.stdout:
            if "Ctrl-C" in line:
                break
            lines.append(line.strip())
        commands = [line.split() for line in lines]
        settings = {words[3].removeprefix("ecs:"): words[4] for words in commands if words[:2] == ["pulumi", "config"]}
        variables = dict(words[1].split("=", 1) for words in commands if words[0] == "export")
        user = {"name": settings["username"], "password": settings["password"]}
        user["domain"] = {"name": settings["userDomainName"]}  # type: ignore[assignment]
        project = {"name": settings["projectName"], "domain": {"name": settings["projectDomainName"]}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
        response = requests.post(f"{settings['authUrl']}/auth/tokens", json={"auth": auth}, timeout=10)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=10)
    assert response.status_code == 201
    assert settings["authUrl"] in lines[0]
    assert f"in a browser at {settings['authUrl'].removesuffix('v3')}." in line
    assert "pulumi config set ecs:password demo-secret --secret" in lines
    assert settings["region"] == variables["OS_REGION_NAME"] == "eu-de"
    assert set(settings.values()) == set(variables.values()) - {variables["OS_IDENTITY_API_VERSION"]}
    assert errors == ""


def test_port_in_use_is_one_line_error(account: Account) -> None:
    """A second emulator on the same port prints one line that suggests `--port`."""
    port = account.cloud.url.rpartition(":")[2]
    run = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "--port" in run.stderr


@pytest.mark.parametrize("content", [None, b"no database", b""])
def test_invalid_state_file_is_one_line_error(tmp_path: Path, content: bytes | None) -> None:
    """A file that is no database is left unchanged, a missing directory is named, an empty file becomes a new state."""
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


def test_missing_dependency_names_the_extra() -> None:
    """Without FastAPI the command prints one line with the package to install."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_FASTAPI], capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "pip install 'ecs-pulumi[emulator]'" in run.stderr


def test_emulator_does_not_import_the_provider() -> None:
    """Client and emulator share no code, so that they cannot share a defect, and the emulator does not load Pulumi."""
    code = "import sys, ecs_pulumi.emulator.server; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = run.stdout.split()
    ours = {name for name in loaded if name.startswith("ecs_pulumi.")}
    assert {name for name in ours if not name.startswith("ecs_pulumi.emulator")} == set()
    assert not {"pulumi", "keystoneauth1", "openstack"} & set(loaded)


def test_restart_continues_from_state_file(tmp_path: Path) -> None:
    """With `state`, a build that was requested before a restart is completed after it, and the token stays valid."""
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
        server_body = account.show(server)
        networks = account.neutron("GET", "/networks?name=net").body["networks"]
    assert server_body["status"] == "ACTIVE"
    assert list(server_body["addresses"]) == ["net"]
    assert [each["id"] for each in networks] == [network]


def test_speed_divides_every_duration() -> None:
    """At speed 4 a build takes a quarter of the time; the clock itself is not scaled."""
    clock = ManualClock()
    with Emulator(clock=clock, speed=4) as cloud:
        account = Account(cloud, clock)
        start = clock.now
        account.active(networks=[{"uuid": account.network()}])
        duration = clock.now - start
    assert 1.5 < duration < 2.5


def test_regions_are_isolated() -> None:
    """A network exists in one region only. Every region has its own flavors, images and zones, and its own project."""
    with Emulator(clock=(clock := ManualClock())) as cloud:
        account, other = Account(cloud, clock), Account(cloud, clock, region="eu-nl")
        network = account.network("only-here")
        assert account.neutron("GET", f"/networks/{network}").status == 200
        assert other.neutron("GET", f"/networks/{network}").status == 404
        zones = other.nova("GET", "/os-availability-zone").body["availabilityZoneInfo"]
        assert [zone["zoneName"] for zone in zones] == ["eu-nl-01", "eu-nl-02", "eu-nl-03"]
        assert other.flavor("s3.large.2") == account.flavor("s3.large.2")
        account.region = "eu-nl"
        assert account.neutron("GET", "/networks").status == 401, "a token is of no use in another region"


def test_catalog_has_endpoints_of_one_region(account: Account) -> None:
    """In dialect `otc`, a token has the public endpoints of its project's region, and Keystone's in all regions."""
    catalog = sign_in(account.cloud).json()["token"]["catalog"]
    assert [entry["type"] for entry in catalog] == [
        "compute",
        "ecs",
        "network",
        "vpc",
        "vpc2.0",
        "volume",
        "volumev2",
        "evs",
        "volumev3",
        "image",
        "identity",
    ]
    for entry in catalog:
        regions = ["eu-de", "*"] if entry["type"] == "identity" else ["eu-de"]
        assert [endpoint["region"] for endpoint in entry["endpoints"]] == regions
        assert {endpoint["interface"] for endpoint in entry["endpoints"]} == {"public"}
        for endpoint in entry["endpoints"]:
            assert account.session.get(endpoint["url"], timeout=10).status_code in (200, 300, 404), endpoint["url"]
    (identity,) = sign_in(account.cloud, scope={}).json()["token"]["catalog"]
    assert [endpoint["region"] for endpoint in identity["endpoints"]] == ["*"], "a token of the domain"


def test_catalog_of_openstack_lists_every_interface() -> None:
    """In dialect `openstack`, the catalog has the three interfaces of every service."""
    with Emulator(dialect="openstack", clock=ManualClock()) as cloud:
        catalog = sign_in(cloud).json()["token"]["catalog"]
        short = requests.post(f"{cloud.auth_url}/auth/tokens?nocatalog", json=sign_in_body(cloud), timeout=10)
    assert {entry["type"] for entry in catalog} >= {"compute", "network", "block-storage", "image", "identity"}
    for entry in catalog:
        assert [endpoint["interface"] for endpoint in entry["endpoints"]] == ["public", "internal", "admin"]
    assert "catalog" not in short.json()["token"]


def test_responses_have_the_time_of_the_cloud() -> None:
    """The Date header follows the clock of the cloud."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        assert requests.get(cloud.auth_url, timeout=10).headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        clock.advance(60.0)
        assert sign_in(cloud).headers["Date"] == "Tue, 14 Nov 2023 22:14:20 GMT"


def test_authentication_methods() -> None:
    """Authentication by user id, token and application credential (by id or name); wrong secrets return 401."""
    with Emulator(dialect="openstack", clock=ManualClock()) as cloud:
        token = sign_in(cloud)
        user_id = token.json()["token"]["user"]["id"]
        user = {"id": user_id, "password": "demo-secret"}
        by_id = {key: APPLICATION_CREDENTIAL[key] for key in ("id", "secret")}
        by_name = {"name": APPLICATION_CREDENTIAL["name"], "secret": by_id["secret"], "user": {"id": user_id}}
        good = {
            "password": {"user": user},
            "token": {"id": token.headers["X-Subject-Token"]},
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


def test_authentication_of_otc(account: Account) -> None:
    """In dialect `otc`, users are in the account's domain, tokens are always scoped, and role ids may be 0."""
    cloud = account.cloud
    domain = {"name": cloud.settings["userDomainName"]}
    user = {"name": "demo", "password": "demo-secret", "domain": domain}
    token = sign_in(cloud)
    assert {role["id"] for role in token.json()["token"]["roles"]} == {"0"}
    assert sign_in(cloud, scope={}).json()["token"]["domain"]["name"] == domain["name"]
    assert sign_in(cloud, scope={"domain": domain}).json()["token"]["domain"]["name"] == domain["name"]
    for project_domain in ({"id": "default"}, {"name": "Default"}, domain, None):
        project = {"name": "eu-nl"} | ({"domain": project_domain} if project_domain else {})
        scoped = sign_in(cloud, scope={"project": project, "domain": domain})
        assert scoped.json()["token"]["project"]["name"] == "eu-nl"
    rescoped = {"methods": ["token"], "token": {"id": token.headers["X-Subject-Token"]}}
    assert sign_in(cloud, identity=rescoped, scope={"project": {"name": "eu-nl"}}).status_code == 201
    refused = {
        "domain default": {"methods": ["password"], "password": {"user": user | {"domain": {"id": "default"}}}},
        "application credential": {
            "methods": ["application_credential"],
            "application_credential": {key: APPLICATION_CREDENTIAL[key] for key in ("id", "secret")},
        },
        "no passcode": {
            "methods": ["password"],
            "password": {"user": user | {"name": "careful", "password": "careful-secret"}},
        },
    }
    for name, identity in refused.items():
        assert sign_in(cloud, identity=identity).status_code == 401, name
    assert sign_in(cloud, scope={"project": {"name": "eu-xx"}}).status_code == 401
    assert requests.get(cloud.auth_url, timeout=10).json()["version"]["id"] == "v3.6"


def test_tokens_expire() -> None:
    """Tokens return 401 after their lifetime or after `expire_tokens`; a new token works."""
    clock = ManualClock()
    with Emulator(clock=clock, token_lifetime=60) as cloud:
        account = Account(cloud, clock)
        assert account.nova("GET", "/servers").status == 200
        clock.advance(61)
        assert account.nova("GET", "/servers").status == 401
        account = Account(cloud, clock)
        cloud.expire_tokens()
        response = account.nova("GET", "/servers")
        assert (response.status, response.body["error"]["title"]) == (401, "Unauthorized")
        assert Account(cloud, clock).nova("GET", "/servers").status == 200


def test_request_log_contains_no_token(account: Account) -> None:
    """The log contains method, path, query, status, duration, request id and headers of a request, not its token."""
    account.cloud.requests.clear()
    response = account.nova("POST", "/servers?x=1", {"server": {}}, **{"X-Extra": "yes"})
    assert len(account.cloud.requests) == 1
    logged = account.cloud.requests[-1]
    assert (logged.method, logged.status, logged.query) == ("POST", 400, "x=1")
    assert logged.path == f"/eu-de/compute/v2.1/{account.project_id}/servers"
    assert logged.request_id == response.headers["X-Compute-Request-Id"]
    assert logged.headers["x-extra"] == "yes"
    assert logged.body is None, "the body of a rejected request is not logged"
    assert 0 < logged.ms < 1000
    assert str(account.session.headers["X-Auth-Token"]) not in str(logged.headers)


def test_unknown_quota_or_user_is_refused() -> None:
    """A misspelled quota, which would limit nothing, and an unknown user are errors that list the known names."""
    with Emulator() as cloud:
        with pytest.raises(ValueError, match=r"there is no quota 'instance'; there is .*instances"):
            cloud.set_quota(instance=2)
        with pytest.raises(KeyError, match="there is no user 'nobody'; there is demo"):
            cloud.settings_of("nobody")
        cloud.set_quota(gigabytes_SSD=1)
