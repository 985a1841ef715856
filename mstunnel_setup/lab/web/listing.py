"""Long lists in pages of fifty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from starlette.requests import Request

_SIZE: Final = 50
Item = TypeVar("Item")


@dataclass(frozen=True)
class Listing(Generic[Item]):
    """One page of a list; numbers count from 1."""

    items: Sequence[Item]
    number: int
    last: int
    total: int


def listing(request: Request, everything: Sequence[Item]) -> Listing[Item]:
    """Return the page that the query parameter `page` names, the nearest one there is."""
    total = len(everything)
    last = max(1, -(-total // _SIZE))
    text = request.query_params.get("page", "1")
    wanted = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 1  # noqa: PLR2004
    number = min(max(1, wanted), last)
    return Listing(everything[(number - 1) * _SIZE : number * _SIZE], number, last, total)
