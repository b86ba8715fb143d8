"""Access keys and agencies instead of a password, on a cloud that verifies the signatures."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ecs_pulumi.cloud.connection import Connection, Settings
from ecs_pulumi.cloud.errors import ConfigurationError, EcsError, Unauthorized
from ecs_pulumi.emulator import Emulator, ManualClock
from ecs_pulumi.emulator.accounts import fixed_id
from tests.support.clouds import hide_clouds, write_clouds
from tests.support.steps import Resource, clear_caches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
ACCESS, SECRET = "DEMOACCESSKEY0000001", "demo-secret-key"
OTHER_ACCOUNT = "OTC-EU-DE-00000000001000000002"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """An emulator with dialect `otc`."""
    with Emulator(speed=500) as running:
        clear_caches()
        yield running


@pytest.fixture(autouse=True)
def _no_other_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the variables and files that configure another cloud."""
    hide_clouds(tmp_path, monkeypatch)


def by_key(cloud: Emulator, **changes: str | None) -> dict[str, str]:
    """Return the settings of a stack with the access key; None omits a setting."""
    settings = {"authUrl": cloud.auth_url, "accessKey": ACCESS, "secretKey": SECRET, "projectName": "eu-de"}
    settings |= {"region": "eu-de"}
    merged = {**settings, **changes}
    return {f"ecs:{name}": value for name, value in merged.items() if value is not None}


def by_agency(cloud: Emulator, **changes: str | None) -> dict[str, str]:
    """Return the settings of a stack with the agency of the other account; None omits a setting."""
    settings = {name: value for name, value in cloud.settings.items() if name != "projectDomainName"}
    merged = {**settings, "agencyName": "ecs-agency", "agencyDomainName": OTHER_ACCOUNT, **changes}
    return {f"ecs:{name}": value for name, value in merged.items() if value is not None}


def connect(settings: dict[str, str]) -> Connection:
    """Open a connection with the settings of a stack."""
    return Connection(Settings.from_config(settings.get))


def test_objects_in_two_regions_with_access_key(cloud: Emulator) -> None:
    """Create, preview, update, refresh and delete are signed; no token is requested, and the state has no secret."""
    cloud.requests.clear()
    config = by_key(cloud)
    kinds: dict[str, dict[str, Any]] = {
        "KeyPair": {"name": "signed", "public_key": KEY},
        "SecurityGroup": {"name": "signed", "rules": []},
        "Network": {"name": "signed"},
    }
    for kind, inputs in kinds.items():
        for region in ("eu-de", "eu-nl"):
            it = Resource(kind, config)
            it.up(**inputs, region=region)
            it.refresh()
            assert it.outputs["name"] == "signed"
            assert SECRET not in json.dumps([it.state, it.outputs], default=str)
            it.destroy()
    assert {request.status for request in cloud.requests} <= {200, 201, 202, 204, 300, 404}
    assert not [request for request in cloud.requests if request.path.endswith("/auth/tokens")]
    assert not [request for request in cloud.requests if "authorization" in request.headers]


@pytest.mark.parametrize(
    ("changes", "project"),
    [
        ({}, "eu-de"),
        ({"projectName": None}, "eu-de"),
        ({"projectName": None, "projectId": fixed_id("project/eu-de")}, "eu-de"),
        ({"region": "eu-nl"}, "eu-nl"),
        ({"region": "eu-nl", "projectName": None}, "eu-nl"),
        ({"region": "eu-nl", "projectName": None, "projectId": fixed_id("project/eu-de")}, "eu-nl"),
    ],
    ids=["name", "none", "id", "other region", "none in other region", "id in other region"],
)
def test_project_of_access_key(changes: dict[str, str | None], project: str, cloud: Emulator) -> None:
    """The project is the configured one, and without one the project that is named like the region."""
    region = connect(by_key(cloud, **changes)).region()
    assert (region.name, region.project_id) == (project, fixed_id(f"project/{project}"))
    assert region.network.get("/networks", key="networks")


