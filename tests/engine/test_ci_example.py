"""The pipelines of examples/ci: all commands of their files run in order, against the emulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import venv
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tools.workspace import CHECKOUT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ecs_pulumi.emulator import Emulator


@dataclass
class Repository:
    """A repository like examples/ci, with the environment of its pipelines.

    Attributes:
        folder: The checkout.
        env: The environment of every job.
    """

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, **env: str) -> int:
        """Run a command as a runner does, check that it prints no traceback, and return its exit status."""
        done = subprocess.run(
            ("bash", "-e", "-c", command),
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        print(f"$ {command}\n{done.stdout}")  # noqa: T201  (pytest shows it if the test fails)
        assert "Traceback" not in done.stdout
        return done.returncode

    def change(self, old: str, new: str) -> None:
        """Change the program, as a commit does."""
        program = self.folder / "__main__.py"
        text = program.read_text()
        assert old in text
        program.write_text(text.replace(old, new))

    def github(self, job: str, **env: str) -> int:
        """Run a job of the GitHub workflow. After a failure, only the steps that ask for it run."""
        workflow = yaml.safe_load((self.folder / ".github" / "workflows" / "infrastructure.yml").read_text())
        variables = {name: value for name, value in workflow["env"].items() if "${{" not in value}
        status = 0
        for step in workflow["jobs"][job]["steps"]:
            if "run" in step and (not status or "failure()" in step.get("if", "")):
                status = self.run(step["run"], **variables, **env) or status
        return status

    def gitlab(self, job: str, **env: str) -> int:
        """Run a job of the GitLab pipeline, and then its `after_script`."""
        pipeline = yaml.safe_load((self.folder / ".gitlab-ci.yml").read_text())
        variables = {**pipeline["variables"], **env}
        status = 0
        for command in (*pipeline["before_script"], *pipeline[job]["script"]):
            status = status or self.run(command, **variables)
        for command in pipeline[job].get("after_script", ()):
            assert self.run(command, **variables) == 0
        return status


@pytest.fixture
def repository(
    ecs_emulator: Emulator, engine_path: Path, pip_offline: dict[str, str], wheel: Path, tmp_path: Path
) -> Repository:
    """The example as a repository with the wheel, whose stack exists, and a Python of its own."""
    folder = shutil.copytree(CHECKOUT / "examples" / "ci", tmp_path / "repository")
    (folder / "wheels").mkdir()
    shutil.copy(wheel, folder / "wheels")
    python = tmp_path / "python"
    venv.create(python, with_pip=True)
    env = environment(engine_path, tmp_path, "prod") | ecs_emulator.environment
    del env["PULUMI_OPTION_CONFIG_FILE"]
    env |= {"VIRTUAL_ENV": str(python), "PATH": os.pathsep.join((str(python / "bin"), env["PATH"]))}
    created = Repository(folder, env | pip_offline | {"CI": "true"})
    assert created.run("pulumi stack init prod") == 0
    return created


class GitLab(HTTPServer):
    """The part of GitLab's API that posts notes."""

    notes: list[tuple[str, str | None, Any]]


class _Api(BaseHTTPRequestHandler):
    server: GitLab

    def do_POST(self) -> None:
        """Store a note."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.notes.append((self.path, self.headers["PRIVATE-TOKEN"], body))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """A server that stores notes."""
    with GitLab(("127.0.0.1", 0), _Api) as server:
        server.notes = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_github(repository: Repository, tmp_path: Path) -> None:
    """A merge applies, a pull request that would lose a disk fails, and a fork gets a preview without a cloud."""
    summary = tmp_path / "summary.md"
    assert repository.github("apply") == 0
    assert repository.run("python -c 'import ecs_pulumi; print(ecs_pulumi.__file__)' | grep /site-packages/") == 0

    repository.change('image="Standard_Debian_12_latest"', 'image="Standard_Ubuntu_24.04_latest"')
    assert repository.github("preview", GITHUB_STEP_SUMMARY=str(summary)) == 2
    assert "### Forbidden here" in summary.read_text()
    assert "Server `shop`: replaced because of `image`" in summary.read_text()

    # A preview that does not start has a summary as well.
    for variable, value, reason in (
        ("PULUMI_CONFIG_PASSPHRASE", "wrong", "incorrect passphrase"),
        ("PULUMI_BACKEND_URL", tmp_path.as_uri(), "no stack selected"),
    ):
        summary.unlink()
        assert repository.github("preview", GITHUB_STEP_SUMMARY=str(summary), **{variable: value}) == 1
        assert summary.read_text().startswith("## The preview failed")
        assert reason in summary.read_text()

    # In a pull request from a fork, all secrets are empty.
    empty = dict.fromkeys(("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "OS_AUTH_URL", "OS_PASSWORD"), "")
    repository.env = {name: value for name, value in repository.env.items() if not name.startswith("OS_")} | empty
    summary.unlink()
    assert repository.github("preview", GITHUB_STEP_SUMMARY=str(summary)) == 0
    assert "### Created (3)" in summary.read_text()
    assert "Nothing was checked against the cloud" in summary.read_text()


def test_gitlab(repository: Repository, gitlab: GitLab) -> None:
    """A merge applies, a note on the merge request contains the summary, and the label permits the change."""
    assert repository.gitlab("apply") == 0

    repository.change('image="Standard_Debian_12_latest"', 'image="Standard_Ubuntu_24.04_latest"')
    variables = {
        "CI_API_V4_URL": f"http://127.0.0.1:{gitlab.server_port}/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_IID": "42",
        "NOTE_TOKEN": "note-token",
    }
    assert repository.gitlab("preview", **variables, ALLOW_DESTROY="true") == 0
    ((path, token, body),) = gitlab.notes
    assert (path, token) == ("/api/v4/projects/7/merge_requests/42/notes", "note-token")
    assert body["body"].startswith("## Preview of `shop/prod`: 1 destroyed with data")
