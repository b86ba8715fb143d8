"""What a person sees on the emulator's page, in a real browser; skipped where no Chromium is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account
from tests.support.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome


@pytest.fixture
def account() -> Iterator[Account]:
    """An account of an emulator of the test's own."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        yield Account(cloud, clock)


def test_an_empty_cloud_says_how_to_begin(chrome: Chrome, account: Account) -> None:
    """Every setting of a stack stands there as a command, until there is something to see."""
    page = Page(chrome, account.cloud.url)
    for name, value in account.cloud.settings.items():
        page.shows(f"pulumi config set ecs:{name} {value}", at="#empty")
    account.cinder("POST", "/volumes", {"volume": {"size": 3, "name": "data"}})
    page.shows("data", "3 GB", "creating")
    assert page.text("#empty") == ""


def test_the_life_of_a_server_can_be_watched(chrome: Chrome, account: Account) -> None:
    """Each state appears in words while it lasts, with its task, and without the page being loaded again."""
    page = Page(chrome, account.cloud.url)
    network = account.network("backend", "10.1.0.0/24")
    page.shows("backend")
    server = account.server("web", networks=[{"uuid": network}])
    page.shows("web", "BUILD: scheduling", "1 server")
    account.until(server, "ACTIVE")
    page.shows("ACTIVE", "10.1.0.", "/dev/sda", "4 GB", "in-use", "s3.large.2")
    page.shows("POST", "compute", "/servers", "202", at="aside")
    account.act(server, "os-stop", None)
    account.until(server, "SHUTOFF")
    account.act(server, "resize", {"flavorRef": account.flavor("s3.xlarge.2")})
    page.shows("RESIZE", "s3.large.2 → s3.xlarge.2")
    account.until(server, "VERIFY_RESIZE")
    page.shows("VERIFY_RESIZE", "s3.xlarge.2")
    account.nova("DELETE", f"/servers/{server}")
    account.clock.advance(10)
    page.until(lambda: "VERIFY_RESIZE" not in page.text())
    assert "web is gone" in str(chrome.execute_script("return document.getElementById('news').textContent"))


def test_the_ports_are_drawn_on_the_lines_of_their_networks(chrome: Chrome, account: Account) -> None:
    """A server in two networks has a dot and an address on each line; a port without a server is drawn as well."""
    page = Page(chrome, account.cloud.url)
    networks = [account.network(name, cidr) for name, cidr in (("back", "10.1.0.0/24"), ("front", "10.2.0.0/24"))]
    account.active("web", networks=[{"uuid": network} for network in networks])
    account.neutron("POST", "/ports", {"port": {"network_id": networks[1], "name": "vip"}})
    page.shows("vip", "a port without a server")
    assert chrome.execute_script(ROWS) == [["web", ["10.1", "10.2"]], ["vip", ["", "10.2"]]]
    assert chrome.execute_script(HEADS) == ["back", "front", "Server", "Disks"]


def test_names_are_text(chrome: Chrome, account: Account) -> None:
    """What a client called something is shown as it is, and never run."""
    page = Page(chrome, account.cloud.url)
    name = "<img src=x onerror=document.title='taken'><b>&amp;"
    account.server(name, networks=[{"uuid": account.network(name)}])
    page.shows(name)
    assert chrome.title == "ECS emulator"


def test_one_finds_a_server_among_two_hundred(chrome: Chrome, account: Account) -> None:
    """By name, by address and by state; a pause holds the picture, also against what happens meanwhile."""
    page = Page(chrome, account.cloud.url)
    network = account.network("backend", "10.1.0.0/22")
    account.server("web", networks=[{"uuid": network}], min_count=200)
    failed = account.server("no-host", networks=[{"uuid": network}])
    account.until(failed, "ERROR")
    page.shows("201 servers", "web-200")
    rows = "return document.querySelectorAll('tbody th[scope=row]').length"
    chrome.find_element("id", "filter").send_keys("WEB-177")
    assert chrome.execute_script(rows) == 1
    page.shows("web-177", "200 more servers are not shown.")
    chrome.find_element("id", "filter").send_keys(Keys.CONTROL, "a", Keys.DELETE)
    chrome.find_element("css selector", "[data-status=ERROR]").send_keys(Keys.ENTER)
    assert chrome.execute_script(rows) == 1
    page.shows("no-host", "No valid host was found.")
    assert page.focused() == "1 ERROR"
    chrome.find_element("css selector", "[data-status=ERROR]").send_keys(Keys.ENTER)
    assert chrome.execute_script(rows) == 201
    chrome.find_element("id", "pause").send_keys(Keys.SPACE)
    assert page.text("#live") == "paused"
    account.nova("DELETE", f"/servers/{failed}")
    account.clock.advance(10)
    chrome.find_element("id", "pause").send_keys(Keys.SPACE)
    page.until(lambda: "no-host" not in page.text())


