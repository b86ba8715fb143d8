"""Every test here finds only the clouds.yaml of its own."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _no_clouds_yaml_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """openstack.config looks in the folder in which it was imported, which was that of an earlier test."""
    if loader := sys.modules.get("openstack.config.loader"):
        for kind in ("CONFIG", "SECURE"):
            monkeypatch.setattr(loader, f"{kind}_FILES", [])
