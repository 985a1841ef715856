"""A QR code for a terminal: two rows of modules in a line of half blocks."""

from itertools import zip_longest
from typing import Final

import segno

_BORDER: Final = 2
"""Light modules around: ISO/IEC 18004 asks for four; two are enough for a reader (see the tests)."""
_BLOCKS: Final = {(1, 1): "█", (1, 0): "▀", (0, 1): "▄", (0, 0): " "}


def qr_lines(text: str) -> list[str]:
    """The lines of the code, dark modules as blocks: to be shown in black on white."""
    rows = list(segno.make(text, error="l", micro=False).matrix_iter(border=_BORDER))
    return [
        "".join(_BLOCKS[upper, lower] for upper, lower in zip_longest(top, bottom, fillvalue=0))
        for top, bottom in zip_longest(rows[::2], rows[1::2], fillvalue=())
    ]
