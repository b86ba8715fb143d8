"""Lazy imports: no process loads a module before it needs it, because loading delays every command."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

CLOUDS = """
clouds:
  shop:
    auth: {auth_url: "https://shop.test/v3", username: u, password: p, project_name: p, user_domain_name: Default}
"""
PROVIDER = {"pydantic", "ecs_pulumi.resources", "ecs_pulumi.dynamic", "ecs_pulumi.cloud"}
EMULATOR = {"fastapi", "uvicorn", "ecs_pulumi.emulator"}
CLIENT = {"requests", "keystoneauth1", "openstack", "ecs_pulumi.cloud.connection"}
REPORT = f"""
import contextlib, io
from ecs_pulumi.preview_report import main
with contextlib.redirect_stdout(io.StringIO()):
    main([{str(Path(__file__).parent / "recorded" / "preview.json")!r}])
assert "ecs_pulumi.resources.server.report_rules" in sys.modules
"""


def loaded(script: str, *modules: str) -> set[str]:
    """Return which of these modules a new interpreter has loaded after a script."""
    known = f"print(*({set(modules)} & {{*sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{textwrap.dedent(script)}\n{known}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("script", "modules"),
    [
        ("import ecs_pulumi", {"pulumi", "pydantic", *CLIENT, *EMULATOR}),
        ("import ecs_pulumi; ecs_pulumi.Server", {*PROVIDER, *CLIENT, *EMULATOR}),
        ("import ecs_pulumi; ecs_pulumi.get_flavor", {*CLIENT, *EMULATOR}),
        ("import ecs_pulumi.dynamic.provider", {"ecs_pulumi.cloud", "ecs_pulumi.resources", *CLIENT, *EMULATOR}),
        (
            "from ecs_pulumi.dynamic.handler import get_handler; get_handler('Server')",
            {"ecs_pulumi.lookups", *CLIENT, *EMULATOR},
        ),
        ("import ecs_pulumi.cloud.connection", {"openstack", "pulumi", *EMULATOR}),
        (REPORT, {"pulumi", "pydantic", "ecs_pulumi.dynamic", "ecs_pulumi.cloud", *CLIENT, *EMULATOR}),
    ],
    ids=["package", "program", "lookup", "provider", "handler", "client", "report"],
)
def test_modules_are_loaded_lazily(script: str, modules: set[str]) -> None:
    """A program loads no provider, the provider loads the client at the first request, and none loads the emulator.

    The report loads nothing but the judgements of the kinds that it lists.
    """
    assert loaded(script, *modules) == set()


def test_clouds_yaml_is_read_without_complete_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading clouds.yaml imports only openstack.config; the complete SDK can still be imported."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    script = """
        from ecs_pulumi.cloud.connection import Connection, Settings
        assert Connection(Settings(cloud="shop"))
    """
    assert loaded(script, "openstack.connection", "openstack.compute") == set()
    both = "import openstack.config; assert openstack.connect and openstack.config.OpenStackConfig"
    loaded(f"{script}\n        {both}")
