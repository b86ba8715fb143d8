"""The emulator's page in a browser, read as a person reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.support.wait import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome

PATIENCE = 30


class Page:
    """The page at an address, loaded and live; without motion, and in the other scheme (`dark`) where asked."""

    def __init__(self, chrome: Chrome, url: str, scheme: str = "light") -> None:
        self.chrome = chrome
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        media = [{"name": name, "value": value} for name, value in features.items()]
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        self.asked()
        self.complaints()
        chrome.get(url)
        self.shows("live", at="#live")

    def until(self, seen: Callable[[], Any]) -> None:
        """Look until it is seen."""
        WebDriverWait(self.chrome, PATIENCE, 0.05, [StaleElementReferenceException]).until(lambda _: seen())

    def shows(self, *words: str, at: str = "#regions") -> None:
        """Look until all these words are there."""
        self.until(lambda: all(word in self.text(at) for word in words))

    def text(self, selector: str = "body") -> str:
        """What is to be read there; nothing where nothing is."""
        script = "const it = document.querySelector(arguments[0]); return it?.checkVisibility() ? it.innerText : ''"
        return str(self.chrome.execute_script(script, selector))

    def focused(self) -> str:
        """What the keyboard is at."""
        return str(self.chrome.execute_script("return document.activeElement.innerText"))

    def asked(self) -> set[str]:
        """Every address that was asked for since the last time."""
        logged = self.chrome.get_log("performance")  # type: ignore[no-untyped-call]
        events = [json.loads(entry["message"])["message"] for entry in logged]
        sent = (event["params"]["request"] for event in events if event["method"] == "Network.requestWillBeSent")
        return {request["url"] for request in sent if not request["url"].startswith("data:")}

    def complaints(self) -> list[Any]:
        """What the console was told since the last time."""
        return list(self.chrome.get_log("browser"))  # type: ignore[no-untyped-call]