REJECTED = r"Check ecs:accessKey, ecs:secretKey, ecs:projectName, and the clock of this machine\.$"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"secretKey": "wrong"}, rf"verify aksk signature fail \(HTTP 401.*{REJECTED}"),
        ({"accessKey": "NONE"}, rf"access key NONE does not exist \(HTTP 401.*{REJECTED}"),
        ({"projectName": "eu-xx"}, r"^ecs:projectName: there is no project 'eu-xx'; the access key has: eu-de, eu-nl$"),
        ({"projectName": None, "region": "eu-xx"}, r"^ecs:region: there is no project 'eu-xx'; .* has: eu-de, eu-nl$"),
        (
            {"projectName": None, "secretKey": "wrong"},
            r"\(HTTP 401.*Check ecs:accessKey, ecs:secretKey, ecs:region, and the clock of this machine\.$",
        ),
        ({"secretKey": None}, r"^ecs:secretKey \(or OS_SECRET_KEY, or secret_key in clouds.yaml\) is missing$"),
        ({"accessKey": None}, r"^ecs:accessKey \(or OS_ACCESS_KEY, or access_key in clouds.yaml\) is missing$"),
        ({"projectName": None, "region": None}, r"^ecs:projectName or ecs:projectId .* is missing$"),
        ({"region": "eu-xx"}, "the catalog has eu-de, and there is no project 'eu-xx' for another region$"),
    ],
    ids=[
        "secret",
        "access key",
        "project",
        "project of region",
        "secret without project",
        "no secret",
        "no access key",
        "no project",
        "region",
    ],
)
def test_error_of_access_key_is_one_line(changes: dict[str, str | None], message: str, cloud: Emulator) -> None:
    """The error names the settings, and does not contain the secret key."""
    with pytest.raises(EcsError, match=message) as failed:
        connect(by_key(cloud, **changes)).region()
    assert len(str(failed.value).splitlines()) == 1
    assert SECRET not in str(failed.value)


def test_rejected_signature_after_login_is_unauthorized(cloud: Emulator) -> None:
    """A key that is disabled during a run fails with the same hint."""
    region = connect(by_key(cloud)).region()
    body = {"error_msg": "Incorrect IAM authentication information", "error_code": "APIGW.0301", "request_id": "r"}
    cloud.fault(method="GET", path="*/networks", status=401, body=body, times=2)
    with pytest.raises(Unauthorized, match=REJECTED):
        region.network.get("/networks", key="networks")


def test_temporary_access_key(cloud: Emulator) -> None:
    """A temporary key is sent with its security token; without it, and with the token of another key, it is refused."""
    tokens = [temporary(cloud) for _ in range(2)]
    keys = {"accessKey": tokens[0]["access"], "secretKey": tokens[0]["secret"]}
    region = connect(by_key(cloud, **keys, securityToken=tokens[0]["securitytoken"])).region("eu-nl")
    assert region.network.get("/networks", key="networks")
    for other in (None, tokens[1]["securitytoken"]):
        with pytest.raises(Unauthorized, match="X-Security-Token does not belong to the access key"):
            connect(by_key(cloud, **keys, securityToken=other)).region()


def test_errors_do_not_contain_the_security_token(cloud: Emulator) -> None:
    """A gateway that repeats the signed request does not reveal the token, neither at the login nor afterwards."""
    key = temporary(cloud)
    token = key["securitytoken"]
    settings = by_key(cloud, accessKey=key["access"], secretKey=key["secret"], securityToken=token)
    body = {"error_msg": f"verify aksk signature fail, x-security-token:{token}|e3b0", "error_code": "APIGW.0301"}
    for path in ("*/auth/projects", "*/auth/catalog", "*/networks"):
        cloud.fault(method="GET", path=path, status=401, body=body, times=2)
        with pytest.raises(Unauthorized, match=r"x-security-token:\*\*\*\|e3b0") as failed:
            connect(settings).region().network.get("/networks", key="networks")
        assert token not in str(failed.value)
        cloud.clear_faults()


def temporary(cloud: Emulator) -> dict[str, str]:
    """Return a temporary access key of the user."""
    token = connect({f"ecs:{name}": value for name, value in cloud.settings.items()}).transport.access().auth_token
    identity = {"methods": ["token"], "token": {"duration_seconds": 900}}
    response = requests.post(
        f"{cloud.url}/v3.0/OS-CREDENTIAL/securitytokens",
        json={"auth": {"identity": identity}},
        headers={"X-Auth-Token": str(token)},
        timeout=10,
    )
    assert response.status_code == 201
    credential: dict[str, str] = response.json()["credential"]
    return credential


def test_signature_expires() -> None:
    """A signature whose time is more than 15 minutes from the cloud's is refused: the machine's clock may be wrong."""
    clock = ManualClock(time.time())
    with Emulator(clock=clock) as cloud:
        connect(by_key(cloud)).region()
        clock.advance(3600)
        with pytest.raises(Unauthorized, match=r"the signature has expired.*and the clock of this machine\.$"):
            connect(by_key(cloud)).region()


@pytest.mark.parametrize(
    "changes",
    [{}, {"username": None, "password": None, "userDomainName": None, "accessKey": ACCESS, "secretKey": SECRET}],
    ids=["password", "access key"],
)
def test_objects_of_another_account_by_agency(changes: dict[str, str | None], cloud: Emulator) -> None:
    """The objects are in the projects of the account that created the agency, in both regions."""
    settings = by_agency(cloud, **changes)
    for region in ("eu-de", "eu-nl"):
        it = Resource("Network", settings)
        it.up(name="theirs", region=region)
        with cloud.state(region) as state:
            (found,) = state.find("network", name="theirs")
        assert found["project_id"] == fixed_id(f"project/agency/{region}")
        it.refresh()
        it.destroy()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agencyName": "other"}, r"^Could not find agency: other \(HTTP 404.*\. Check ecs:agencyName, ecs:agencyDom"),
        ({"agencyDomainName": "other"}, r"\(HTTP 404.*\. Check ecs:agencyName, ecs:agencyDomainName, ecs:username, "),
        ({"password": "wrong"}, r"\(HTTP 401.*Check ecs:agencyName, ecs:agencyDomainName, .*ecs:password, "),
        ({"agencyDomainName": None}, r"^ecs:agencyDomainName \(or OS_AGENCY_DOMAIN_NAME, or .*\) is missing$"),
    ],
    ids=["agency", "domain", "password", "no domain"],
)
def test_error_of_agency_is_one_line(changes: dict[str, str | None], message: str, cloud: Emulator) -> None:
    """The error names the settings."""
    with pytest.raises(EcsError, match=message):
        connect(by_agency(cloud, **changes)).region()


