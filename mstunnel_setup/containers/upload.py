"""An archive on its way into a container engine, counted for the person who waits for it."""

from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from mstunnel_setup.containers.engine import Progress

_PIECE: Final = 1 << 20


class Upload:
    """The images of one archive file; `progress` gets the bytes sent and the size of the file."""

    def __init__(self, archive: str, progress: Progress) -> None:
        self._progress = progress
        self._size = Path(archive).stat().st_size
        self._sent = 0

    def counted(self, content: BufferedIOBase | Iterable[bytes]) -> Iterator[bytes]:
        """The same content, piece by piece."""
        for piece in _pieces(content):
            yield piece
            # Layers that two images share are sent twice.
            self._sent = min(self._size, self._sent + len(piece))
            self._progress(self._sent, self._size)

    def end(self) -> None:
        """Report that all is there: what an engine does not need is not sent."""
        self._progress(self._size, self._size)


def _pieces(content: BufferedIOBase | Iterable[bytes]) -> Iterable[bytes]:
    """Files would be cut into lines."""
    return iter(lambda: content.read(_PIECE), b"") if isinstance(content, BufferedIOBase) else content
