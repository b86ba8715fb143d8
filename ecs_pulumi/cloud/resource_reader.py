"""Readers of the objects of a region, such as its servers: polling for waits, and cached reads."""

# ruff: noqa: A001, A002, A006 - "id" is the API's own word

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Collection as Ids
from datetime import datetime, timezone
from typing import Any

from ecs_pulumi.cloud.api import ServiceClient
from ecs_pulumi.cloud.collection import Collection
from ecs_pulumi.cloud.errors import BadRequest, Forbidden, NotFound, ProxyNotFound
from ecs_pulumi.cloud.inventory import Query, ReadCache
from ecs_pulumi.cloud.polling import Document, Poller, PollResult

SINGLE_GET_LIMIT = 1
FIRST_PAGE_SIZE = 100
PAGE_SIZE = 1000

_SERVERS = Collection("/servers", "server", "servers")
_VOLUMES = Collection("/volumes", "volume", "volumes")
SERVER_GROUPS = Collection("/os-server-groups", "server_group", "server_groups")


class ResourceReader:
    """Reads the objects of one kind in a region, such as its servers.

    Attributes:
        poller: waits for these objects.
        reads_per_page: how many reads justify one request for a page of the list.
    """

    reads_per_page = 5

    def __init__(
        self,
        api: ServiceClient,
        collection: Collection,
        *,
        detail: str = "",
        microversion: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.poller = Poller(self.watch, api.clock)
        self._api = api
        self._clock = api.clock
        self._collection = collection
        self._list_path = f"{collection.path}{detail}"
        self._microversion = microversion
        self._cache = ReadCache(self, api.clock)
        self._listable = True

    def get(self, id: str) -> Document | None:
        """Return the current remote object, or None if it does not exist."""
        return self._get_each([id]).documents[id]

    def read(self, id: str) -> Document | None:
        """Return the remote object as of at most a minute ago, or None if it does not exist.

        Many reads at a time are answered from lists. Meant for refresh; use ``get`` to decide about a change.
        """
        return self._cache.read(id)

    def invalidate(self) -> None:
        """Drop the cached documents. Called after every write."""
        self._cache.invalidate()

    def get_one(self, id: str) -> Document | None:
        """Return one object with a single GET."""
        return self.get(id)

    def get_many(self, ids: Ids[str]) -> Mapping[str, Document]:  # noqa: ARG002 - for subclasses whose API filters by id
        """Return objects by id in few requests. Empty here: this API has no list that filters by id."""
        return {}

    def page(self, query: Query | None) -> tuple[list[Document], Query | None]:
        """Read a page of the list. The first page is small, because it covers all objects of most projects."""
        params = {"limit": FIRST_PAGE_SIZE} if query is None else {**query, "limit": PAGE_SIZE}
        return self._api.page(self._list_path, self._collection.list_key, params, self._microversion())

    def watch(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:
        """Poll the objects that are waited for: a single object with a GET, several with lists.

        Objects that are missing from the lists are read with a GET each, because only a 404 proves that an object does
        not exist. If the cloud rejects the list request, it is not sent again.
        """
        if len(ids) <= SINGLE_GET_LIMIT or not self._listable:
            return self._get_each(ids, poll=True)
        try:
            result = self._poll_many(ids, fresh)
        except ProxyNotFound:
            result = PollResult({})  # a proxy's 404 may be temporary, and single GETs may still succeed
        except (BadRequest, Forbidden, NotFound):
            self._listable = False
            result = PollResult({})
        rest = self._get_each([id for id in ids if id not in result.documents], poll=True)
        self._compare(result, rest)
        return PollResult({**result.documents, **rest.documents}, rest.request_id or result.request_id)

    def _poll_many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:
        """Poll many objects with lists; omit those that the lists do not contain."""
        raise NotImplementedError

    def _compare(self, listed: PollResult, others: PollResult) -> None:
        """Learn from the objects that the lists of a poll contain, and from the others, which were read one by one."""

    def _get_each(self, ids: Iterable[str], *, poll: bool = False) -> PollResult:
        """Read each object with a GET. A poll omits an object that is so new that a stale read may not show it."""
        documents: dict[str, Document | None] = {}
        request_id = None
        for id in ids:
            may_appear = poll and self._api.writes.appears_in(id) > 0
            try:
                response = self._api.request(
                    "GET",
                    f"{self._collection.path}/{id}",
                    microversion=self._microversion(),
                    key=self._collection.key,
                    poll=poll,
                )
            except NotFound as error:
                request_id = error.request_id
                if not may_appear:
                    documents[id] = None
            else:
                documents[id], request_id = self._unless_deleted(response.body), response.request_id
        return PollResult(documents, request_id)

    def _unless_deleted(self, document: Document) -> Document | None:
        """Return the document, or None if its status means that the object was deleted."""
        return document

    def _list_page(self, params: Mapping[str, Any]) -> tuple[list[Document], Query | None, str | None]:
        """Read a page for a poll; return its items, the next page's query and the request's id."""
        response = self._api.request(
            "GET", self._list_path, params=params, microversion=self._microversion(), poll=True
        )
        items, query = self._api.items(response.body, self._collection.list_key, params)
        return items, query, response.request_id


class Servers(ResourceReader):
    """Nova's servers. Many are polled with one list of recent changes, which includes deleted servers.

    See the API reference, "List Servers Detailed", ``changes-since``.
    """

    # Overlap of two polls in seconds: the clocks of Nova's hosts may differ by seconds.
    clock_margin = 10.0
    # Seconds that the first list goes back: the change that a caller waits for began shortly before the wait.
    initial_look_back = 60.0
    # Seconds after which a document is read again: Nova does not report some changes, such as an address or a tag.
    max_staleness = 60.0

    def __init__(self, api: ServiceClient, microversion: Callable[[], str | None]) -> None:
        super().__init__(api, _SERVERS, detail="/detail", microversion=microversion)
        self._documents: dict[str, tuple[Document | None, float]] = {}
        self._changes_read_at: float | None = None

    def _poll_many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:
        """Poll with the list of changes; servers that are not in the list are unchanged."""
        # Ignore cached documents older than the wait.
        self._documents = {id: self._documents[id] for id in ids if id in self._documents and id not in fresh}
        request_id = self._changes(set(ids))
        unknown = [id for id in ids if id not in self._documents]
        singles = self._get_each([*unknown, *self._stalest()], poll=True)
        now = self._clock.now()
        self._documents.update({id: (document, now) for id, document in singles.documents.items()})
        documents = {id: document for id, (document, _) in self._documents.items()}
        return PollResult(documents, singles.request_id or request_id)

    def _changes(self, ids: set[str]) -> str | None:
        """Read the changed servers into the cached documents; return the request's id."""
        since = self._api.server_time() - self.initial_look_back
        if self._changes_read_at is not None and ids <= self._documents.keys():
            since = self._changes_read_at - self.clock_margin
        changes_since = datetime.fromtimestamp(since, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        query: Query | None = {"changes-since": changes_since, "limit": PAGE_SIZE}
        started = self._api.server_time()
        request_id = None
        while query is not None:
            items, query, request_id = self._list_page(query)
            now = self._clock.now()
            for item in items:
                if item["id"] in ids:
                    self._documents[item["id"]] = (self._unless_deleted(item), now)
        self._changes_read_at = started
        return request_id

    def _stalest(self) -> list[str]:
        """The id of the document with the oldest read, if it is older than ``max_staleness``."""
        oldest = min(self._documents, key=lambda id: self._documents[id][1], default=None)
        if oldest is None or self._clock.now() - self._documents[oldest][1] <= self.max_staleness:
            return []
        return [oldest]

    def _unless_deleted(self, document: Document) -> Document | None:
        return None if document.get("status") == "DELETED" else document


class Volumes(ResourceReader):
    """Cinder's volumes. Many are polled with the list of the newest volumes, which contains most awaited ones."""

    extra_items = 10

    def __init__(self, api: ServiceClient) -> None:
        super().__init__(api, _VOLUMES, detail="/detail")
        self._previously_listed: set[str] = set()

    def _poll_many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:  # noqa: ARG002 - every document is read anew
        """Poll with pages of the newest volumes, as long as a page contains awaited volumes."""
        size = 2 * len(ids) + self.extra_items
        query: Query | None = {"sort": "created_at:desc", "limit": size}
        found: dict[str, Document | None] = {}
        items: list[Document] = []
        request_id = None
        while query is not None and len(ids) - len(found) > SINGLE_GET_LIMIT:
            items, query, request_id = self._list_page(query)
            hits = {item["id"]: item for item in items if item["id"] in ids}
            found.update(hits)
            if not hits:
                break
        # A volume that an earlier list contained and the complete list does not contain was deleted.
        complete = query is None and len(items) < size
        missing = self._previously_listed.intersection(ids).difference(found) if complete else ()
        deleted = [id for id in missing if not self._api.writes.appears_in(id)]
        self._previously_listed = self._previously_listed.intersection(ids).union(found)
        return PollResult({**found, **dict.fromkeys(deleted)}, request_id)


class NetworkObjects(ResourceReader):
    """Neutron's networks, subnets or ports. The list filters by any number of ids."""

    reads_per_page = 100
    max_ids_per_url = 40
    few_ids = 10
    # The Open Telekom Cloud does not document a filter by several ids, and may use only one of them.
    filters_by_ids = True

    def _poll_many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:  # noqa: ARG002 - every document is read anew
        """Poll with lists that filter by as many ids as fit into a URL."""
        if not self.filters_by_ids:
            return self._poll_all(ids)
        documents: dict[str, Document | None] = {}
        request_id = None
        for chunk in self._chunks(ids):
            items, _, request_id = self._list_page({"id": chunk})
            documents.update((item["id"], item) for item in items)
        return PollResult(documents, request_id)

    def get_many(self, ids: Ids[str]) -> Mapping[str, Document]:
        """Return objects by id, with lists that filter by as many ids as fit into a URL."""
        found: dict[str, Document] = {}
        for chunk in self._chunks(ids) if self.filters_by_ids else ():
            found.update(
                (item["id"], item)
                for item in self._api.pages(self._list_path, self._collection.list_key, {"id": chunk})
            )
        return found

    def _poll_all(self, ids: Ids[str]) -> PollResult:
        """Poll with the pages of the whole list; a few objects are better read one by one."""
        documents: dict[str, Document | None] = {}
        request_id = None
        query: Query | None = {"limit": PAGE_SIZE} if len(ids) > self.few_ids else None
        while query is not None and not documents.keys() >= set(ids):
            items, query, request_id = self._list_page(query)
            documents.update((item["id"], item) for item in items if item["id"] in ids)
        return PollResult(documents, request_id)

    def _compare(self, listed: PollResult, others: PollResult) -> None:
        """Learn that the cloud filters by one of several ids if it listed one object, and several others exist.

        A list that lacks other objects is an outdated one.
        """
        for chunk in self._chunks({*listed.documents, *others.documents}):
            found = sum(id in listed.documents for id in chunk)
            if found == 1 and sum(bool(others.documents.get(id)) for id in chunk) > 1:
                self.filters_by_ids = False

    def _chunks(self, ids: Ids[str]) -> list[list[str]]:
        ordered = sorted(ids)
        size = self.max_ids_per_url
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]
