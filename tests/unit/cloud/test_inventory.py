"""The read cache: many reads are answered from list pages, few reads with a GET each."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_pulumi.cloud import compute
from ecs_pulumi.cloud.errors import ServerError
from ecs_pulumi.cloud.inventory import MAX_AGE
from ecs_pulumi.cloud.resource_reader import ResourceReader
from tests.unit.cloud.fakes import PROJECT, FakeClock, FakeCloud, Reply, Request, region_of

SERVERS = f"/v2.1/{PROJECT}/servers"


class Project:
    """A project with servers or ports, listed in pages of at most 1,000."""

    def __init__(
        self, cloud: FakeCloud, own_count: int, foreign_count: int = 0, path: str = SERVERS, name: str = "servers"
    ) -> None:
        self.ids = [f"foreign-{number}" for number in range(foreign_count)] + [
            f"own-{number}" for number in range(own_count)
        ]
        self.name = name
        cloud.on("GET", f"{path}/*", self.get_one)
        cloud.on("GET", path if name == "ports" else f"{path}/detail", self.list)

    def get_one(self, request: Request) -> Reply:
        """Answer a GET of one object."""
        id_ = request.path.rpartition("/")[2]
        return Reply(200, {self.name[:-1]: {"id": id_}}) if id_ in self.ids else Reply(404)

    def list(self, request: Request) -> Reply:
        """Answer a list request: a page, or the objects with the ids in the filter."""
        if ids := request.query.get("id"):
            return Reply(200, {self.name: [{"id": id_} for id_ in ids if id_ in self.ids]})
        start = self.ids.index(request.query["marker"][0]) + 1 if "marker" in request.query else 0
        page = self.ids[start : start + min(1000, int(request.query["limit"][0]))]
        has_more = start + len(page) < len(self.ids)
        link = {"rel": "next", "href": f"https://x/?limit=1000&marker={page[-1]}"} if has_more else None
        return Reply(200, {self.name: [{"id": id_} for id_ in page], f"{self.name}_links": [link] if link else []})


def _read(reader: ResourceReader, count: int, workers: int) -> None:
    """Read every own object as a refresh does, with some threads."""
    with ThreadPoolExecutor(workers) as pool:
        for number, document in enumerate(pool.map(reader.read, [f"own-{number}" for number in range(count)])):
            assert document == {"id": f"own-{number}"}


@pytest.mark.parametrize("workers", [1, 4, 64])
def test_reading_thousand_servers_sends_few_requests(cloud: FakeCloud, clock: FakeClock, workers: int) -> None:
    """Reading a thousand servers sends a few pages and single GETs, in sequence or in parallel."""
    region = region_of(cloud, clock)
    Project(cloud, 1000)
    _read(region.servers, 1000, workers)
    assert len(cloud.sent()) <= 12


@pytest.mark.parametrize("workers", [1, 64])
def test_small_stack_in_large_project_uses_single_gets(cloud: FakeCloud, clock: FakeClock, workers: int) -> None:
    """A stack of three servers does not page through a project with five thousand other servers."""
    region = region_of(cloud, clock)
    Project(cloud, 3, foreign_count=5000)
    _read(region.servers, 3, workers)
    assert f"GET {SERVERS}/detail" not in cloud.sent()
    assert len(cloud.sent()) <= 4


def test_number_of_pages_is_limited_by_number_of_reads(cloud: FakeCloud, clock: FakeClock) -> None:
    """One page is fetched for every five reads at most, whether or not it contains the objects."""
    region = region_of(cloud, clock)
    Project(cloud, 20, foreign_count=5000)
    _read(region.servers, 20, 20)
    assert cloud.sent().count(f"GET {SERVERS}/detail") <= 4
    assert len(cloud.sent()) <= 26


def test_large_stack_in_large_project_uses_pages(cloud: FakeCloud, clock: FakeClock) -> None:
    """A large stack in a project with many foreign servers is read with pages after its first reads."""
    region = region_of(cloud, clock)
    Project(cloud, 1000, foreign_count=5000)
    _read(region.servers, 1000, 64)
    assert cloud.sent().count(f"GET {SERVERS}/detail") <= 7
    assert len(cloud.sent()) <= 45


def test_ports_are_read_with_id_filter(cloud: FakeCloud, clock: FakeClock) -> None:
    """Thirty ports are read with a small first page and lists that filter by id, which contain no foreign ports."""
    region = region_of(cloud, clock)
    Project(cloud, 30, foreign_count=5000, path="/v2.0/ports", name="ports")
    _read(region.network_objects("port"), 30, 30)
    assert len(cloud.sent()) <= 8
    pages = [request.query["limit"] for request in cloud.log if "limit" in request.query]
    assert pages == [["100"]]


def test_reading_thousand_ports_uses_pages(cloud: FakeCloud, clock: FakeClock) -> None:
    """Reading a thousand ports sends pages instead of lists that filter by id."""
    region = region_of(cloud, clock)
    Project(cloud, 1000, path="/v2.0/ports", name="ports")
    _read(region.network_objects("port"), 1000, 64)
    assert len(cloud.sent()) <= 20


def test_missing_object_is_confirmed_with_get(cloud: FakeCloud, clock: FakeClock) -> None:
    """An object that cached pages do not contain is read with a GET; only its 404 means that it does not exist."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.append("new")
    assert region.servers.read("new") == {"id": "new"}
    assert region.servers.read("missing") is None


