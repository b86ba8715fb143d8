"""The peer: Terraform's OpenStack provider under OpenTofu, with the same units."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

from tools.bench.stack import PARALLEL, PROGRAMS, Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROVIDER = "terraform-provider-openstack"
REQUEST = "OpenStack Request URL: "
"""The beginning of the line that the provider logs for each request."""

# The provider is used as it is, without a registry.
_CONFIG = """
provider_installation {{
  dev_overrides {{
    "terraform-provider-openstack/openstack" = "{folder}"
  }}
  direct {{}}
}}
"""


class Peer:
    """The units as a configuration of the peer, with its state in a folder."""

    def __init__(self, programs: Path, folder: Path, env: Mapping[str, str], variables: Mapping[str, object]) -> None:
        """Create the configuration.

        Args:
            programs: A folder with the programs `tofu` and `terraform-provider-openstack`.
            folder: An empty folder.
            env: The environment, with the variables of the cloud.
            variables: The variables of the configuration.

        Raises:
            SystemExit: The folder lacks a program.
        """
        self._tofu = programs.resolve() / "tofu"
        for program in (self._tofu, programs / PROVIDER):
            if not program.exists():
                raise SystemExit(f"--peer {programs}: there is no {program.name}")
        self._folder, self._log = folder, folder / "log"
        shutil.copy(PROGRAMS / "peer" / "main.tf", folder)
        (folder / "tofu.rc").write_text(_CONFIG.format(folder=programs.resolve()))
        self._env = {
            **env,
            "TF_CLI_CONFIG_FILE": str(folder / "tofu.rc"),
            "TF_LOG_PROVIDER": "DEBUG",
            "TF_LOG_PATH": str(self._log),
            "OS_DEBUG": "1",
            **{f"TF_VAR_{name}": str(value) for name, value in variables.items()},
        }

    def create(self) -> Run:
        """Create everything."""
        return self._measure("apply", "-auto-approve")

    def first_plan(self) -> Run:
        """Show what will be created."""
        return self._measure("plan")

    def plan(self) -> Run:
        """Show that nothing changes, from the state alone; fail if something does."""
        return self._measure("plan", "-refresh=false", "-detailed-exitcode")

    def refresh(self) -> Run:
        """Show the same after reading every object, as the peer does by default."""
        return self._measure("plan", "-detailed-exitcode")

    def change(self, variable: str, value: str) -> Run:
        """Change a variable."""
        self._env[f"TF_VAR_{variable}"] = value
        return self._measure("apply", "-auto-approve")

    def destroy(self) -> Run:
        """Delete everything."""
        return self._measure("destroy", "-auto-approve")

    def _measure(self, *command: str) -> Run:
        self._log.unlink(missing_ok=True)
        started = time.monotonic()
        done = subprocess.run(
            (str(self._tofu), *command, "-no-color", "-input=false", f"-parallelism={PARALLEL}"),
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode:
            raise SystemExit(f"tofu {' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
        requests = self._log.read_text().count(REQUEST) if self._log.exists() else 0
        return Run(Counter({("", ""): requests}), seconds)