HOLD = """
const fetch_ = window.fetch, held = new Promise(release => window.release = release);
window.fetch = async address => {
  window.isAsked = true;
  await held;
  const picture = await (await fetch_(address)).json();
  // The timer fires when the page has done what it does with the picture.
  return {json: async () => { setTimeout(() => window.isOver = true); return picture; }};
};
"""


def test_a_pause_holds_against_a_picture_that_is_under_way(chrome: Chrome, account: Account) -> None:
    """What was asked for before the pause and comes after it changes nothing."""
    page = Page(chrome, account.cloud.url)
    chrome.execute_script(HOLD)
    page.until(lambda: bool(chrome.execute_script("return window.isAsked")))
    chrome.find_element("id", "pause").click()
    account.network("backend")
    chrome.execute_script("window.release()")
    page.until(lambda: bool(chrome.execute_script("return window.isOver")))
    assert page.text("#live") == "paused"
    assert "backend" not in page.text()


def test_it_says_when_the_emulator_is_gone(chrome: Chrome) -> None:
    """The last picture stays, and the page says that nobody answers."""
    with Emulator(clock=ManualClock()) as cloud:
        account = Account(cloud, ManualClock())
        page = Page(chrome, account.cloud.url)
    page.shows("no answer", at="#live")


def test_it_asks_nobody_else_and_complains_of_nothing(chrome: Chrome, account: Account) -> None:
    """Every request goes to the emulator's own page, none is logged as a client's, and the console stays empty."""
    page = Page(chrome, account.cloud.url)
    account.server(networks=[{"uuid": account.network()}])
    page.shows("BUILD")
    here = account.cloud.url
    assert page.asked() <= {f"{here}/", f"{here}/_emulator/picture", f"{here}/_emulator/settings"}
    assert page.complaints() == []
    assert not [request for request in account.cloud.requests if request.path in ("/", "/favicon.ico")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(chrome: Chrome, account: Account, scheme: str) -> None:
    """In both schemes every text stands out from what is behind it, by the factor 4.5 that WCAG asks for."""
    page = Page(chrome, account.cloud.url, scheme)
    network = account.network()
    account.active("web", networks=[{"uuid": network}])
    account.until(account.server("no-host", networks=[{"uuid": network}]), "ERROR")
    resized = account.active("resized", networks=[{"uuid": network}])
    account.act(resized, "os-stop", None)
    account.until(resized, "SHUTOFF")
    account.server("young", networks=[{"uuid": network}])
    account.cinder("POST", "/volumes", {"volume": {"size": 3, "name": "data"}})
    account.nova("GET", "/servers/none")
    page.shows("ACTIVE", "ERROR", "SHUTOFF", "BUILD", "creating")
    assert chrome.execute_script(TOO_FAINT) == []


# By row: the name, and for every network what address of it is on its line.
ROWS = """
return [...document.querySelectorAll("tbody th[scope=row]")].map(head => [head.querySelector("strong").innerText,
  [...head.parentElement.querySelectorAll(".lane")].map(lane => lane.innerText.match(/10\\.\\d/)?.[0] ?? "")]);
"""
HEADS = """
const heads = [...document.querySelectorAll(".picture thead th[scope=col]")];
return heads.map(head => head.innerText.split("\\n")[0].trim());
"""
# The texts whose contrast is too low: the relative luminances of WCAG 2, over the first background that is not clear.
TOO_FAINT = """
const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const numbers = text => text.match(/[\\d.]+/g).map(Number);
const behind = it => { const c = numbers(getComputedStyle(it).backgroundColor);
  return c.length === 4 && c[3] === 0 ? behind(it.parentElement) : c; };
const faint = [];
for (const it of document.querySelectorAll("body *")) {
  const own = [...it.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!own || !it.checkVisibility() || it.closest(".unseen, script, style, noscript")) continue;
  const [low, high] = [light(numbers(getComputedStyle(it).color)), light(behind(it))].sort((a, b) => a - b);
  if ((high + 0.05) / (low + 0.05) < 4.5) faint.push([it.innerText, (high + 0.05) / (low + 0.05)]);
}
return faint;
"""