def test_clouds_yaml_and_variables(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries with the option names of python-otcextensions and variables work; a password has precedence."""
    user = {
        "auth_url": cloud.auth_url,
        "username": "demo",
        "password": "demo-secret",
        "user_domain_name": cloud.settings["userDomainName"],
    }
    agency = {"target_agency_name": "ecs-agency", "target_domain_name": OTHER_ACCOUNT, "target_project_name": "eu-nl"}
    key = {"auth_url": cloud.auth_url, "access_key": ACCESS, "secret_key": SECRET}
    entries = {
        "aksk": {"auth_type": "aksk", "auth": key, "region_name": "eu-nl"},
        "ak": {"auth": {"auth_url": cloud.auth_url, "ak": ACCESS, "sk": SECRET}, "region_name": "eu-nl"},
        "agency": {"auth_type": "agency", "auth": {**user, **agency}, "region_name": "eu-nl"},
        "both": {"auth": {**user, "project_name": "eu-nl"}, "ak": "OBS", "sk": "only", "region_name": "eu-nl"},
    }
    for name, value in write_clouds(tmp_path, entries).items():
        monkeypatch.setenv(name, value)
    found = {name: Connection(Settings().of_entry(name)).region().project_id for name in entries}
    own, theirs = fixed_id("project/eu-nl"), fixed_id("project/agency/eu-nl")
    assert found == {"aksk": own, "ak": own, "agency": theirs, "both": own}
    variables = {"AUTH_URL": cloud.auth_url, "ACCESS_KEY": ACCESS, "SECRET_KEY": SECRET, "REGION_NAME": "eu-de"}
    for name, value in variables.items():
        monkeypatch.setenv(f"OS_{name}", value)
    assert Connection(Settings()).region().project_id == fixed_id("project/eu-de")
    monkeypatch.setenv("OS_SECRET_KEY", "wrong")
    with pytest.raises(Unauthorized, match="Check OS_ACCESS_KEY, OS_SECRET_KEY, "):
        Connection(Settings()).region()


def test_one_time_passcode(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passcode of a virtual MFA device comes from a variable, and is sent beside the password."""
    settings = {f"ecs:{name}": value for name, value in cloud.settings.items() if name != "username"}
    settings |= {"ecs:userId": fixed_id("user/careful"), "ecs:password": "careful-secret"}
    with pytest.raises(Unauthorized, match="Check ecs:userId, ecs:password, "):
        connect(settings).region()
    monkeypatch.setenv("OS_PASSCODE", "123456")
    connection = connect(settings)
    assert [connection.region(name).project_id for name in (None, "eu-nl")] == [
        fixed_id("project/eu-de"),
        fixed_id("project/eu-nl"),
    ]


def test_settings_select_the_login(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key in the settings has precedence over a password in the variables, and the other way round."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OS_PASSWORD", "wrong")
    connect(by_key(cloud)).region()
    monkeypatch.setenv("OS_ACCESS_KEY", ACCESS)
    monkeypatch.setenv("OS_SECRET_KEY", "wrong")
    monkeypatch.setenv("OS_SECURITY_TOKEN", "of another key")
    connect(by_key(cloud)).region()
    connect({f"ecs:{name}": value for name, value in cloud.settings.items()}).region()


def test_application_credential_is_refused(cloud: Emulator) -> None:
    """This cloud has no application credentials; the error names the settings."""
    settings = {"ecs:authUrl": cloud.auth_url, "ecs:applicationCredentialId": "a"}
    settings |= {"ecs:applicationCredentialSecret": "s"}
    with pytest.raises(Unauthorized, match=r"Check ecs:applicationCredentialId, ecs:applicationCredentialSecret\.$"):
        connect(settings).region()


def test_conflicting_settings() -> None:
    """The id and the name of a project exclude each other, as with a password."""
    settings = {"ecs:authUrl": "https://a.test", "ecs:accessKey": "a", "ecs:secretKey": "s"}
    settings |= {"ecs:projectId": "p", "ecs:projectName": "n"}
    with pytest.raises(ConfigurationError, match="ecs:projectId and ecs:projectName exclude each other"):
        connect(settings)
