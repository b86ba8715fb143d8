"""How the tool finds or builds the Pulumi engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.engine import engine as tool

if TYPE_CHECKING:
    from pathlib import Path


def programs(folder: Path, version: str) -> Path:
    """Create fake programs of an engine of some version.

    Args:
        folder: The folder.
        version: What `pulumi version` prints.
    """
    folder.mkdir(parents=True)
    for name in tool.PROGRAMS:
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an empty cache, no program on PATH and no internet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(tool, "downloaded", lambda root: None)


def test_engine_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An official Pulumi CLI on PATH takes precedence."""
    own = programs(tmp_path / "own", "v3.200.0")
    monkeypatch.setenv("PATH", str(own))
    assert tool.engine() == own


def test_outdated_engine_on_path_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tool reports the outdated version, and uses the engine in the cache."""
    monkeypatch.setenv("PATH", str(programs(tmp_path / "own", "v3.99.1")))
    cached = programs(tmp_path / "cache" / "ecs-pulumi" / "engine-3.259.0" / "bin", "v3.259.0")
    assert tool.engine() == cached
    assert "is 3.99.1, older than 3.200.0" in capsys.readouterr().err


def test_newest_engine_in_cache_is_used(tmp_path: Path) -> None:
    """Versions are compared as numbers."""
    for version in ("3.99.0", "3.259.0", "3.260.1", "3.26.0"):
        programs(tmp_path / "cache" / "ecs-pulumi" / f"engine-{version}" / "bin", version)
    assert tool.engine().parent.name == "engine-3.260.1"


def test_error_without_engine_and_go_names_what_to_install() -> None:
    """The error suggests to install the Pulumi CLI or Go."""
    with pytest.raises(tool.NoEngineError, match=r"there is no Go .*\n.*Install the Pulumi CLI \(or Go"):
        tool.engine()


def test_incomplete_engine_is_not_cached(tmp_path: Path) -> None:
    """Only an engine with all its programs gets into the cache."""
    incomplete = programs(tmp_path / "incomplete" / "bin", "v3.259.0").parent
    (incomplete / "bin" / "pulumi-language-python").unlink()
    with pytest.raises(tool.NoEngineError, match="pulumi-language-python is missing"):
        tool.publish(incomplete, "3.259.0")
    assert tool.cached() is None


def test_built_engine_is_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is built once, and the cache contains nothing else."""

    def built(root: Path) -> Path:
        return tool.publish(programs(root / "bin", "v3.259.0").parent, "3.259.0")

    monkeypatch.setattr(tool, "built", built)
    engine = tool.engine()
    monkeypatch.setattr(tool, "built", None)
    assert tool.engine() == engine
    assert sorted(path.name for path in tool.cache().iterdir()) == ["engine-3.259.0", "lock"]


def test_pinned_modules_have_the_same_version() -> None:
    """The language scripts of the SDK module and the program of the CLI module must have the same version."""
    version = tool.pinned_version()
    assert f"{tool.SDK} v{version}" in (tool.HERE / "cli" / "go.mod").read_text()
