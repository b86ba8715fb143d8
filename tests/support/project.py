"""A Pulumi project of one test, driven by the real command line."""

from __future__ import annotations

import json
import subprocess
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.command import kill_group

if TYPE_CHECKING:
    from collections.abc import Mapping

STACK = "test"
TIMEOUT = 600
DYNAMIC = "pulumi-python:"


@dataclass(frozen=True)
class Result:
    """The result of one run of `pulumi`.

    Attributes:
        text: The whole output.
        status: The exit status.
        steps: The planned operations of each resource, such as `{"Server web": ["update"]}`: `create`, `update`,
            `same`, `delete`, `read`; a replacement is `replace` together with its `create-replacement` and
            `delete-replaced`, in their order.
        diagnostics: The errors and warnings, each a map with `severity`, `message` and `urn`.
        status_lines: The ephemeral status messages of the resources.
    """

    text: str
    status: int
    steps: Mapping[str, list[str]] = field(default_factory=dict)
    diagnostics: list[dict[str, Any]] = field(default_factory=list)
    status_lines: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """The messages of the errors."""
        return [found["message"] for found in self.diagnostics if found["severity"] == "error"]

    @property
    def changes(self) -> dict[str, str]:
        """The planned operation of each resource, without resources that are unchanged or only read."""
        words = {name: "replace" if "replace" in ops else ops[-1] for name, ops in self.steps.items()}
        return {name: word for name, word in words.items() if word not in {"same", "read"}}


