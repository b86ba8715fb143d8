"""A clouds.yaml with entries for emulated clouds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from ecs_pulumi.emulator import Emulator


def entry(cloud: Emulator, **auth: str | None) -> dict[str, Any]:
    """Return the entry of an emulated cloud.

    Args:
        cloud: The emulated cloud.
        auth: Other options of the login; None omits one.
    """
    options = {name.removeprefix("OS_").lower(): value for name, value in cloud.environment.items()}
    region, version = options.pop("region_name"), options.pop("identity_api_version")
    merged = {name: value for name, value in {**options, **auth}.items() if value is not None}
    return {"auth": merged, "region_name": region, "identity_api_version": version}


def hide_variables(patch: pytest.MonkeyPatch) -> None:
    """Hide the variables that configure a cloud."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        patch.delenv(name)


def hide_clouds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the variables and files that configure a cloud."""
    hide_variables(monkeypatch)
    for name, value in write_clouds(folder, {}).items():
        monkeypatch.setenv(name, value)


def write_clouds(folder: Path, entries: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Write clouds.yaml, and return the variables with which every client reads it and no other file.

    Args:
        folder: The folder of the file.
        entries: The entries by name.
    """
    file, secure = folder / "clouds.yaml", folder / "secure.yaml"
    file.write_text(yaml.safe_dump({"clouds": dict(entries)}))
    secure.write_text("clouds: {}")
    return {"OS_CLIENT_CONFIG_FILE": str(file), "OS_CLIENT_SECURE_FILE": str(secure)}
