"""The error for a missing browser names the packages to install."""

from __future__ import annotations

import pytest

from tools import browser


@pytest.mark.parametrize("installed", [(), ("chromium",), ("chromedriver",)])
def test_missing_browser_names_packages(monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...]) -> None:
    """The error is the same whether the browser or its driver is missing."""
    monkeypatch.setattr("shutil.which", lambda name: name if name in installed else None)
    with (
        pytest.raises(browser.NoBrowserError, match=r"no .*: apt-get install chromium chromium-driver"),
        browser.browser(),
    ):
        pass


def test_browser_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error gives the program and the reason."""
    monkeypatch.setattr("shutil.which", lambda name: f"/nowhere/{name}")
    with pytest.raises(browser.NoBrowserError, match=r"^/nowhere/chromium cannot be started here: "), browser.browser():
        pass
