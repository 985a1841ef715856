"""The lab's memory: one SQLite file that survives a power cut (WAL, synchronous FULL).

Entities are pydantic models kept as JSON, found by their kind (the class) and id. The lab's handlers run in
one event loop and never wait between two calls, so one connection is enough.
"""

import sqlite3
from collections.abc import Iterator
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
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside happen at once or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

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
        rows = self._connection.execute(
            "SELECT body FROM entity WHERE kind = ?1 AND (?2 IS NULL OR parent = ?2) ORDER BY position",
            (kind.__name__, parent),
        )
        return tuple(kind.model_validate_json(row[0]) for row in rows)

    def count(self, kind: type[Entity]) -> int:
        """Return how many entities of a kind there are."""
        row = self._connection.execute("SELECT count(*) FROM entity WHERE kind = ?", (kind.__name__,))
        return int(row.fetchone()[0])

    def some(self, kind: type[E], skip: int, limit: int) -> tuple[E, ...]:
        """Return a part of the entities of a kind, in the order they were added."""
        rows = self._connection.execute(
            "SELECT body FROM entity WHERE kind = ? ORDER BY position LIMIT ? OFFSET ?",
            (kind.__name__, limit, skip),
        )
        return tuple(kind.model_validate_json(row[0]) for row in rows)

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
