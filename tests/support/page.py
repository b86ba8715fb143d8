"""The page of the emulator in a browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.support.wait import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome

TIMEOUT = 30


class Page:
    """A page with live updates, loaded with reduced motion and with a color scheme (`light` or `dark`)."""

    def __init__(self, chrome: Chrome, url: str, scheme: str = "light") -> None:
        self.chrome = chrome
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        media = [{"name": name, "value": value} for name, value in features.items()]
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        self.requested_urls()
        self.complaints()
        chrome.get(url)
        self.shows("live", at="#live")

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition is true."""
        WebDriverWait(self.chrome, TIMEOUT, 0.05, [StaleElementReferenceException]).until(lambda _: condition())

    def shows(self, *words: str, at: str = "#regions") -> None:
        """Wait until the element contains all of these words."""
        self.until(lambda: all(word in self.text(at) for word in words))

    def text(self, selector: str = "body") -> str:
        """The visible text of the element; empty if it does not exist or is hidden."""
        script = "const e = document.querySelector(arguments[0]); return e?.checkVisibility() ? e.innerText : ''"
        return str(self.chrome.execute_script(script, selector))

    def focused(self) -> str:
        """The text of the element that has the keyboard focus."""
        return str(self.chrome.execute_script("return document.activeElement.innerText"))

    def requested_urls(self) -> set[str]:
        """The URLs that the browser requested since the last call."""
        logged = self.chrome.get_log("performance")  # type: ignore[no-untyped-call]
        events = [json.loads(entry["message"])["message"] for entry in logged]
        sent = (event["params"]["request"] for event in events if event["method"] == "Network.requestWillBeSent")
        return {request["url"] for request in sent if not request["url"].startswith("data:")}

    def complaints(self) -> list[Any]:
        """The messages of the browser console since the last call."""
        return list(self.chrome.get_log("browser"))  # type: ignore[no-untyped-call]
