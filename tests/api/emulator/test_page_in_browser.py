"""The page of the emulator in a real browser; skipped if no Chromium is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account, signed_in
from tests.support.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome


@pytest.fixture
def account() -> Iterator[Account]:
    """An account of a separate emulator for each test."""
    with signed_in() as created:
        yield created


def test_empty_cloud_shows_stack_settings(chrome: Chrome, account: Account) -> None:
    """An empty cloud shows the command for every stack setting, until the first object exists."""
    page = Page(chrome, account.cloud.url)
    for name, value in account.cloud.settings.items():
        page.shows(f"pulumi config set ecs:{name} {value}", at="#empty")
    account.cinder("POST", "/volumes", account.empty_volume(name="data"))
    page.shows("data", "10 GB", "creating")
    assert page.text("#empty") == ""


def test_page_follows_server_lifecycle(chrome: Chrome, account: Account) -> None:
    """The page shows every status of a server with its task, without being reloaded."""
    page = Page(chrome, account.cloud.url)
    network = account.network("backend", "10.1.0.0/24")
    page.shows("backend")
    server = account.server("web", networks=[{"uuid": network}])
    page.shows("web", "BUILD: scheduling", "1 server")
    account.wait_for(server, "ACTIVE")
    page.shows("ACTIVE", "10.1.0.", "/dev/vda", "4 GB", "in-use", "s3.large.2")
    page.shows("POST", "compute", "/servers", "202", at="aside")
    account.act(server, "os-stop", None)
    account.wait_for(server, "SHUTOFF")
    account.act(server, "resize", {"flavorRef": account.flavor("s3.xlarge.2")})
    page.shows("RESIZE", "s3.large.2 → s3.xlarge.2")
    account.wait_for(server, "VERIFY_RESIZE")
    page.shows("VERIFY_RESIZE", "s3.xlarge.2")
    account.nova("DELETE", f"/servers/{server}")
    account.clock.advance(10)
    page.until(lambda: "VERIFY_RESIZE" not in page.text())
    assert "web is gone" in str(chrome.execute_script("return document.getElementById('news').textContent"))


def test_ports_are_drawn_on_their_networks(chrome: Chrome, account: Account) -> None:
    """A server in two networks has an address on each network line; a port without a server is drawn as well."""
    page = Page(chrome, account.cloud.url)
    networks = [account.network(name, cidr) for name, cidr in (("back", "10.1.0.0/24"), ("front", "10.2.0.0/24"))]
    account.active("web", networks=[{"uuid": network} for network in networks])
    account.neutron("POST", "/ports", {"port": {"network_id": networks[1], "name": "vip"}})
    page.shows("vip", "a port without a server")
    assert chrome.execute_script(ROWS) == [["web", ["10.1", "10.2"]], ["vip", ["", "10.2"]]]
    assert chrome.execute_script(HEADS) == ["back", "front", "Server", "Disks"]


def test_routers_and_floating_ips_are_drawn(chrome: Chrome, account: Account) -> None:
    """A router is drawn between its networks, the external one first; a floating IP is beside its server."""
    page = Page(chrome, account.cloud.url)
    network = account.network("back", "10.1.0.0/24")
    account.router(network, "edge")
    server = account.active("web", networks=[{"uuid": network}])
    used, unused = (account.floating_ip(of)["floating_ip_address"] for of in (server, None))
    page.shows("edge", "a router", used, "Floating IPs without a port", unused)
    assert chrome.execute_script(HEADS) == ["admin_external_net", "back", "Server", "Disks"]
    rows = {name: dots for name, *dots in chrome.execute_script(DOTS)}
    assert rows == {"edge": [True, True, ""], "web": [False, True, used]}
    chrome.find_element("id", "filter").send_keys(used)
    page.until(lambda: [name for name, *_ in chrome.execute_script(DOTS)] == ["web"])


@pytest.mark.parametrize(("networks", "layout"), [(1, ""), (3, "stacked"), (5, "dense"), (8, "dense")])
def test_disks_are_in_view_with_many_networks(chrome: Chrome, account: Account, networks: int, layout: str) -> None:
    """However many networks there are, the disks of a server can be seen without scrolling to the side."""
    made = [account.network(f"network-{number}", f"10.{number}.0.0/24") for number in range(networks)]
    account.router(made[0])
    account.active("web", networks=[{"uuid": network} for network in made])
    page = Page(chrome, account.cloud.url)
    page.shows("web", "/dev/vda")
    assert set(chrome.execute_script("return document.querySelector('table.topology').classList.value").split()) == {
        "topology",
        *layout.split(),
    }
    assert chrome.execute_script(RIGHT_OF_VIEW) == []


def test_names_are_escaped(chrome: Chrome) -> None:
    """Names are displayed as text and never interpreted as HTML."""
    clock = ManualClock()
    with Emulator(clock=clock, dialect="openstack") as cloud:
        account = Account(cloud, clock)
        page = Page(chrome, cloud.url)
        name = "<img src=x onerror=document.title='taken'><b>&amp;"
        account.server(name, networks=[{"uuid": account.network(name)}])
        page.shows(name)
        assert chrome.title == "ECS emulator"


def test_filter_and_pause_with_many_servers(chrome: Chrome, account: Account) -> None:
    """Servers are filtered by name and by status; a paused page does not change."""
    page = Page(chrome, account.cloud.url)
    network = account.network("backend", "10.1.0.0/22")
    account.server("web", networks=[{"uuid": network}], min_count=200)
    failed = account.server("no-host", networks=[{"uuid": network}])
    account.wait_for(failed, "ERROR")
    page.shows("201 servers", "web-0199")
    rows = "return document.querySelectorAll('tbody th[scope=row]').length"
    chrome.find_element("id", "filter").send_keys("WEB-0177")
    assert chrome.execute_script(rows) == 1
    page.shows("web-0177", "200 more servers are not shown.")
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
  window.isRequested = true;
  await held;
  const topology = await (await fetch_(address)).json();
  // The timer fires when the page has done what it does with the topology.
  return {json: async () => { setTimeout(() => window.isOver = true); return topology; }};
};
"""


