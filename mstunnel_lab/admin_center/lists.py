"""Lists of the admin center: searched, sorted and turned page by page on the server."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from mstunnel_lab.admin_center.render import PageLanguage, words
from mstunnel_setup.base.parsing import whole_number

_SIZE: Final = 50
_LONGEST_SEARCH: Final = 200
_NUMBERS: Final = re.compile(r"([0-9]{1,18})")


class Listed(Protocol):
    """An object with its own page."""

    @property
    def id(self) -> str:
        """Its id, the end of the address of that page."""
        ...


Item = TypeVar("Item", bound=Listed)


@dataclass(frozen=True)
class Column(Generic[Item]):
    """One column. `kind`: text as it is, word (one of ours, which is translated), or status."""

    name: str
    label: str
    text: Callable[[Item], str]
    kind: str = "text"

    def read(self, item: Item, say: PageLanguage) -> str:
        """What a reader sees."""
        return say(self.text(item)) if self.kind != "text" else self.text(item)


@dataclass(frozen=True)
class ListRow:
    """One line: what to show in the columns, and the id of the page that the first of them leads to."""

    id: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """One page of a list; numbers count from 1. `total` is how many were found."""

    columns: tuple[Column[Any], ...]
    rows: tuple[ListRow, ...]
    number: int
    last: int
    total: int
    search: str
    sort: str
    descending: bool

    def link(self, number: int = 1, sort: str = "", search: str | None = None) -> str:
        """The query of another page, or of the list sorted by a column: down where it is sorted already."""
        down = self.descending if not sort else sort == self.sort and not self.descending
        wanted = {
            "q": self.search if search is None else search,
            "sort": sort or self.sort,
            "order": "down" if down else "",
            "page": str(number) if number > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in wanted.items() if value})


def listing(request: Request, everything: Sequence[Item], columns: Sequence[Column[Item]]) -> Listing:
    """Return the page of a list that the query asks for by `q`, `sort`, `order` and `page`.

    Where there is no such page, it is the nearest. Without search and order, no more than it is read.
    """
    query, say = request.query_params, words(request)
    search = query.get("q", "").strip()[:_LONGEST_SEARCH]
    by = next((column for column in columns if column.name == query.get("sort")), None)
    down = query.get("order") == "down"
    found = everything
    if search:
        wanted = search.casefold()
        found = [item for item in found if any(wanted in each.read(item, say).casefold() for each in columns)]
    if by:
        found = sorted(found, key=lambda item: _natural(by.read(item, say)), reverse=down)
    last = max(1, -(-len(found) // _SIZE))
    number = min(max(1, whole_number(query.get("page", "1")) or 1), last)
    shown = found[(number - 1) * _SIZE : number * _SIZE]
    rows = tuple(ListRow(item.id, tuple(column.text(item) for column in columns)) for item in shown)
    return Listing(
        tuple(columns), rows, number, last, len(found), search, by.name if by else "", bool(by) and down
    )


def _natural(text: str) -> list[tuple[int, str]]:
    """A key by which gw10 comes after gw9."""
    parts = _NUMBERS.split(text.casefold())
    return [(0, part) if (number := whole_number(part, 18)) is None else (number, "") for part in parts]
