"""The system's Chromium without a window, for pictures and tests of the emulator's page."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"


class NoBrowserError(Exception):
    """Chromium is missing or cannot be started. The message says what to install."""


@contextlib.contextmanager
def browser(width: int = 1400, height: int = 900) -> Iterator[Chrome]:
    """Start a browser.

    Args:
        width: Width of the page in pixels.
        height: Height of the page in pixels.

    Raises:
        NoBrowserError: The browser is not installed or cannot be started.
    """
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which(DRIVER)
    if not program or not driver:
        raise NoBrowserError(f"no {'Chromium' if not program else DRIVER}: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = program
    options.add_argument("--headless=new")
    options.add_argument("--hide-scrollbars")
    options.add_argument("--disable-gpu")
    options.add_argument("--disable-dev-shm-usage")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # the sandbox does not work for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        chrome = Chrome(options=options, service=Service(driver))
    except WebDriverException as error:
        raise NoBrowserError(f"{program} cannot be started here: {error.msg}") from error
    try:
        # The size of the page, not of a window around it.
        viewport = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", viewport)
        yield chrome
    finally:
        chrome.quit()
