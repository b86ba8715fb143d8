"""The collections of a region: how each is watched while someone waits, and how it is read."""

# ruff: noqa: A001, A002, A006 - "id" is the API's own word

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Collection as Ids
from datetime import datetime, timezone
from typing import Any

from ecs_pulumi.cloud.api import ServiceClient
from ecs_pulumi.cloud.errors import BadRequest, Forbidden, NotFound, ProxyNotFound
from ecs_pulumi.cloud.inventory import Query, ReadCache
from ecs_pulumi.cloud.polling import Document, Poller, PollResult

FEW = 1
FIRST_PAGE = 100
PAGE = 1000


class Collection:
    """One kind of object in a region, such as its servers.

    Attributes:
        poller: waits for objects.
        worth: how many reads make a page of the list worth its request.
    """

    reads_per_page = 5

    def __init__(
        self,
        api: ServiceClient,
        name: str,
        *,
        detail: str = "",
        microversion: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.poller = Poller(self.watch, api.clock)
        self._api = api
        self._clock = api.clock
        self._name = name
        self._singular = name.removesuffix("s")
        self._list = f"/{name}{detail}"
        self._microversion = microversion
        self._inventory = ReadCache(self, api.clock)
        self._listable = True

    def get(self, id: str) -> Document | None:
        """The object as it is now; None where it is gone."""
        return self._each([id]).documents[id]

    def read(self, id: str) -> Document | None:
        """The object as it was within the last minute, by a list where many are read; None where it is gone.

        For refresh. What decides on a change asks ``get``.
        """
        return self._inventory.read(id)

    def invalidate(self) -> None:
        """Forget what was read: something was written."""
        self._inventory.invalidate()

    def get_one(self, id: str) -> Document | None:
        """The object by a GET of its own."""
        return self.get(id)

    def get_many(self, ids: Ids[str]) -> Mapping[str, Document]:  # noqa: ARG002 - for APIs that can
        """Objects by id in few requests: this API has no such list."""
        return {}

    def page(self, query: Query | None) -> tuple[list[Document], Query | None]:
        """A page of the list: a small one first, which is all of most projects."""
        asked = {"limit": FIRST_PAGE} if query is None else {**query, "limit": PAGE}
        return self._api.page(self._list, self._name, asked, self._microversion())

    def watch(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:
        """Look at the objects that someone waits for: few by a GET each, many by lists.

        What the lists lack is asked by a GET of its own, as only that tells gone from hidden. A cloud whose lists do
        not take what is asked of them here gets no list again.
        """
        if len(ids) <= FEW or not self._listable:
            return self._each(ids, poll=True)
        try:
            seen = self._many(ids, fresh)
        except ProxyNotFound:
            seen = PollResult({})  # a proxy's word is of the moment, and single GETs may have a way
        except (BadRequest, Forbidden, NotFound):
            self._listable = False
            seen = PollResult({})
        rest = self._each([id for id in ids if id not in seen.documents], poll=True)
        return PollResult({**seen.documents, **rest.documents}, rest.request_id or seen.request_id)

    def _many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:
        """Look at many by lists; what they do not tell is left out."""
        raise NotImplementedError

    def _each(self, ids: Iterable[str], *, poll: bool = False) -> PollResult:
        """Look at each by a GET of its own."""
        documents: dict[str, Document | None] = {}
        request_id = None
        for id in ids:
            try:
                answer = self._api.request(
                    "GET",
                    f"/{self._name}/{id}",
                    microversion=self._microversion(),
                    key=self._singular,
                    poll=poll,
                )
            except NotFound as error:
                documents[id], request_id = None, error.request_id
            else:
                documents[id], request_id = self._living(answer.body), answer.request_id
        return PollResult(documents, request_id)

    def _living(self, document: Document) -> Document | None:
        """None for a document that only says that the object is gone."""
        return document

    def _listed(self, params: Mapping[str, Any]) -> tuple[list[Document], Query | None, str | None]:
        """A page for a poll, the query of the next, and the request's id."""
        answer = self._api.request("GET", self._list, params=params, microversion=self._microversion(), poll=True)
        items, query = self._api.items(answer.body, self._name, params)
        return items, query, answer.request_id


class Servers(Collection):
    """Nova's servers: many are watched by one list of what changed lately, in which the deleted appear too.

    Rests on the API reference, "List Servers Detailed", ``changes-since``.
    """

    # Nova's clocks may differ by seconds among its hosts.
    margin = 10.0
    # A server that someone waits for was changed by what he waits for, a moment ago.
    look_back = 60.0
    # Some changes do not count as changes to Nova: an address, a tag.
    max_staleness = 60.0

    def __init__(self, api: ServiceClient, microversion: Callable[[], str | None]) -> None:
        super().__init__(api, "servers", detail="/detail", microversion=microversion)
        self._known: dict[str, tuple[Document | None, float]] = {}
        self._last: float | None = None

    def _many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:
        """By the one list of what changed; what it does not name is as it was."""
        # Nobody is told what was seen before he began to wait, though it may not have changed since.
        self._known = {id: self._known[id] for id in ids if id in self._known and id not in fresh}
        sighting = self._changes(set(ids))
        unknown = [id for id in ids if id not in self._known]
        singles = self._each([*unknown, *self._stalest()], poll=True)
        now = self._clock.now()
        self._known.update({id: (document, now) for id, document in singles.documents.items()})
        documents = {id: document for id, (document, _) in self._known.items()}
        return PollResult(documents, singles.request_id or sighting)

    def _changes(self, ids: set[str]) -> str | None:
        """Take in what changed, and return the request's id."""
        since = self._api.server_time() - self.look_back
        if self._last is not None and ids <= self._known.keys():
            since = self._last - self.margin
        query: Query | None = {
            "changes-since": datetime.fromtimestamp(since, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        }
        started = self._api.server_time()
        request_id = None
        while query is not None:
            items, query, request_id = self._listed(query)
            now = self._clock.now()
            for item in items:
                if item["id"] in ids:
                    self._known[item["id"]] = (self._living(item), now)
        self._last = started
        return request_id

    def _stalest(self) -> list[str]:
        """The one that was silent longest, if that is long."""
        oldest = min(self._known, key=lambda id: self._known[id][1], default=None)
        if oldest is None or self._clock.now() - self._known[oldest][1] <= self.max_staleness:
            return []
        return [oldest]

    def _living(self, document: Document) -> Document | None:
        return None if document.get("status") == "DELETED" else document


class Volumes(Collection):
    """Cinder's volumes: the awaited are mostly among the newest, so many are watched by the page of those."""

    spare = 10

    def __init__(self, api: ServiceClient) -> None:
        super().__init__(api, "volumes", detail="/detail")
        self._listed_before: set[str] = set()

    def _many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:  # noqa: ARG002 - every answer is fresh
        """By pages of the newest, as long as these are worth it."""
        size = 2 * len(ids) + self.spare
        query: Query | None = {"sort": "created_at:desc", "limit": size}
        found: dict[str, Document | None] = {}
        items: list[Document] = []
        request_id = None
        while query is not None and len(ids) - len(found) > FEW:
            items, query, request_id = self._listed(query)
            hits = {item["id"]: item for item in items if item["id"] in ids}
            found.update(hits)
            if not hits:
                break
        # What was in the list and is not in the whole of it any more is gone.
        complete = query is None and len(items) < size
        gone = self._listed_before.intersection(ids).difference(found) if complete else ()
        self._listed_before = self._listed_before.intersection(ids).union(found)
        return PollResult({**found, **dict.fromkeys(gone)}, request_id)


class NetworkObjects(Collection):
    """Neutron's networks, subnets and ports: the list takes any number of ids as a filter."""

    reads_per_page = 100
    ids_in_a_url = 40

    def _many(self, ids: Ids[str], fresh: Ids[str]) -> PollResult:  # noqa: ARG002 - every answer is fresh
        """By lists of as many ids as fit into a URL."""
        documents: dict[str, Document | None] = {}
        request_id = None
        for chunk in self._chunks(ids):
            items, _, request_id = self._listed({"id": chunk})
            documents.update((item["id"], item) for item in items)
        return PollResult(documents, request_id)

    def get_many(self, ids: Ids[str]) -> Mapping[str, Document]:
        """Objects by id, as many as fit into a URL at once."""
        found: dict[str, Document] = {}
        for chunk in self._chunks(ids):
            found.update((item["id"], item) for item in self._api.pages(self._list, self._name, {"id": chunk}))
        return found

    def _chunks(self, ids: Ids[str]) -> list[list[str]]:
        ordered = sorted(ids)
        return [ordered[at : at + self.ids_in_a_url] for at in range(0, len(ordered), self.ids_in_a_url)]