def test_pause_ignores_a_pending_response(chrome: Chrome, account: Account) -> None:
    """A topology that was requested before the pause and arrives after it is not shown."""
    page = Page(chrome, account.cloud.url)
    chrome.execute_script(HOLD)
    page.until(lambda: bool(chrome.execute_script("return window.isRequested")))
    chrome.find_element("id", "pause").click()
    account.network("backend")
    chrome.execute_script("window.release()")
    page.until(lambda: bool(chrome.execute_script("return window.isOver")))
    assert page.text("#live") == "paused"
    assert "backend" not in page.text()


def test_page_shows_lost_connection(chrome: Chrome) -> None:
    """If the emulator stops, the page keeps the last topology and shows that it gets no answer."""
    with Emulator(clock=ManualClock()) as cloud:
        account = Account(cloud, ManualClock())
        page = Page(chrome, account.cloud.url)
    page.shows("no answer", at="#live")


def test_page_sends_only_its_own_requests(chrome: Chrome, account: Account) -> None:
    """The browser requests only the page and its data, these requests are not logged, and the console is empty."""
    page = Page(chrome, account.cloud.url)
    account.server(networks=[{"uuid": account.network()}])
    page.shows("BUILD")
    base_url = account.cloud.url
    assert page.requested_urls() <= {f"{base_url}/", f"{base_url}/_emulator/topology", f"{base_url}/_emulator/settings"}
    assert page.complaints() == []
    assert not [request for request in account.cloud.requests if request.path in ("/", "/favicon.ico")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrast_meets_wcag(chrome: Chrome, account: Account, scheme: str) -> None:
    """In both color schemes, every text has the contrast ratio of 4.5 that WCAG requires."""
    page = Page(chrome, account.cloud.url, scheme)
    network = account.network()
    account.active("web", networks=[{"uuid": network}])
    account.wait_for(account.server("no-host", networks=[{"uuid": network}]), "ERROR")
    resized = account.active("resized", networks=[{"uuid": network}])
    account.act(resized, "os-stop", None)
    account.wait_for(resized, "SHUTOFF")
    account.server("young", networks=[{"uuid": network}])
    account.cinder("POST", "/volumes", account.empty_volume(name="data"))
    account.nova("GET", "/servers/none")
    account.router(network)
    account.floating_ip(resized)
    page.shows("a router", "203.0.113.")
    page.shows("ACTIVE", "ERROR", "SHUTOFF", "BUILD", "creating")
    assert chrome.execute_script(LOW_CONTRAST) == []


# For each row: the name, and for each network the address that is drawn on its line.
ROWS = """
return [...document.querySelectorAll("tbody th[scope=row]")].map(head => [head.querySelector("strong").innerText,
  [...head.parentElement.querySelectorAll(".lane")].map(lane => lane.innerText.match(/10\\.\\d/)?.[0] ?? "")]);
"""
# For each row: the name, for each network whether the row has a dot on its line, and the floating IPs.
DOTS = """
return [...document.querySelectorAll("tbody th[scope=row]")].map(head => [head.querySelector("strong").innerText,
  ...[...head.parentElement.querySelectorAll(".lane")].map(lane => lane.querySelector(".dot") !== null),
  [...head.querySelectorAll(".floating")].map(each => each.innerText.match(/[\\d.]+/)[0]).join(" ")]);
"""
# The disks that the view cuts off at its right edge.
RIGHT_OF_VIEW = """
const edge = document.querySelector(".scroll").getBoundingClientRect().right;
const disks = [...document.querySelectorAll(".disk")].filter(disk => disk.checkVisibility());
const cut = disks.filter(disk => disk.getBoundingClientRect().right > edge);
return disks.length ? cut.map(disk => disk.innerText) : ["no disk"];
"""
HEADS = """
const heads = [...document.querySelectorAll(".topology thead th[scope=col]")];
return heads.map(head => head.innerText.split("\\n")[0].trim());
"""
# The texts whose contrast is too low, by the relative luminance of WCAG 2 over the first opaque background.
LOW_CONTRAST = """
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
