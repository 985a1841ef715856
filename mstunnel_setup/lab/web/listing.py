"""Long lists in pages of fifty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from starlette.requests import Request

from mstunnel_setup.foreign import whole_number

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
    number = min(max(1, whole_number(request.query_params.get("page", "1")) or 1), last)
    return Listing(everything[(number - 1) * _SIZE : number * _SIZE], number, last, total)
