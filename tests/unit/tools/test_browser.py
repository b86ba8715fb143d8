"""Where there is no browser, whoever wants one is told what to install."""

from __future__ import annotations

import pytest

from tools import browser


@pytest.mark.parametrize("there", [(), ("chromium",), ("chromedriver",)])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...]) -> None:
    """The browser, or the program that drives it, and the packages that bring them."""
    monkeypatch.setattr("shutil.which", lambda name: name if name in there else None)
    with (
        pytest.raises(browser.NoBrowserError, match=r"no .*: apt-get install chromium chromium-driver"),
        browser.browser(),
    ):
        pass


def test_a_browser_that_cannot_be_started_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without what a browser needs is as good as one without a browser."""
    monkeypatch.setattr("shutil.which", lambda name: f"/nowhere/{name}")
    with pytest.raises(browser.NoBrowserError, match=r"^/nowhere/chromium cannot be started here: "), browser.browser():
        pass
