"""Reads many objects of a collection for the price of a few requests.

A refresh reads every object of a stack, many at a time, one call each. The calls that arrive together are
answered together: the first few by a GET each, and from then on by pages of the collection's list, fetched as
far as they are needed. The first page is small and soon worth it; each further one is fetched only once enough
reads have been asked to pay for it, so that a stack of three does not page through a project of five thousand.
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
FIRST_WORTH = 4
MAX_AGE = 60.0


class Source(Protocol):
    """Where an inventory reads.

    Attributes:
        worth: how many reads make a page worth its request.
    """

    reads_per_page: int

    def get_one(self, id: str) -> Document | None:
        """One object; None where it is gone."""

    def get_many(self, ids: Collection[str]) -> Mapping[str, Document]:
        """Several objects by id in few requests, where the API can; else none."""

    def page(self, query: Query | None) -> tuple[list[Document], Query | None]:
        """A page of the list, the first for None, and the query of the next."""


@dataclass(eq=False)
class _Batch:
    """Reads that arrived together."""

    ids: set[str] = field(default_factory=set)
    found: dict[str, Document] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class _Stock:
    """What the pages so far held; thrown away whole."""

    since: float
    documents: dict[str, Document] = field(default_factory=dict)
    asked: int = 0
    pages: int = 0
    query: Query | None = None
    complete: bool = False


class ReadCache:
    """A collection's objects, as they were within the last minute and since this process last wrote."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._batch: _Batch | None = None
        self._stock = _Stock(clock.now())

    def read(self, id: str) -> Document | None:
        """One object; None only where a GET of its own says that it is gone."""
        with self._lock:
            if (document := self._current().documents.get(id)) is not None:
                self._stock.asked += 1
                return document
            first = self._batch is None
            batch = self._batch = self._batch or _Batch()
            batch.ids.add(id)
        if first:
            self._clock.sleep(BATCH_WINDOW)
            try:
                self._load(batch)
            finally:
                batch.ready.set()
        else:
            batch.ready.wait()
        return batch.found.get(id) or self._source.get_one(id)

    def invalidate(self) -> None:
        """Forget everything: this process wrote to the collection."""
        with self._lock:
            self._stock = _Stock(self._clock.now())
            # Reads from here on must not join those that began before the write.
            self._batch = None

    def _current(self) -> _Stock:
        if self._clock.now() - self._stock.since > MAX_AGE:
            self._stock = _Stock(self._clock.now())
        return self._stock

    def _load(self, batch: _Batch) -> None:
        """Find what can be found without a request for each; what is missing afterwards is read singly."""
        with self._loading:
            with self._lock:
                if self._batch is batch:
                    self._batch = None
                stock = self._current()
                stock.asked += len(batch.ids)
            try:
                self._page(stock, batch.ids)
                missing = batch.ids - stock.documents.keys()
                # One alone is no cheaper by list than by its own GET, which also tells gone from hidden.
                if len(missing) > 1:
                    batch.found.update(self._source.get_many(missing))
            except EcsError:
                # Whatever is wrong with lists, the single GETs that follow either work or say it better.
                pass
            batch.found.update({id: stock.documents[id] for id in batch.ids if id in stock.documents})

    def _page(self, stock: _Stock, ids: Collection[str]) -> None:
        affordable = max(stock.asked // self._source.reads_per_page, stock.asked >= FIRST_WORTH)
        while not stock.complete and stock.pages < affordable and not stock.documents.keys() >= set(ids):
            stock.pages += 1
            documents, stock.query = self._source.page(stock.query)
            stock.complete = stock.query is None
            with self._lock:
                stock.documents.update((document["id"], document) for document in documents)
