"""A publisher of releases: folder, keys and a real web server."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.feed import publish


def release(day: int, more: str = "") -> str:
    """A release as the catalogue lists it."""
    digests = f'server = "sha256:{day:064x}"\nagent = "sha256:{day + 100:064x}"'
    return f"[[release]]\npublished = 2026-01-{day:02}\n{digests}\n{more}\n"


class Publisher:
    """The publisher's folder, keys and web server."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self._place = folder / "feed", folder

    def publish(
        self, *releases: str, days: int = 14, now: datetime | None = None, keys: str = "keys"
    ) -> None:
        catalogue = self._place / "catalogue.toml"
        catalogue.write_text("".join(releases))
        publish(self.folder, catalogue, self._place / keys, days, now)

    @property
    def root(self) -> bytes:
        return (self.folder / "metadata" / "1.root.json").read_bytes()

    def copy(self) -> Path:
        """The folder as it is now."""
        return Path(shutil.copytree(self.folder, self._place / f"copy-{len(list(self._place.iterdir()))}"))

    def serve_again(self, earlier: Path) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(earlier, self.folder)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
        """Nothing on the terminal of the tests."""


@contextmanager
def served(publisher: Publisher) -> Iterator[str]:
    """The address of the feed, meanwhile."""
    handler = partial(_Quiet, directory=str(publisher.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
