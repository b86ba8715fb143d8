"""Polls of many objects: which requests they send, and what the lists prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud.resource_reader import SINGLE_GET_LIMIT
from tests.unit.cloud.fakes import PROJECT, FakeClock, FakeCloud, Reply, Request, region_of

if TYPE_CHECKING:
    from ecs_pulumi.cloud.connection import Region

SERVERS, VOLUMES, PORTS = f"/v2.1/{PROJECT}/servers", f"/v3/{PROJECT}/volumes", "/v2.0/ports"
KINDS = {"server": SERVERS, "volume": VOLUMES, "port": PORTS}
IDS = [f"a{number}" for number in range(SINGLE_GET_LIMIT + 9)]


class Project:
    """A cloud with objects of one kind.

    Attributes:
        ids: The objects, the newest first.
        listed: Those that a list shows; None for all.
        page: How many a page of a list has at most.
        filters: Whether a list filters by several ids.
        status: The status of lists.
    """

    def __init__(self, kind: str, ids: list[str]) -> None:
        self.kind, self.ids, self.page, self.filters, self.status = kind, list(ids), 1000, True, 200
        self.listed: list[str] | None = None
        self.refusal: Any = {"message": "no"}
        self.deleted: set[str] = set()
        self.cloud, self.clock = FakeCloud(), FakeClock()
        path = KINDS[kind]
        self.cloud.on("GET", f"{path}/*", self._get)
        self.cloud.on("GET", path if kind == "port" else f"{path}/detail", self._list)
        self.region: Region = region_of(self.cloud, self.clock)
        self.reader: Any = self.region.network_objects("port")
        if kind != "port":
            self.reader = self.region.servers if kind == "server" else self.region.volumes

    def _show(self, id_: str) -> dict[str, Any]:
        return {"id": id_, "status": "DELETED" if id_ in self.deleted else "ACTIVE"}

    def _get(self, request: Request) -> Reply:
        id_ = request.path.rpartition("/")[2]
        return Reply(200, {self.kind: self._show(id_)}) if id_ in self.ids else Reply(404)

    def _list(self, request: Request) -> Reply:
        if self.status != 200:
            return Reply(self.status, self.refusal)
        ids = self.ids if self.listed is None else self.listed
        if wanted := request.query.get("id"):
            ids = [id_ for id_ in ids if id_ in (wanted if self.filters else wanted[:1])]
        start = ids.index(request.query["marker"][0]) + 1 if "marker" in request.query else 0
        limit = min(self.page, int(request.query.get("limit", ["1000"])[0]))
        page = ids[start : start + limit]
        links = []
        if start + len(page) < len(ids):
            links = [{"rel": "next", "href": f"https://x/?limit={limit}&marker={page[-1]}"}]
        plural = f"{self.kind}s"
        return Reply(200, {plural: [self._show(id_) for id_ in page], f"{plural}_links": links})

    def poll(self, ids: list[str], fresh: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Poll objects, and return what is known of each: its status, or None if it does not exist."""
        self.cloud.log.clear()
        found = self.reader.watch(frozenset(ids), frozenset(ids if fresh else ())).documents
        return {id_: document and document["status"] for id_, document in found.items()}

    def requests(self) -> tuple[int, int]:
        """Return how many lists and how many single objects the last poll has requested."""
        path = KINDS[self.kind]
        singles = sum(each.path.startswith(f"{path}/") and not each.path.endswith("/detail") for each in self.cloud.log)
        lists = sum(each.path in (path, f"{path}/detail") for each in self.cloud.log)
        return lists, singles


ACTIVE = dict.fromkeys(IDS, "ACTIVE")


@pytest.mark.parametrize("kind", KINDS)
def test_few_objects_are_read_one_by_one(kind: str) -> None:
    """A list would be larger than the objects that are waited for."""
    project = Project(kind, IDS)
    few = IDS[:SINGLE_GET_LIMIT]
    assert project.poll([*few[1:], "gone"]) == {**dict.fromkeys(few[1:], "ACTIVE"), "gone": None}
    assert project.requests() == (0, SINGLE_GET_LIMIT)


@pytest.mark.parametrize(("kind", "lists", "singles"), [("server", 1, 0), ("volume", 1, 0), ("port", 1, 0)])
def test_many_objects_are_read_with_one_list(kind: str, lists: int, singles: int) -> None:
    """The list also contains other objects, which are none of the result."""
    project = Project(kind, [*IDS, "other"])
    assert project.poll(IDS) == ACTIVE
    assert project.requests() == (lists, singles)


