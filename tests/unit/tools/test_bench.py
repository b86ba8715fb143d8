"""The benchmark: it replaces the tables of the performance page, draws the chart, and runs the peer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tools.bench import peer
from tools.bench.page import rewrite
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = CHECKOUT / "docs" / "performance.md"

TOFU = """#!/usr/bin/env python3
import json, os, sys
with open("calls", "a") as calls:
    print(json.dumps([sys.argv[1:], os.environ["TF_VAR_flavor"]]), file=calls)
with open(os.environ["TF_LOG_PATH"], "w") as log:
    log.write("OpenStack Request URL: GET http://one\\nsomething else\\nOpenStack Request URL: POST http://two\\n")
sys.exit(os.environ["TF_VAR_flavor"] == "missing" and "there is no flavor missing")
"""
"""Stands in for OpenTofu: it records its arguments and logs two requests."""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the programs of the peer."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("tofu", peer.PROVIDER):
        (folder / name).write_text(TOFU)
        (folder / name).chmod(0o755)
    return folder


def peer_in(programs: Path, tmp_path: Path) -> peer.Peer:
    """Return a peer with the smallest flavor."""
    work = tmp_path / "work"
    work.mkdir()
    return peer.Peer(programs, work, {"PATH": "/usr/bin:/bin"}, {"units": 1, "flavor": "small", "image": "i"})


def test_measurement_replaces_the_previous_one(tmp_path: Path) -> None:
    """The rest of the page is unchanged, and the same measurement twice gives the same page."""
    page = tmp_path / "page.md"
    begin, end = "above\n\n<!-- measured: a -->\n", "<!-- end -->\n\n<!-- measured: b -->\nkept\n<!-- end -->\n"
    page.write_text(f"{begin}old\n{end}")
    for _ in range(2):
        rewrite(page, "a", "| new \\1 |\n")
        assert page.read_text() == f"{begin}\n| new \\1 |\n\n{end}"


def test_page_has_two_tables_and_a_chart() -> None:
    """The page shows two of the measurements, and the chart of the second one exists."""
    shown = re.findall(r"<!-- measured: (.*?) -->\n(.*?)<!-- end -->", PAGE.read_text(), re.DOTALL)
    assert [name for name, _ in shown] == ["units 10, cloud", "growth, emulator"]
    (chart,) = re.findall(r"!\[.*?\]\((.*?)\)", shown[1][1])
    assert (PAGE.parent / chart).exists()


def test_chart_has_a_point_for_each_measurement(tmp_path: Path) -> None:
    """Each line has its points, and the file loads nothing from elsewhere."""
    file = tmp_path / "chart.svg"
    points = {"up": [(1, 2.0), (10, 3.0)], "up: engine alone": [(1, 1.0), (10, 2.0)]}
    script = f"from pathlib import Path; from tools.bench.chart import draw; draw(Path({str(file)!r}), {points})"
    # The library changes how this process imports modules.
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True)
    drawing = ET.fromstring(file.read_text())  # noqa: S314  (written by this test)
    assert sum(each.get("class") == "dots" for each in drawing.iter()) == 4
    assert not [each for each in drawing.iter() if each.tag.endswith("script") and each.get("href")]


def test_peer_counts_requests_and_changes_a_variable(programs: Path, tmp_path: Path) -> None:
    """The requests are those of the log; a changed variable reaches the next operation."""
    it = peer_in(programs, tmp_path)
    assert it.create().total == 2
    it.change("flavor", "large")
    calls = [json.loads(line) for line in (tmp_path / "work" / "calls").read_text().splitlines()]
    assert [(arguments[:2], flavor) for arguments, flavor in calls] == [
        (["apply", "-auto-approve"], "small"),
        (["apply", "-auto-approve"], "large"),
    ]


def test_failed_peer_ends_the_benchmark(programs: Path, tmp_path: Path) -> None:
    """The error contains the command and its output."""
    with pytest.raises(SystemExit, match=r"tofu apply -auto-approve failed:\nthere is no flavor missing"):
        peer_in(programs, tmp_path).change("flavor", "missing")


def test_folder_without_the_peer_is_an_error(tmp_path: Path) -> None:
    """The error names the missing program."""
    with pytest.raises(SystemExit, match="there is no tofu"):
        peer_in(tmp_path / "nothing", tmp_path)
