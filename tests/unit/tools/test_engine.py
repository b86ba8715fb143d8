"""Where the engine comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.engine import engine as tool

if TYPE_CHECKING:
    from pathlib import Path


def programs(folder: Path, version: str) -> Path:
    """Put programs into a folder that say they are an engine of some version.

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


def test_the_users_own_engine_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the official command line gets nothing else."""
    own = programs(tmp_path / "own", "v3.200.0")
    monkeypatch.setenv("PATH", str(own))
    assert tool.engine() == own


def test_an_older_engine_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is too old is named, and the one in the cache is used."""
    monkeypatch.setenv("PATH", str(programs(tmp_path / "own", "v3.99.1")))
    kept = programs(tmp_path / "cache" / "ecs-pulumi" / "engine-3.259.0" / "bin", "v3.259.0")
    assert tool.engine() == kept
    assert "is 3.99.1, older than 3.200.0" in capsys.readouterr().err


def test_the_newest_in_the_cache_wins(tmp_path: Path) -> None:
    """Versions are compared as numbers."""
    for version in ("3.99.0", "3.259.0", "3.260.1", "3.26.0"):
        programs(tmp_path / "cache" / "ecs-pulumi" / f"engine-{version}" / "bin", version)
    assert tool.engine().parent.name == "engine-3.260.1"


def test_without_any_way_it_says_what_to_install() -> None:
    """The message names both remedies: the command line, or Go."""
    with pytest.raises(tool.NoEngineError, match=r"there is no Go .*\n.*Install the Pulumi CLI \(or Go"):
        tool.engine()


def test_a_half_made_engine_never_reaches_the_cache(tmp_path: Path) -> None:
    """Only what has all its programs is given its name there."""
    half = programs(tmp_path / "half" / "bin", "v3.259.0").parent
    (half / "bin" / "pulumi-language-python").unlink()
    with pytest.raises(tool.NoEngineError, match="pulumi-language-python is missing"):
        tool.publish(half, "3.259.0")
    assert tool.cached() is None


def test_what_was_made_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once, and nothing else stays in the cache."""

    def built(root: Path) -> Path:
        return tool.publish(programs(root / "bin", "v3.259.0").parent, "3.259.0")

    monkeypatch.setattr(tool, "built", built)
    made = tool.engine()
    monkeypatch.setattr(tool, "built", None)
    assert tool.engine() == made
    assert sorted(path.name for path in tool.cache().iterdir()) == ["engine-3.259.0", "lock"]


def test_the_pinned_modules_are_of_one_version() -> None:
    """The scripts come from the SDK's module, the program from the command line's: they must fit each other."""
    desired = tool.pinned_version()
    assert f"{tool.SDK} v{desired}" in (tool.HERE / "cli" / "go.mod").read_text()