class Project:
    """A program, a stack and its state in one folder.

    Every run is checked for tracebacks and for success; with `fails=True` it is expected to fail.
    """

    def __init__(self, folder: Path, program: str | Path, env: Mapping[str, str], name: str = "story") -> None:
        """Create the project and its stack.

        Args:
            folder: An empty folder.
            program: The text of `__main__.py`, or the folder of an example.
            env: The environment of tools/workspace.py, with the variables that the cloud of the program needs.
            name: The project's name.
        """
        self.folder = folder
        self.name = name
        self.env = {**env, "PULUMI_DEBUG_COMMANDS": "1"}  # for --event-log
        self._runs = 0
        if isinstance(program, Path):
            main = program.resolve()
        else:
            main = folder / "program"
            main.mkdir()
        self.program = main / "__main__.py"
        if isinstance(program, str):
            self.write(program)
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": name, "runtime": "python", "main": str(main)}))
        self.run("stack", "init", STACK)

    def write(self, program: str) -> None:
        """Replace the program.

        Args:
            program: The text of `__main__.py`.
        """
        self.program.write_text(textwrap.dedent(program))

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `pulumi` in its own process group, and return the running process.

        Args:
            arguments: The arguments of `pulumi`.
        """
        return subprocess.Popen(
            ("pulumi", "--non-interactive", "--color=never", *arguments),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, fails: bool = False, timeout: float = TIMEOUT) -> str:
        """Run any command of `pulumi` and return its output.

        Args:
            arguments: The arguments of `pulumi`.
            fails: Whether the command is expected to fail.
            timeout: Seconds after which the process group is killed.
        """
        return self._finish(self.command(*arguments), arguments, fails=fails, timeout=timeout)[0]

    def up(self, *arguments: str, fails: bool = False, timeout: float = TIMEOUT) -> Result:
        """Run `pulumi up`."""
        return self._operate("up", "--skip-preview", *arguments, fails=fails, timeout=timeout)

    def preview(self, *arguments: str, diff: bool = False, fails: bool = False, timeout: float = TIMEOUT) -> Result:
        """Run `pulumi preview`; with `diff`, show every property."""
        more = ("--diff", *arguments) if diff else arguments
        return self._operate("preview", *more, fails=fails, timeout=timeout)

    def refresh(self, *arguments: str, fails: bool = False, timeout: float = TIMEOUT) -> Result:
        """Run `pulumi refresh`."""
        return self._operate("refresh", "--skip-preview", *arguments, fails=fails, timeout=timeout)

    def destroy(self, *arguments: str, fails: bool = False, timeout: float = TIMEOUT) -> Result:
        """Run `pulumi destroy`."""
        return self._operate("destroy", "--skip-preview", *arguments, fails=fails, timeout=timeout)

    def config(self, key: str, value: str | None, *, secret: bool = False) -> None:
        """Set one setting of the stack, or remove it if the value is None.

        Args:
            key: The setting, with its namespace unless that is the project.
            value: Its value.
            secret: Whether it is stored encrypted.
        """
        if value is None:
            self.run("config", "rm", key)
        else:
            self.run("config", "set", key, value, "--secret" if secret else "--plaintext")

    def settings(self, settings: Mapping[str, str], secrets: Mapping[str, str] | None = None) -> None:
        """Set several settings of the stack at once.

        Args:
            settings: The settings stored as plain text.
            secrets: The settings stored encrypted.
        """
        plain = [part for key, value in settings.items() for part in ("--plaintext", f"{key}={value}")]
        hidden = [part for key, value in (secrets or {}).items() for part in ("--secret", f"{key}={value}")]
        self.run("config", "set-all", *plain, *hidden)

    @property
    def stack_urn(self) -> str:
        """The beginning of the URNs of the stack's resources."""
        return f"urn:pulumi:{STACK}::{self.name}"

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of the stack, secrets decrypted."""
        outputs: dict[str, Any] = json.loads(self.run("stack", "output", "--json", "--show-secrets"))
        return outputs

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the stored state of each resource by its kind and name, secrets encrypted."""
        deployment = json.loads(self.run("stack", "export"))["deployment"]
        return {
            name_of(resource["urn"]): resource
            for resource in deployment.get("resources", ())
            if resource["type"].startswith(DYNAMIC)
        }

    def _operate(self, verb: str, *arguments: str, fails: bool, timeout: float) -> Result:
        self._runs += 1
        log = self.folder / f"events-{self._runs}.json"
        command = (verb, f"--event-log={log}", *arguments)
        text, status = self._finish(self.command(*command), command, fails=fails, timeout=timeout)
        return read_events(log, text, status)

    def _finish(
        self, child: subprocess.Popen[str], arguments: tuple[str, ...], *, fails: bool, timeout: float
    ) -> tuple[str, int]:
        try:
            text, _ = child.communicate(timeout=timeout)
        except BaseException as error:
            kill_group(child)
            text, _ = child.communicate()
            raise AssertionError(f"pulumi {' '.join(arguments)} was killed:\n{text}") from error
        report = f"pulumi {' '.join(arguments)}: exit status {child.returncode}\n{text}"
        assert "Traceback (most recent call last)" not in text, report
        assert (child.returncode != 0) is fails, report
        return text, child.returncode


def name_of(urn: str) -> str:
    """Return the kind and the name of a resource, such as `Server web`."""
    *_, kind, name = urn.split("::")
    return f"{kind.rsplit(':', 1)[-1]} {name}"


def read_events(log: Path, text: str, status: int) -> Result:
    """Read the steps and messages of a run from the event log of the engine.

    Args:
        log: The file of `--event-log`.
        text: The output of the run.
        status: The exit status of the run.
    """
    steps: dict[str, list[str]] = {}
    diagnostics: list[dict[str, Any]] = []
    status_lines: list[str] = []
    for line in log.read_text().splitlines() if log.exists() else ():
        event = json.loads(line)
        if found := event.get("diagnosticEvent"):
            if found.get("ephemeral"):
                status_lines.append(found["message"].strip())
            elif found["severity"] in {"error", "warning"}:
                diagnostics.append(found)
        elif done := event.get("resourcePreEvent") or event.get("resOutputsEvent"):
            metadata = done["metadata"]
            if metadata["type"].startswith(DYNAMIC):
                ops = steps.setdefault(name_of(metadata["urn"]), [])
                # A refresh reports its operation only in the event after it.
                if "resourcePreEvent" in event or ops == ["refresh"]:
                    ops.append(metadata["op"])
    return Result(text, status, steps, diagnostics, status_lines)
