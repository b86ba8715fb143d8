"""`make screenshots`: take the pictures of docs/images. Requires tmux and Chromium.

Three pictures show `make demo` in a terminal: its beginning, a failed preview, and a resize. One
shows the page of the emulator during an `up`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tools.browser import NoBrowserError, browser
from tools.playground import playground
from tools.screenshots.terminal import paint, part, terminal
from tools.workspace import CHECKOUT, end_in_order, engine

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome

    from tools.playground import Playground

IMAGES = CHECKOUT / "docs" / "images"
LANDSCAPE = CHECKOUT / "tools" / "screenshots" / "landscape"
WIDTH, HEIGHT = 1360, 890
# Slow enough that concurrent operations are visible together.
SLOW = 0.5
TIMEOUT = 120
POLL_INTERVAL = 0.05
MISSPELLED = "$ pulumi config set flavor s3.larg.2"
UP = ("up", "--yes", "--skip-preview", "--non-interactive")


def capture_demo() -> None:
    """Take the pictures of `make demo`."""
    with terminal() as opened:
        opened.run(f"{sys.executable} -m tools.demo", CHECKOUT, os.environ)
        failed = opened.until(r"did you mean [\s\S]*errored[\s\S]*Correct the name")
        paint(part(failed, MISSPELLED, "Correct the name"), "pulumi preview", IMAGES / "preview.svg")
        resizing = opened.until(r"flavor\]; VERIFY_RESIZE, confirming")
        paint(part(resizing, "$ pulumi up"), "pulumi up", IMAGES / "resize.svg")
        whole = opened.until(r"Done in \d+ s")
        paint(part(whole, "A cloud of your own", "Ask for a larger"), "make demo", IMAGES / "demo.svg")


def capture_page() -> None:
    """Take the picture of the emulator's page while an `up` creates servers and resizes one."""
    with playground(SLOW) as place:
        # Pulumi writes a new stack's settings beside Pulumi.yaml; this copy keeps them out of the checkout.
        folder = shutil.copytree(LANDSCAPE, place.folder / LANDSCAPE.name)
        pulumi(place, "stack", "init", "local")
        pulumi(place, "config", "set-all", "--plaintext", "shop:web=2", "--plaintext", "shop:database=s3.large.2")
        pulumi(place, *UP)
        pulumi(place, "config", "set-all", "--plaintext", "shop:web=4", "--plaintext", "shop:database=s3.xlarge.2")
        command = ("pulumi", "-C", str(folder), *UP)
        with browser(WIDTH, HEIGHT) as chrome:
            chrome.get(place.url)
            with subprocess.Popen(command, env=place.env, stdout=subprocess.DEVNULL) as up:
                wait_for(chrome, "BUILD: ", "RESIZE: ")
                chrome.save_screenshot(str(IMAGES / "page.png"))
            if up.returncode:
                raise SystemExit("the `pulumi up` for the picture failed")


def pulumi(place: Playground, *arguments: str) -> None:
    """Run `pulumi` on the example landscape."""
    folder = place.folder / LANDSCAPE.name
    subprocess.run(("pulumi", "-C", str(folder), *arguments), env=place.env, check=True, stdout=subprocess.DEVNULL)


def wait_for(chrome: Chrome, *words: str) -> None:
    """Wait until the page contains all these words."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        text = chrome.execute_script("return document.body.innerText")
        if all(word in text for word in words):
            return
        time.sleep(POLL_INTERVAL)
    raise SystemExit(f"timeout: the page never contained {words}")


def main() -> int:
    """Take all pictures."""
    end_in_order()
    if not shutil.which("tmux"):
        print("tmux is not installed: apt-get install tmux", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    engine()  # build it before the pictures are taken
    capture_demo()
    try:
        capture_page()
    except NoBrowserError as missing:
        print(missing, file=sys.stderr)
        return 1
    for file in sorted(IMAGES.iterdir()):
        print(f"{file.relative_to(CHECKOUT)}  {size(file)} KB")
    return 0


def size(file: Path) -> int:
    """Return the size of a file in kilobytes."""
    return round(file.stat().st_size / 1000)


if __name__ == "__main__":
    sys.exit(main())
