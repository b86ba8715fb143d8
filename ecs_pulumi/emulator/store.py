"""The cloud's memory: JSON documents and the steps still to come, in one SQLite database.

An object is a document: a dict with an `id`, kept under its kind (`server`, `port`, `volume`, …) and region.
What happens later is a *step*: a moment, the name of a function and its arguments. Nothing runs in the
background: whoever opens a transaction first carries out the steps that have come due, each at its own
moment, and then sees the state as of now. So time can be scaled or frozen, and a restart loses neither
objects nor what was about to happen to them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .patterns import is_found

if TYPE_CHECKING:
    from collections.abc import Iterator

Document = dict[str, Any]

# What lists are filtered by. Any other field may be asked for too, it only takes a scan of its kind.
INDEXED = ("project_id", "name", "network_id", "device_id", "server_id", "volume_id", "expires", "updated")
# What is summed up, by project.
SUMMED = ("size",)

# Real columns, because SQLite answers a count or a sum from the index alone only for such.
COLUMNS = (*INDEXED, *SUMMED)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, doc TEXT NOT NULL, {", ".join(COLUMNS)},
    UNIQUE (kind, region, id));
CREATE TABLE IF NOT EXISTS steps (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, name TEXT NOT NULL, region TEXT NOT NULL,
    project TEXT NOT NULL, user TEXT NOT NULL, subject TEXT NOT NULL, args TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS steps_at ON steps (at, seq);
CREATE INDEX IF NOT EXISTS steps_subject ON steps (subject);
CREATE INDEX IF NOT EXISTS objects_order ON objects (kind, region, seq);
""" + "".join(
    f"CREATE INDEX IF NOT EXISTS objects_{columns.replace(', ', '_')} ON objects (kind, region, {columns});\n"
    for columns in (*INDEXED, *(f"project_id, {field}" for field in SUMMED))
)

_SLOTS = ", ".join("?" * (4 + len(COLUMNS)))
_UPDATES = ", ".join(f"{field} = excluded.{field}" for field in ("doc", *COLUMNS))
PUT = (
    f"INSERT INTO objects (kind, region, id, doc, {', '.join(COLUMNS)}) VALUES ({_SLOTS})"  # noqa: S608
    f" ON CONFLICT (kind, region, id) DO UPDATE SET {_UPDATES}"
)


class Step(NamedTuple):
    """Something that happens to `subject` at the moment `at`, in the name of a project and a user."""

    at: float
    name: str
    region: str
    project_id: str
    user_id: str
    subject: str
    args: dict[str, Any]


KEPT = {"token": 1000, "action": 5000, "message": 1000}
"""How many documents of a kind that only records the past are kept in a region: the newest."""
PRUNED_EVERY = 50

VERSION = 1
"""Of the layout above; a file of another one is not read."""


class StateError(Exception):
    """The state file cannot be used; the sentence says why."""


