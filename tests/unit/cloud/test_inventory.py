"""Reading many costs pages, reading few costs single GETs, and gone is said only by a GET of its own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_pulumi.cloud import compute
from ecs_pulumi.cloud.collection import Collection
from ecs_pulumi.cloud.errors import ServerError
from ecs_pulumi.cloud.inventory import MAX_AGE
from tests.unit.cloud.fakes import PROJECT, FakeClock, FakeCloud, Reply, Request, region_of

SERVERS = f"/v2.1/{PROJECT}/servers"


class Project:
    """A project with some servers or ports, listed newest first by pages of at most 1,000."""

    def __init__(
        self, cloud: FakeCloud, own: int, foreign: int = 0, path: str = SERVERS, name: str = "servers"
    ) -> None:
        self.ids = [f"foreign-{number}" for number in range(foreign)] + [f"own-{number}" for number in range(own)]
        self.name = name
        cloud.on("GET", f"{path}/*", self.get_one)
        cloud.on("GET", path if name == "ports" else f"{path}/detail", self.list)

    def get_one(self, request: Request) -> Reply:
        """One by id."""
        id_ = request.path.rpartition("/")[2]
        return Reply(200, {self.name[:-1]: {"id": id_}}) if id_ in self.ids else Reply(404)

    def list(self, request: Request) -> Reply:
        """A page, or those asked by id."""
        if asked := request.query.get("id"):
            return Reply(200, {self.name: [{"id": id_} for id_ in asked if id_ in self.ids]})
        start = self.ids.index(request.query["marker"][0]) + 1 if "marker" in request.query else 0
        page = self.ids[start : start + min(1000, int(request.query["limit"][0]))]
        more = start + len(page) < len(self.ids)
        link = {"rel": "next", "href": f"https://x/?limit=1000&marker={page[-1]}"} if more else None
        return Reply(200, {self.name: [{"id": id_} for id_ in page], f"{self.name}_links": [link] if link else []})


def _read(collection: Collection, count: int, workers: int) -> None:
    """Refresh: read every own object, some at a time."""
    with ThreadPoolExecutor(workers) as pool:
        for number, document in enumerate(pool.map(collection.read, [f"own-{number}" for number in range(count)])):
            assert document == {"id": f"own-{number}"}


@pytest.mark.parametrize("workers", [1, 4, 64])
def test_a_thousand_servers_cost_few_requests(cloud: FakeCloud, clock: FakeClock, workers: int) -> None:
    """A refresh of a thousand is a page and a few single GETs, whether they come one by one or many at a time."""
    region = region_of(cloud, clock)
    Project(cloud, 1000)
    _read(region.servers, 1000, workers)
    assert len(cloud.seen()) <= 12


@pytest.mark.parametrize("workers", [1, 64])
def test_three_of_five_thousand_stay_single(cloud: FakeCloud, clock: FakeClock, workers: int) -> None:
    """Other people's servers in the project do not make a small stack page through them."""
    region = region_of(cloud, clock)
    Project(cloud, 3, foreign=5000)
    _read(region.servers, 3, workers)
    assert f"GET {SERVERS}/detail" not in cloud.seen()
    assert len(cloud.seen()) <= 4


def test_twenty_of_five_thousand_pay_for_four_pages_at_most(cloud: FakeCloud, clock: FakeClock) -> None:
    """Each page must be worth five reads, found or not."""
    region = region_of(cloud, clock)
    Project(cloud, 20, foreign=5000)
    _read(region.servers, 20, 20)
    assert cloud.seen().count(f"GET {SERVERS}/detail") <= 4
    assert len(cloud.seen()) <= 26


def test_a_thousand_among_five_thousand_cost_pages(cloud: FakeCloud, clock: FakeClock) -> None:
    """A large stack behind many foreign servers is still read by pages, once its first reads have paid for them."""
    region = region_of(cloud, clock)
    Project(cloud, 1000, foreign=5000)
    _read(region.servers, 1000, 64)
    assert cloud.seen().count(f"GET {SERVERS}/detail") <= 7
    assert len(cloud.seen()) <= 45


def test_ports_are_read_by_id(cloud: FakeCloud, clock: FakeClock) -> None:
    """Neutron takes many ids at once: beyond a small first page nothing foreign is fetched for a stack of thirty."""
    region = region_of(cloud, clock)
    Project(cloud, 30, foreign=5000, path="/v2.0/ports", name="ports")
    _read(region.ports, 30, 30)
    assert len(cloud.seen()) <= 8
    pages = [request.query["limit"] for request in cloud.log if "limit" in request.query]
    assert pages == [["100"]]


def test_a_thousand_ports_cost_few_requests(cloud: FakeCloud, clock: FakeClock) -> None:
    """Where very many are read, Neutron's pages are worth it too."""
    region = region_of(cloud, clock)
    Project(cloud, 1000, path="/v2.0/ports", name="ports")
    _read(region.ports, 1000, 64)
    assert len(cloud.seen()) <= 20


def test_gone_is_said_by_a_get_of_its_own(cloud: FakeCloud, clock: FakeClock) -> None:
    """A list may lack what was made a moment ago; only 404 means gone."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.append("late")
    assert region.servers.read("late") == {"id": "late"}
    assert region.servers.read("never") is None


def test_an_error_is_not_gone(cloud: FakeCloud, clock: FakeClock) -> None:
    """A cloud that fails is an error, however the object was looked for."""
    region = region_of(cloud, clock, max_retries=0)
    Project(cloud, 20)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(500))
    cloud.on("GET", f"{SERVERS}/own-7", lambda _: Reply(500))
    with ThreadPoolExecutor(20) as pool:
        reads = [pool.submit(region.servers.read, f"own-{number}") for number in range(20)]
    assert [number for number, read in enumerate(reads) if read.exception()] == [7]
    assert isinstance(reads[7].exception(), ServerError)


def test_a_write_drops_what_was_read(cloud: FakeCloud, clock: FakeClock) -> None:
    """After any write of this process the next read asks the cloud."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.remove("own-3")
    assert region.servers.read("own-3") == {"id": "own-3"}
    cloud.on("DELETE", f"{SERVERS}/own-4", lambda _: Reply(204))
    compute.delete_server(region.compute, "own-4")
    assert region.servers.read("own-3") is None


def test_what_was_read_gets_old(cloud: FakeCloud, clock: FakeClock) -> None:
    """A minute later the cloud is asked again."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.remove("own-3")
    clock.time += MAX_AGE + 1
    assert region.servers.read("own-3") is None


def test_get_always_asks(cloud: FakeCloud, clock: FakeClock) -> None:
    """What decides on a change is not answered from memory."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.remove("own-3")
    assert region.servers.get("own-3") is None


def test_a_deleted_server_that_lingers_is_gone(cloud: FakeCloud, clock: FakeClock) -> None:
    """After DELETE a GET can be 200 with DELETED before it is 404."""
    region = region_of(cloud, clock)
    cloud.on("GET", f"{SERVERS}/1", lambda _: Reply(200, {"server": {"id": "1", "status": "DELETED"}}))
    assert region.servers.read("1") is None
    assert region.servers.get("1") is None


def test_servers_are_read_in_full(cloud: FakeCloud, clock: FakeClock) -> None:
    """Reads ask for the fullest body that the cloud offers: here 2.9, for the lock, below the guide's 2.14."""
    region = region_of(cloud, clock)
    Project(cloud, 1)
    region.servers.read("own-0")
    assert cloud.log[-1].headers["X-OpenStack-Nova-API-Version"] == "2.9"
