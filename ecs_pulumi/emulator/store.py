"""The state of the cloud: JSON documents and pending steps in one SQLite database.

An object is a document: a dict with an `id`, stored under its kind (`server`, `port`, `volume`, …) and region.
A *step* is a delayed change: a time, the name of a function and its arguments. Nothing runs in the background:
before a transaction, the steps that are due are run, each with the time at which it was due. Time can therefore
be scaled or frozen, and a restart preserves both the objects and the pending steps.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Document = dict[str, Any]

# Fields with an index. Filters for other fields work as well, but scan all documents of the kind.
INDEXED = ("project_id", "name", "network_id", "device_id", "server_id", "volume_id", "expires", "updated")
# Fields that are summed by project.
SUMMED = ("size",)

# Real columns, because SQLite computes a count or a sum from the index alone only for real columns.
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
    """A change of the object `subject` that is due at the time `at`, on behalf of a project and a user."""

    at: float
    name: str
    region: str
    project_id: str
    user_id: str
    subject: str
    args: dict[str, Any]


KEPT = {"token": 1000, "action": 5000, "message": 1000}
"""The number of documents kept per region, for kinds that only record the past; older documents are deleted."""
PRUNED_EVERY = 50
"""Documents are pruned after this number of writes."""

VERSION = 1
"""The version of the schema; state files of other versions are rejected."""


_COPIED = ", ".join(("seq", "kind", "region", "id", "doc", *COLUMNS))
_UNRECORDED = ("token", "access-key")
"""Kinds of Keystone, whose objects always have their current state."""
_PRIOR = ", ".join(f"OLD.{column}" for column in _COPIED.split(", "))
_ROWS = {
    "INSERT": ("NEW", "NULL, NEW.kind, NEW.region, NEW.id" + ", NULL" * (1 + len(COLUMNS))),
    "UPDATE": ("OLD", _PRIOR),
    "DELETE": ("OLD", _PRIOR),
}
_TRIGGER = (
    "CREATE TEMP TRIGGER history_{event} AFTER {event} ON main.objects WHEN {row}.kind NOT IN {without}"
    " BEGIN INSERT INTO history (moment, {columns}) VALUES (moment(), {values}); END;"
)
HISTORY = f"CREATE TEMP TABLE history (number INTEGER PRIMARY KEY, moment REAL NOT NULL, {_COPIED});" + "".join(
    _TRIGGER.format(event=event, row=row, values=values, without=_UNRECORDED, columns=_COPIED)
    for event, (row, values) in _ROWS.items()
)
"""The prior row of each change, or one without `seq` for an object that did not exist. In memory only."""


class StateError(Exception):
    """The state file cannot be used; the message states the reason."""


class Store:
    """Stores documents and steps. Call every method inside `transaction()`."""

    def __init__(self, path: str = ":memory:") -> None:
        # Autocommit mode: `transaction` issues BEGIN, COMMIT and ROLLBACK itself.
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and version != VERSION:
                raise StateError(f"{path} is not a state file of this version of the emulator; choose another file")
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
        """Run the block as a transaction, one thread at a time. A nested transaction joins the outer one."""
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

    def record_history(self, moment: Callable[[], float] | None) -> None:
        """Record the prior documents of all changes from now on, and forget earlier ones.

        Args:
            moment: returns the time of a change; None records nothing.
        """
        with self._lock:
            for event in _ROWS:
                self._db.execute(f"DROP TRIGGER IF EXISTS history_{event}")
            self._db.execute("DROP TABLE IF EXISTS temp.history")
            if moment:
                self._db.create_function("moment", 0, moment)
                self._db.executescript(HISTORY)

    @contextmanager
    def view_of(self, moment: float) -> Iterator[None]:
        """Show the objects as they were at a time, which needs a history of the changes since then.

        The block must not change anything. Older history is deleted.
        """
        self._db.execute("DELETE FROM history WHERE moment <= ?", (moment,))
        prior = self._db.execute(
            f"SELECT {_COPIED} FROM history WHERE number IN (SELECT min(number) FROM history GROUP BY kind, region, id)"  # noqa: S608
        ).fetchall()
        self._db.execute("SAVEPOINT present")
        try:
            for row in prior:
                self.remove(*row[1:4])
            slots = ", ".join("?" * (5 + len(COLUMNS)))
            existing = [row for row in prior if row[0] is not None]
            self._db.executemany(f"INSERT INTO objects ({_COPIED}) VALUES ({slots})", existing)  # noqa: S608
            yield
        finally:
            self._db.execute("ROLLBACK TO present")
            self._db.execute("RELEASE present")

    def get(self, kind: str, region: str, id_: str) -> Document | None:
        """Return the document, or None."""
        row = self._db.execute(
            "SELECT doc FROM objects WHERE kind = ? AND region = ? AND id = ?", (kind, region, id_)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, region: str, doc: Document) -> None:
        """Insert or overwrite a document; an overwritten document keeps its position in the order of creation."""
        values = (kind, region, doc["id"], json.dumps(doc), *(doc.get(field) for field in COLUMNS))
        self._db.execute(PUT, values)
        if kind in KEPT:
            self.prune(kind, region, KEPT[kind])

    def prune(self, kind: str, region: str, keep: int, **equal: Any) -> None:
        """Delete all but the `keep` newest documents with these fields.

        Most calls do nothing: only every `PRUNED_EVERY`-th one prunes, because that scans the documents.
        """
        self._puts[kind] += 1
        if self._puts[kind] % PRUNED_EVERY:
            return
        sql, values = self._where(kind, region, equal)
        oldest = f"(SELECT seq {sql} ORDER BY seq DESC LIMIT 1 OFFSET ?)"
        self._db.execute(f"DELETE {sql} AND seq <= {oldest}", (*values, *values, keep))

    def remove(self, kind: str, region: str, id_: str) -> None:
        """Delete the document if it exists."""
        self._db.execute("DELETE FROM objects WHERE kind = ? AND region = ? AND id = ?", (kind, region, id_))

    def find(
        self,
        kind: str,
        region: str,
        *,
        newest_first: bool = False,
        after: str | None = None,
        limit: int | None = None,
        matching: dict[str, str] | None = None,
        since: dict[str, float] | None = None,
        **equal: Any,
    ) -> list[Document]:
        """Return the documents that match all filters, in the order of creation.

        Args:
            kind: the kind of object.
            region: the region of the objects.
            newest_first: reverse the order.
            after: return only documents after the one with this id (the API's `marker`).
            limit: the maximum number of documents.
            matching: field to a regular expression that must match somewhere in its text.
            since: field to its minimum value.
            equal: field to value; a list, tuple or set matches any of its values, None matches null and no field.
        """
        sql, values = self._where(kind, region, equal)
        for field, pattern in (matching or {}).items():
            sql += f" AND {_column(field)} REGEXP ?"
            values.append(pattern)
        for field, minimum in (since or {}).items():
            sql += f" AND {_column(field)} >= ?"
            values.append(minimum)
        if after is not None:
            sql += f" AND seq {'<' if newest_first else '>'} "
            sql += "(SELECT seq FROM objects WHERE kind = ? AND region = ? AND id = ?)"
            values += [kind, region, after]
        sql += f" ORDER BY seq {'DESC' if newest_first else 'ASC'}"
        if limit is not None:
            sql += " LIMIT ?"
            values.append(limit)
        return [json.loads(row[0]) for row in self._db.execute("SELECT doc " + sql, values)]

    def count(self, kind: str, region: str, **equal: Any) -> int:
        """Return the number of documents that `find` would return."""
        sql, values = self._where(kind, region, equal)
        return int(self._db.execute("SELECT count(*) " + sql, values).fetchone()[0])

    def total(self, kind: str, region: str, field: str, **equal: Any) -> int:
        """Return the sum of a numeric field over the documents that `find` would return."""
        sql, values = self._where(kind, region, equal)
        row = self._db.execute(f"SELECT total({_column(field)}) " + sql, values).fetchone()
        return int(row[0])

    @staticmethod
    def _where(kind: str, region: str, equal: dict[str, Any]) -> tuple[str, list[Any]]:
        sql = "FROM objects WHERE kind = ? AND region = ?"
        values: list[Any] = [kind, region]
        for field, expected in equal.items():
            column = _column(field)
            if expected is None:
                sql += f" AND {column} IS NULL"
            elif isinstance(expected, list | tuple | set | frozenset):
                sql += f" AND {column} IN ({', '.join('?' * len(expected))})"
                values += expected
            else:
                sql += f" AND {column} = ?"
                values.append(expected)
        return sql, values

    def schedule(self, step: Step) -> None:
        """Store a pending step."""
        self._db.execute(
            "INSERT INTO steps (at, name, region, project, user, subject, args) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*step[:6], json.dumps(step.args)),
        )

    def cancel(self, subject: str, names: tuple[str, ...] = ()) -> None:
        """Delete the pending steps of `subject`: those named, or all."""
        sql = "DELETE FROM steps WHERE subject = ?"
        if names:
            sql += f" AND name IN ({', '.join('?' * len(names))})"
        self._db.execute(sql, (subject, *names))

    def next_due(self, now: float) -> Step | None:
        """Remove and return the earliest step that is due, or None."""
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
    """Return the SQL expression of a field: its column, if it has one, so that the index is used."""
    return field if field in COLUMNS else f"""json_extract(doc, '$."{field}"')"""


def _search(pattern: str, text: Any) -> bool:
    """Implement SQL's REGEXP operator."""
    return re.search(pattern, str(text)) is not None
