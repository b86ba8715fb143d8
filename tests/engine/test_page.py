"""The page of the emulator during an `up`, in a real browser; skipped if no Chromium is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.support.page import Page
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

    from tests.conftest import MakeProject


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A slow cloud, so that the page shows intermediate statuses."""
    with Emulator(speed=2) as running:
        yield running


def test_page_shows_progress_of_up(chrome: Chrome, cloud: Emulator, project: MakeProject) -> None:
    """The objects of the quickstart appear one after the other, the server with its statuses, and each request."""
    quickstart = project(CHECKOUT / "examples" / "quickstart", name="quickstart")
    page = Page(chrome, cloud.url)
    page.shows("pulumi config set ecs:authUrl", at="#empty")
    with quickstart.command("up", "--skip-preview") as up:
        page.shows("network", "192.168.10.0/24", "a port without a server", "Key pairs", "data", "20 GB")
        page.shows("web", "BUILD: ")
        page.shows("POST", "compute", "/servers", "202", at="aside")
        page.shows("ACTIVE", "/dev/sdb", "20 GB SSD", "in-use", "192.168.10.")
        text, _ = up.communicate(timeout=60)
    assert up.returncode == 0, text
    assert "a port without a server" not in page.text()
