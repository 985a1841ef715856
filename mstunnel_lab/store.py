"""The lab's memory: one SQLite file that survives a power cut (WAL, synchronous FULL).

Entities are pydantic models kept as JSON, found by their kind (the class) and id. The lab's handlers run in
one event loop and never wait between two calls, so one connection is enough.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self, TypeVar

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


class Entity(Protocol):
    """What can be stored: a pydantic model with an id."""

    @property
    def id(self) -> str:
        """Unique among the entities of one kind."""
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
        """Close the file."""
        self._connection.close()

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run a statement that changes something."""
        self._connection.execute(statement, tuple(values))

    def trend(self, server: str, start: float, end: float) -> dict[int, str]:
        """Return the trends of a server by their begin, those in [start, end], oldest first."""
        return dict(
            self._connection.execute(
                "SELECT begin, body FROM trend WHERE server = ? AND begin BETWEEN ? AND ? ORDER BY begin",
                (server, start, end),
            )
        )

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Do not wait for the disk: for what the next minute writes again.

        A killed lab loses nothing of it, only a machine without power; the file stays whole in any case.
        """
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with self.transaction():
                yield
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside happen at once or not at all, also inside another one."""
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
        """Undo everything inside: it shows whether it would be refused."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def add(self, entity: Entity, parent: str = "", expires: float | None = None) -> None:
        """Store a new entity; `expires` is a Unix time after which it may be forgotten.

        Raises `sqlite3.IntegrityError` when the id is taken.
        """
        self._connection.execute(
            "INSERT INTO entity (kind, id, parent, expires, body) VALUES (?, ?, ?, ?, ?)",
            (type(entity).__name__, entity.id, parent, expires, entity.model_dump_json(by_alias=True)),
        )

    def get(self, kind: type[E], identifier: str) -> E | None:
        """Return one entity, or None."""
        row = self._connection.execute(
            "SELECT body FROM entity WHERE kind = ? AND id = ?", (kind.__name__, identifier)
        ).fetchone()
        return kind.model_validate_json(row[0]) if row else None

    def each(self, kind: type[E], parent: str | None = None) -> tuple[E, ...]:
        """Return all entities of a kind in the order they were added, or those below one parent."""
        return self.some(kind, 0, -1, parent)

    def with_app_id(self, kind: type[E], app_id: str) -> E | None:
        """Return the first entity of a kind whose property `appId` is this, or None."""
        row = self._connection.execute(
            "SELECT body FROM entity WHERE kind = ? AND json_extract(body, '$.appId') = ?",
            (kind.__name__, app_id),
        ).fetchone()
        return kind.model_validate_json(row[0]) if row else None

    def count(self, kind: type[Entity], parent: str | None = None) -> int:
        """Return how many entities of a kind there are, or how many below one parent."""
        where, values = _which(kind, parent)
        (found,) = self._connection.execute(f"SELECT count(*) FROM entity {where}", values).fetchone()  # noqa: S608
        return int(found)

    def some(self, kind: type[E], skip: int, limit: int, parent: str | None = None) -> tuple[E, ...]:
        """Return a part of the entities of a kind, in the order they were added; all for a `limit` of -1."""
        where, values = _which(kind, parent)
        statement = f"SELECT body FROM entity {where} ORDER BY position LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._connection.execute(statement, (*values, limit, skip))
        return tuple(kind.model_validate_json(body) for (body,) in rows)

    def replace(self, entity: Entity) -> None:
        """Store the new state of an entity that exists."""
        self._connection.execute(
            "UPDATE entity SET body = ? WHERE kind = ? AND id = ?",
            (entity.model_dump_json(by_alias=True), type(entity).__name__, entity.id),
        )

    def remove(self, kind: type[Entity], identifier: str) -> None:
        """Remove one entity."""
        self._connection.execute("DELETE FROM entity WHERE kind = ? AND id = ?", (kind.__name__, identifier))

    def forget_expired(self, now: float) -> None:
        """Remove what expired before `now` (Unix time)."""
        self._connection.execute("DELETE FROM entity WHERE expires < ?", (now,))


def _which(kind: type[Entity], parent: str | None) -> tuple[str, tuple[str, ...]]:
    """Return a condition that an index answers, and its values."""
    if parent is None:
        return "WHERE kind = ?", (kind.__name__,)
    return "WHERE kind = ? AND parent = ?", (kind.__name__, parent)