class Store:
    """Documents and steps. Every method is to be called inside `transaction()`."""

    def __init__(self, path: str = ":memory:") -> None:
        # Autocommit: the transactions below are begun and ended by hand.
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and version != VERSION:
                raise StateError(f"{path} is no state file of this version of the emulator; choose another file")
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            raise StateError(f"{path} cannot be used as a state file: {error}") from error
        self._db.create_function("regexp", 2, _search, deterministic=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._puts: Counter[str] = Counter()

    def close(self) -> None:
        """Close the database file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it; one thread at a time. An inner one is part of the outer."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if self._depth == 1:
                    self._db.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    def get(self, kind: str, region: str, id_: str) -> Document | None:
        """The document, or None."""
        row = self._db.execute(
            "SELECT doc FROM objects WHERE kind = ? AND region = ? AND id = ?", (kind, region, id_)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, region: str, doc: Document) -> None:
        """Insert or overwrite; an overwritten document keeps its place in the order of creation."""
        values = (kind, region, doc["id"], json.dumps(doc), *(doc.get(field) for field in COLUMNS))
        self._db.execute(PUT, values)
        if kind in KEPT:
            self.prune(kind, region, KEPT[kind])

    def prune(self, kind: str, region: str, keep: int, **equal: Any) -> None:
        """Forget all but the newest documents with these fields, once in a while as it takes a scan."""
        self._puts[kind] += 1
        if self._puts[kind] % PRUNED_EVERY:
            return
        sql, values = self._where(kind, region, equal)
        oldest = f"(SELECT seq {sql} ORDER BY seq DESC LIMIT 1 OFFSET ?)"
        self._db.execute(f"DELETE {sql} AND seq <= {oldest}", (*values, *values, keep))

    def remove(self, kind: str, region: str, id_: str) -> None:
        """Forget the document; none is no error."""
        self._db.execute("DELETE FROM objects WHERE kind = ? AND region = ? AND id = ?", (kind, region, id_))

    def find(
        self,
        kind: str,
        region: str,
        equal: dict[str, Any],
        *,
        newest_first: bool = False,
        after: str | None = None,
        limit: int | None = None,
        matching: dict[str, str] | None = None,
        since: dict[str, float] | None = None,
    ) -> list[Document]:
        """Documents whose fields equal those asked for, in the order of creation.

        Args:
            kind: the kind of object.
            region: where it lives.
            equal: field to value; a list, tuple or set of values means any of them, None a null or no field.
            newest_first: turn the order round.
            after: the id of the last document already known (the API's `marker`).
            limit: at most so many.
            matching: field to a regular expression that its text must contain.
            since: field to the least value it may have.
        """
        sql, values = self._where(kind, region, equal)
        for field, pattern in (matching or {}).items():
            sql += f" AND {_column(field)} REGEXP ?"
            values.append(pattern)
        for field, least in (since or {}).items():
            sql += f" AND {_column(field)} >= ?"
            values.append(least)
        if after is not None:
            sql += f" AND seq {'<' if newest_first else '>'} "
            sql += "(SELECT seq FROM objects WHERE kind = ? AND region = ? AND id = ?)"
            values += [kind, region, after]
        sql += f" ORDER BY seq {'DESC' if newest_first else 'ASC'}"
        if limit is not None:
            sql += " LIMIT ?"
            values.append(limit)
        return [json.loads(row[0]) for row in self._db.execute("SELECT doc " + sql, values)]

    def count(self, kind: str, region: str, equal: dict[str, Any]) -> int:
        """How many documents `find` would return."""
        sql, values = self._where(kind, region, equal)
        return int(self._db.execute("SELECT count(*) " + sql, values).fetchone()[0])

    def total(self, kind: str, region: str, field: str, equal: dict[str, Any]) -> int:
        """The sum of a numeric field over the documents that `find` would return."""
        sql, values = self._where(kind, region, equal)
        row = self._db.execute(f"SELECT total({_column(field)}) " + sql, values).fetchone()
        return int(row[0])

    @staticmethod
    def _where(kind: str, region: str, equal: dict[str, Any]) -> tuple[str, list[Any]]:
        sql = "FROM objects WHERE kind = ? AND region = ?"
        values: list[Any] = [kind, region]
        for field, wanted in equal.items():
            column = _column(field)
            if wanted is None:
                sql += f" AND {column} IS NULL"
            elif isinstance(wanted, list | tuple | set | frozenset):
                sql += f" AND {column} IN ({', '.join('?' * len(wanted))})"
                values += wanted
            else:
                sql += f" AND {column} = ?"
                values.append(wanted)
        return sql, values

    def schedule(self, step: Step) -> None:
        """Remember a step."""
        self._db.execute(
            "INSERT INTO steps (at, name, region, project, user, subject, args) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*step[:6], json.dumps(step.args)),
        )

    def cancel(self, subject: str, names: tuple[str, ...] = ()) -> None:
        """Forget the steps still to come for `subject`: those named, or all."""
        sql = "DELETE FROM steps WHERE subject = ?"
        if names:
            sql += f" AND name IN ({', '.join('?' * len(names))})"
        self._db.execute(sql, (subject, *names))

    def next_due(self, now: float) -> Step | None:
        """Take the earliest step that is due, removing it."""
        row = self._db.execute(
            "SELECT seq, at, name, region, project, user, subject, args FROM steps WHERE at <= ?"
            " ORDER BY at, seq LIMIT 1",
            (now,),
        ).fetchone()
        if row is None:
            return None
        self._db.execute("DELETE FROM steps WHERE seq = ?", (row[0],))
        _, at, name, region, project_id, user_id, subject, args = row
        return Step(at, name, region, project_id, user_id, subject, json.loads(args))


def _column(field: str) -> str:
    """A field as SQL: a column where there is one, so that its index serves."""
    return field if field in COLUMNS else f"""json_extract(doc, '$."{field}"')"""


def _search(pattern: str, text: Any) -> bool:
    """SQL's REGEXP."""
    return is_found(pattern, str(text))
