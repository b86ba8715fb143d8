"""A cache that reads many objects of a collection with few requests.

A refresh reads every object of a stack, many at a time, with one call for each object. The cache batches calls that
arrive together. It answers the first few with a GET each, and later ones from pages of the collection's list. The first
page is small and is fetched after a few reads. Each further page is fetched only after enough reads to justify its
request, so that a stack of three objects does not page through a project of five thousand.
"""

# ruff: noqa: A001, A002 - "id" is the API's own word

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.errors import EcsError

Document = dict[str, Any]
Query = dict[str, Any]

BATCH_WINDOW = 0.02
READS_FOR_FIRST_PAGE = 4
MAX_AGE = 60.0


class Source(Protocol):
    """The API requests that a read cache sends.

    Attributes:
        reads_per_page: how many reads justify one request for a page of the list.
    """

    reads_per_page: int

    def get_one(self, id: str) -> Document | None:
        """Read one object; return None if it does not exist."""

    def get_many(self, ids: Collection[str]) -> Mapping[str, Document]:
        """Read several objects by id in few requests; return none if the API does not support it."""

    def page(self, query: Query | None) -> tuple[list[Document], Query | None]:
        """Read a page of the list (the first for None); return its items and the next page's query."""


@dataclass(eq=False)
class _Batch:
    """Reads that arrived at the same time."""

    ids: set[str] = field(default_factory=set)
    documents: dict[str, Document] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class _ListCache:
    """The documents of the pages fetched so far, and the position in the list."""

    created_at: float
    documents: dict[str, Document] = field(default_factory=dict)
    reads: int = 0
    pages: int = 0
    query: Query | None = None
    complete: bool = False


class ReadCache:
    """The objects of a collection, cached for a minute or until this process sends a write."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._batch: _Batch | None = None
        self._list_cache = _ListCache(clock.now())

    def read(self, id: str) -> Document | None:
        """Return one object, or None if a GET of this object shows that it does not exist."""
        with self._lock:
            if (document := self._current().documents.get(id)) is not None:
                self._list_cache.reads += 1
                return document
            is_first = self._batch is None
            batch = self._batch = self._batch or _Batch()
            batch.ids.add(id)
        if is_first:
            self._clock.sleep(BATCH_WINDOW)
            try:
                self._load(batch)
            finally:
                batch.ready.set()
        else:
            batch.ready.wait()
        return batch.documents.get(id) or self._source.get_one(id)

    def invalidate(self) -> None:
        """Drop all cached documents. Called after every write of this process."""
        with self._lock:
            self._list_cache = _ListCache(self._clock.now())
            # Later reads must not join a batch that started before the write.
            self._batch = None

    def _current(self) -> _ListCache:
        if self._clock.now() - self._list_cache.created_at > MAX_AGE:
            self._list_cache = _ListCache(self._clock.now())
        return self._list_cache

    def _load(self, batch: _Batch) -> None:
        """Read the objects of a batch with lists. The caller reads the missing ones with a GET each."""
        with self._loading:
            with self._lock:
                if self._batch is batch:
                    self._batch = None
                cache = self._current()
                cache.reads += len(batch.ids)
            try:
                self._fetch_pages(cache, batch.ids)
                missing = batch.ids - cache.documents.keys()
                # For one object, a list saves nothing over a GET, and only the GET proves that it does not exist.
                if len(missing) > 1:
                    batch.documents.update(self._source.get_many(missing))
            except EcsError:
                # Ignore errors of lists: the single GETs that follow either succeed or report a clearer error.
                pass
            batch.documents.update({id: cache.documents[id] for id in batch.ids if id in cache.documents})

    def _fetch_pages(self, cache: _ListCache, ids: Collection[str]) -> None:
        allowed_pages = max(cache.reads // self._source.reads_per_page, cache.reads >= READS_FOR_FIRST_PAGE)
        while not cache.complete and cache.pages < allowed_pages and not cache.documents.keys() >= set(ids):
            cache.pages += 1
            documents, cache.query = self._source.page(cache.query)
            cache.complete = cache.query is None
            with self._lock:
                cache.documents.update((document["id"], document) for document in documents)