@pytest.mark.parametrize("kind", KINDS)
def test_object_that_the_list_lacks_is_read(kind: str) -> None:
    """Only a 404 proves that an object does not exist."""
    project = Project(kind, IDS[:-1])
    project.listed = IDS[:-2]
    assert project.poll(IDS) == {**ACTIVE, IDS[-1]: None}
    assert project.requests() == (1, 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "refusal", "is_remembered"),
    [
        (400, {"message": "no"}, True),
        (403, {"message": "no"}, True),
        (404, {"code": "404", "message": "no", "title": "Not Found"}, True),
        (404, "<html>404</html>", False),
    ],
)
def test_list_that_is_refused(kind: str, status: int, refusal: Any, *, is_remembered: bool) -> None:
    """The objects are read one by one, and the list is not requested again. A 404 of a proxy may be temporary."""
    project = Project(kind, IDS)
    project.status, project.refusal = status, refusal
    assert project.poll(IDS) == ACTIVE
    assert project.requests()[1] == len(IDS)
    project.status = 200
    assert project.poll(IDS) == ACTIVE
    assert project.requests() == ((0, len(IDS)) if is_remembered else (1, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_new_object_that_a_stale_read_does_not_show(kind: str) -> None:
    """A poll omits it, as it may appear; another read says that it does not exist."""
    project = Project(kind, [])
    for api in (project.region.compute, project.region.block_storage, project.region.network):
        api.writes.record("POST", f"https://x{KINDS[kind]}", {}, {"id": "new"})
    assert project.poll(["new"]) == {}
    assert project.reader.get("new") is None
    project.clock.time += 60
    assert project.poll(["new"]) == {"new": None}


def test_changes_of_servers() -> None:
    """The second list goes back to the first one; a server that is in none of them is unchanged."""
    project = Project("server", IDS)
    project.poll(IDS)
    project.clock.time += 5
    project.listed, project.deleted = [IDS[0]], {IDS[0]}
    assert project.poll(IDS) == {**ACTIVE, IDS[0]: None}
    assert project.requests() == (1, 0)


def test_server_whose_change_nova_does_not_list_is_read_after_a_minute() -> None:
    """One server, the one that was read longest ago, is read with each poll."""
    project = Project("server", IDS)
    project.poll(IDS)
    project.listed = []
    project.clock.time += 59
    assert (project.poll(IDS), project.requests()) == (ACTIVE, (1, 0))
    project.clock.time += 2
    assert (project.poll(IDS), project.requests()) == (ACTIVE, (1, 1))


def test_document_older_than_the_wait_is_read_again() -> None:
    """A wait that begins later does not end with what was read before."""
    project = Project("server", IDS)
    project.poll(IDS)
    project.listed = []
    assert (project.poll(IDS, fresh=True), project.requests()) == (ACTIVE, (1, len(IDS)))


def test_volume_that_is_gone_from_the_complete_list_was_deleted() -> None:
    """An earlier list contained it: no request is needed."""
    project = Project("volume", IDS)
    project.poll(IDS)
    project.ids.remove(IDS[0])
    assert project.poll(IDS) == {**ACTIVE, IDS[0]: None}
    assert project.requests() == (1, 0)


def test_volume_that_was_never_listed_is_read() -> None:
    """A list that lacks it may be stale."""
    project = Project("volume", IDS[1:])
    project.poll(IDS)
    assert project.requests() == (1, 1)


def test_pages_of_volumes_end_with_the_awaited_ones() -> None:
    """A page without any awaited volume is the last one; the rest is read one by one."""
    others = [f"b{number}" for number in range(40)]
    project = Project("volume", [*IDS[:4], *others, *IDS[4:]])
    project.page = 10
    assert project.poll(IDS) == ACTIVE
    assert project.requests() == (2, len(IDS) - 4)


def test_cloud_that_filters_by_one_id() -> None:
    """It lists one of several objects that exist; from then on the whole list is read, or few objects one by one."""
    project = Project("port", [*IDS, "other"])
    project.filters = False
    assert project.poll(IDS) == ACTIVE
    assert project.requests() == (1, len(IDS) - 1)
    few = IDS[: SINGLE_GET_LIMIT + 1]
    project.poll(few)
    assert project.requests() == (0, len(few))
    many = [f"c{number}" for number in range(11)]
    project.ids += many
    project.page = 6
    assert project.poll(many) == dict.fromkeys(many, "ACTIVE")
    assert project.requests()[1] == 0
    # The list ends with the page that has the last awaited object.
    project.ids = [*many, *IDS]
    project.page = len(many)
    assert project.poll(many) == dict.fromkeys(many, "ACTIVE")
    assert project.requests() == (1, 0)


def test_outdated_list_does_not_show_how_the_cloud_filters() -> None:
    """A list that lacks other objects, although it has several, is an outdated one."""
    project = Project("port", IDS)
    project.listed = IDS[:2]
    project.poll(IDS)
    project.listed = None
    project.poll(IDS)
    assert project.requests() == (1, 0)


def test_many_ids_are_spread_over_several_urls() -> None:
    """A URL has a limited length."""
    ids = [f"p{number}" for number in range(100)]
    project = Project("port", ids)
    assert project.poll(ids) == dict.fromkeys(ids, "ACTIVE")
    assert project.requests() == (3, 0)
    project.cloud.log.clear()
    assert project.reader.get_many(ids).keys() == set(ids)
    assert project.requests() == (3, 0)
