"""examples/environments on two clouds, one of which has two regions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ecs_pulumi.emulator import Emulator
from tests.support.project import name_of
from tools.workspace import CHECKOUT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = CHECKOUT / "examples" / "environments"


@pytest.fixture
def clouds() -> Iterator[dict[str, Emulator]]:
    """The clouds that the settings of the stacks name."""
    with Emulator(speed=200, dialect="openstack") as dev, Emulator(speed=200) as prod:
        yield {"shop-dev": dev, "shop-prod": prod}


class Environments:
    """Both projects in a temporary folder, with one backend and a clouds.yaml."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = shutil.copytree(EXAMPLE, folder)
        self.env = env

    def pulumi(self, project: str, *arguments: str, fails: bool = False) -> str:
        """Run `pulumi` in the folder of a project."""
        done = subprocess.run(
            ("pulumi", "--non-interactive", "--color=never", *arguments),
            cwd=self.folder / project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert (done.returncode != 0) is fails, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def create(self, stack: str) -> None:
        """Create an environment: its networks, then its servers with a password."""
        self.pulumi("network", "stack", "init", stack)
        self.pulumi("network", "up", "--yes", "--skip-preview", "--stack", stack)
        self.pulumi("app", "stack", "init", stack)
        self.pulumi("app", "config", "set", "--secret", "adminPassword", f"Hush-{stack}", "--stack", stack)
        self.pulumi("app", "up", "--yes", "--skip-preview", "--stack", stack)

    def orphans(self, stack: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run `ecs-pulumi orphans` in the folder of the app, and return its exit status and output."""
        command = (sys.executable, "-m", "ecs_pulumi.orphans", "--json", "--stack", stack, *arguments)
        done = subprocess.run(
            command, cwd=self.folder / "app", env=self.env, capture_output=True, text=True, check=False, timeout=120
        )
        assert not done.stderr
        return done.returncode, json.loads(done.stdout)

    def servers(self, stack: str) -> dict[str, dict[str, Any]]:
        """Return the servers in the state of a stack."""
        state = json.loads(self.pulumi("app", "stack", "export", "--stack", stack))["deployment"]["resources"]
        return {name_of(each["urn"]): each for each in state if each["type"].endswith("ecs:Server")}


@pytest.fixture
def environments(clouds: dict[str, Emulator], engine_path: Path, tmp_path: Path) -> Environments:
    """The example, with a clouds.yaml for both clouds."""
    entries = {
        name: {
            "auth": {
                "auth_url": cloud.auth_url,
                "username": cloud.settings["username"],
                "password": cloud.settings["password"],
                "project_name": cloud.settings["projectName"],
                "user_domain_name": cloud.settings["userDomainName"],
                "project_domain_name": cloud.settings["projectDomainName"],
            },
            "region_name": cloud.settings["region"],
        }
        for name, cloud in clouds.items()
    }
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": entries}))
    env = environment(engine_path, tmp_path, "unused")
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
        del env[name]
    return Environments(tmp_path / "shop", env | {"OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml")})


def writes(cloud: Emulator) -> list[str]:
    """Return the requests so far that change something in a cloud."""
    return [
        f"{request.method} {request.path}"
        for request in cloud.requests
        if request.method != "GET" and not request.path.endswith("/auth/tokens")
    ]


def test_environments_in_two_clouds_and_two_regions(environments: Environments) -> None:
    """Each stack has its own cloud, regions, zones, sizes and secrets, and the servers of `prod` are protected."""
    environments.create("dev")
    environments.create("prod")
    (dev,) = environments.servers("dev").values()
    assert (dev["outputs"]["region"], dev["outputs"]["flavor"]) == ("RegionOne", "s1.small")

    prod = environments.servers("prod")
    places = {name: (each["outputs"]["region"], each["outputs"]["availability_zone"]) for name, each in prod.items()}
    assert places == {
        "Server web-eu-de-0": ("eu-de", "eu-de-01"),
        "Server web-eu-de-1": ("eu-de", "eu-de-02"),
        "Server web-eu-nl-0": ("eu-nl", "eu-nl-01"),
    }
    assert "Hush-prod" not in json.dumps(prod)
    environments.pulumi("app", "preview", "--expect-no-changes", "--stack", "prod")

    refused = environments.pulumi("app", "destroy", "--yes", "--skip-preview", "--stack", "prod", fails=True)
    assert "protect" in refused
    assert environments.servers("prod").keys() == prod.keys()


def test_move_of_a_server_to_another_stack(environments: Environments, clouds: dict[str, Emulator]) -> None:
    """`pulumi state move` moves server and port without a change in the cloud, and both previews are empty."""
    environments.create("staging")
    (server,) = environments.servers("staging").values()
    canary = environments.folder / "app" / "Pulumi.canary.yaml"
    settings = yaml.safe_load((environments.folder / "app" / "Pulumi.staging.yaml").read_text())
    settings.pop("encryptionsalt")
    settings["config"].pop("shop-app:adminPassword")
    settings["config"]["shop-app:network"] = "staging"
    canary.write_text(yaml.safe_dump(settings))
    environments.pulumi("app", "stack", "init", "canary")
    environments.pulumi("app", "config", "set", "--secret", "adminPassword", "Hush-staging", "--stack", "canary")
    before = writes(clouds["shop-prod"])

    port = server["urn"].replace("ecs:Server", "ecs:Port")
    environments.pulumi("app", "state", "move", "--yes", "--source", "staging", "--dest", "canary", port, server["urn"])
    environments.pulumi("app", "config", "set", "--path", "servers.eu-de.count", "0", "--stack", "staging")
    for stack in ("staging", "canary"):
        environments.pulumi("app", "up", "--yes", "--skip-preview", "--stack", stack)
        environments.pulumi("app", "preview", "--expect-no-changes", "--stack", stack)
    assert environments.servers("staging") == {}
    (moved,) = environments.servers("canary").values()
    assert (moved["id"], moved["outputs"]["name"]) == (server["id"], server["outputs"]["name"])
    assert writes(clouds["shop-prod"]) == before

    status, found = environments.orphans("staging", "--delete", "--yes")
    assert (status, found["orphans"]) == (0, [])
    kept = {(each["kind"], each["id"], each["stack"]) for each in found["elsewhere"]}
    assert ("Server", server["id"], "canary") in kept, "it carries the marker of the old stack and is in another state"
    assert writes(clouds["shop-prod"]) == before

    # The next update writes the owner marker of the new stack.
    environments.pulumi("app", "config", "set", "flavor", "s3.large.2", "--stack", "canary")
    environments.pulumi("app", "up", "--yes", "--skip-preview", "--stack", "canary")
    status, found = environments.orphans("staging")
    assert ("Server", server["id"]) not in {(each["kind"], each["id"]) for each in found["elsewhere"]}
