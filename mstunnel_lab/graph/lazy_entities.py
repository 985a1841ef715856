"""Entities of the store as sequences: only the part that is wanted is read."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, overload

from mstunnel_lab.store import E, Store
from mstunnel_setup.base.values import JsonObject


class Rows(Sequence[E], Generic[E]):
    """All entities of a kind, or those below one parent."""

    def __init__(self, store: Store, kind: type[E], parent: str | None = None) -> None:
        self._store = store
        self._kind = kind
        self._parent = parent

    def __len__(self) -> int:
        return self._store.count(self._kind, self._parent)

    def __iter__(self) -> Iterator[E]:
        return iter(self._store.each(self._kind, self._parent))

    @overload
    def __getitem__(self, index: int) -> E: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[E, ...]: ...

    def __getitem__(self, index: int | slice) -> E | tuple[E, ...]:
        if isinstance(index, int):
            return self[index : index + 1][0]
        start, stop, _ = index.indices(len(self))
        return self._store.some(self._kind, start, max(0, stop - start), self._parent)


class Documents(Sequence[JsonObject], Generic[E]):
    """The same as JSON documents, as `show` renders them."""

    def __init__(
        self, store: Store, kind: type[E], show: Callable[[E], JsonObject], parent: str | None = None
    ) -> None:
        self._rows = Rows(store, kind, parent)
        self._show = show

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[JsonObject]:
        return (self._show(item) for item in self._rows)

    @overload
    def __getitem__(self, index: int) -> JsonObject: ...

    @overload
    def __getitem__(self, index: slice) -> list[JsonObject]: ...

    def __getitem__(self, index: int | slice) -> JsonObject | list[JsonObject]:
        if isinstance(index, int):
            return self._show(self._rows[index])
        return [self._show(item) for item in self._rows[index]]
