"""The lab's storage: one SQLite file that survives a power cut (WAL, synchronous FULL).

Entities are pydantic models stored as JSON, by kind (the class) and id. The lab's handlers run in one event
loop and never await between two calls, so one connection is enough.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, Protocol, Self, TypeVar

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entity (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT NOT NULL,
    expires REAL,
    body TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS entity_parent ON entity (kind, parent);
CREATE INDEX IF NOT EXISTS entity_app ON entity (kind, json_extract(body, '$.appId'));
CREATE INDEX IF NOT EXISTS entity_expires ON entity (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS trend (
    server TEXT NOT NULL,
    begin INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (server, begin)
) WITHOUT ROWID;
"""


_BLOCKS_KEPT: Final = 8 * 30


class Point(NamedTuple):
    """The average of a metric over the block that begins at `at` (Unix time)."""

    at: int
    value: float


class Entity(Protocol):
    """An entity that can be stored: a pydantic model with an id."""

    @property
    def id(self) -> str:
        """Its id, unique among the entities of one kind."""
        ...

    def model_dump_json(self, *, by_alias: bool | None = None) -> str:
        """Return the entity as JSON."""
        ...

    @classmethod
    def model_validate_json(cls, json_data: str) -> Self:
        """Read the entity back."""
        ...


E = TypeVar("E", bound=Entity)


class Store:
    """Entities in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the database file."""
        self._connection.close()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Commit without waiting for the disk, for data that the next minute overwrites.

        A killed lab loses none of it, only a machine without power does; the file stays intact in any case.
        """
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with self.transaction():
                yield
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one transaction, even inside another one."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Roll back everything in the block, which shows whether it would be refused."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def add(self, entity: Entity, parent: str = "", expires: float | None = None) -> None:
        """Store a new entity; `expires` is a Unix time after which it may be removed.

        Raises `sqlite3.IntegrityError` if the id is taken.
        """
        self._connection.execute(
            "INSERT INTO entity (kind, id, parent, expires, body) VALUES (?, ?, ?, ?, ?)",
            (type(entity).__name__, entity.id, parent, expires, entity.model_dump_json(by_alias=True)),
        )

    def get(self, kind: type[E], identifier: str, parent: str | None = None) -> E | None:
        """Return one entity, or None; with `parent` only one below it."""
        if parent is None:
            return self._first(kind, "id = ?", identifier)
        return self._first(kind, "id = ? AND parent = ?", identifier, parent)

    def with_app_id(self, kind: type[E], app_id: str) -> E | None:
        """Return the first entity of a kind with this `appId`, or None."""
        return self._first(kind, "json_extract(body, '$.appId') = ?", app_id)

    def _first(self, kind: type[E], condition: str, *values: str) -> E | None:
        statement = f"SELECT body FROM entity WHERE kind = ? AND {condition}"  # noqa: S608
        row = self._connection.execute(statement, (kind.__name__, *values)).fetchone()
        return kind.model_validate_json(row[0]) if row else None

    def each(self, kind: type[E], parent: str | None = None) -> "Rows[E]":
        """Return all entities of a kind in insertion order, or those below one parent."""
        return Rows(self._connection, kind, parent)

    def replace(self, entity: Entity) -> None:
        """Store the new state of an existing entity."""
        self._connection.execute(
            "UPDATE entity SET body = ? WHERE kind = ? AND id = ?",
            (entity.model_dump_json(by_alias=True), type(entity).__name__, entity.id),
        )

    def remove(self, kind: type[Entity], identifier: str) -> None:
        """Remove one entity."""
        self._connection.execute("DELETE FROM entity WHERE kind = ? AND id = ?", (kind.__name__, identifier))

    def remove_below(self, kind: type[Entity], parent: str) -> None:
        """Remove all entities of a kind below one parent."""
        self._connection.execute("DELETE FROM entity WHERE kind = ? AND parent = ?", (kind.__name__, parent))

    def forget_expired(self, now: float) -> None:
        """Remove entities that expired before `now` (Unix time)."""
        self._connection.execute("DELETE FROM entity WHERE expires < ?", (now,))

    def add_trend(self, server: str, metrics: Mapping[str, int], at: float, block: int) -> None:
        """Add a server's report at a Unix time to the averages of its block of `block` seconds."""
        begin = int(at // block) * block
        present = self._trend(server, begin, begin)
        sums = json.loads(present[begin]) if present else {}
        for name, value in metrics.items():
            total, count = sums.get(name, (0, 0))
            sums[name] = (total + value, count + 1)
        self._connection.execute(
            "INSERT OR REPLACE INTO trend (server, begin, body) VALUES (?, ?, ?)",
            (server, begin, json.dumps(sums)),
        )
        if not present:
            oldest = begin - block * _BLOCKS_KEPT
            self._connection.execute("DELETE FROM trend WHERE server = ? AND begin < ?", (server, oldest))

    def trend(self, server: str, metric: str, start: float, end: float) -> tuple[Point, ...]:
        """Return the averages of a metric whose blocks begin in [start, end], oldest first."""
        bodies = self._trend(server, start, end).items()
        sums = [(begin, json.loads(body).get(metric)) for begin, body in bodies]
        return tuple(Point(begin, found[0] / found[1]) for begin, found in sums if found)

    def forget_trends(self, server: str) -> None:
        """Remove all trends of a server."""
        self._connection.execute("DELETE FROM trend WHERE server = ?", (server,))

    def _trend(self, server: str, start: float, end: float) -> dict[int, str]:
        statement = "SELECT begin, body FROM trend WHERE server = ? AND begin BETWEEN ? AND ? ORDER BY begin"
        return dict(self._connection.execute(statement, (server, start, end)))


class Rows(Sequence[E], Generic[E]):
    """All entities of a kind, or those below one parent, read on access: all, or a slice."""

    def __init__(self, connection: sqlite3.Connection, kind: type[E], parent: str | None) -> None:
        self._connection = connection
        self._kind = kind
        # An index covers this condition.
        self._where = "kind = ?" if parent is None else "kind = ? AND parent = ?"
        self._values = (kind.__name__,) if parent is None else (kind.__name__, parent)

    def __len__(self) -> int:
        statement = f"SELECT count(*) FROM entity WHERE {self._where}"  # noqa: S608
        (found,) = self._connection.execute(statement, self._values).fetchone()
        return int(found)

    def __iter__(self) -> Iterator[E]:
        return iter(self._read(0, -1))

    def __getitem__(self, index: Any) -> Any:
        """Return one entity, or those of a slice."""
        if isinstance(index, int):
            return self._read(0, -1)[index]
        start, stop, _ = index.indices(len(self))
        return self._read(start, max(0, stop - start))

    def _read(self, skip: int, limit: int) -> tuple[E, ...]:
        statement = f"SELECT body FROM entity WHERE {self._where} ORDER BY position LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._connection.execute(statement, (*self._values, limit, skip))
        return tuple(self._kind.model_validate_json(body) for (body,) in rows)