def test_read_error_is_raised(cloud: FakeCloud, clock: FakeClock) -> None:
    """A failed GET raises an error; it does not count as a missing object."""
    region = region_of(cloud, clock, max_retries=0)
    Project(cloud, 20)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(500))
    cloud.on("GET", f"{SERVERS}/own-7", lambda _: Reply(500))
    with ThreadPoolExecutor(20) as pool:
        reads = [pool.submit(region.servers.read, f"own-{number}") for number in range(20)]
    assert [number for number, read in enumerate(reads) if read.exception()] == [7]
    assert isinstance(reads[7].exception(), ServerError)


def test_write_invalidates_cache(cloud: FakeCloud, clock: FakeClock) -> None:
    """After any write of this process, the next read sends a request."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.remove("own-3")
    assert region.servers.read("own-3") == {"id": "own-3"}
    cloud.on("DELETE", f"{SERVERS}/own-4", lambda _: Reply(204))
    compute.delete_server(region.compute, "own-4")
    assert region.servers.read("own-3") is None


def test_cache_expires(cloud: FakeCloud, clock: FakeClock) -> None:
    """After a minute, a read sends a request again."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.remove("own-3")
    clock.time += MAX_AGE + 1
    assert region.servers.read("own-3") is None


def test_get_bypasses_cache(cloud: FakeCloud, clock: FakeClock) -> None:
    """``get`` always sends a request."""
    region = region_of(cloud, clock)
    project = Project(cloud, 20)
    _read(region.servers, 20, 1)
    project.ids.remove("own-3")
    assert region.servers.get("own-3") is None


def test_server_with_status_deleted_counts_as_missing(cloud: FakeCloud, clock: FakeClock) -> None:
    """After a delete, a GET can return status DELETED before it answers 404."""
    region = region_of(cloud, clock)
    cloud.on("GET", f"{SERVERS}/1", lambda _: Reply(200, {"server": {"id": "1", "status": "DELETED"}}))
    assert region.servers.read("1") is None
    assert region.servers.get("1") is None


def test_servers_are_read_with_newest_suitable_microversion(cloud: FakeCloud, clock: FakeClock) -> None:
    """Reads use 2.9, which adds ``locked``, if the cloud offers up to the guide's 2.14."""
    region = region_of(cloud, clock)
    Project(cloud, 1)
    region.servers.read("own-0")
    assert cloud.log[-1].headers["X-OpenStack-Nova-API-Version"] == "2.9"
