"""A publisher of releases: directory, keys and a real web server."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

from scripts.release.feed import publish
from tests.serving import serving


def release(day: int, more: str = "") -> str:
    """Return a release in the form of the catalogue."""
    digests = f'server = "sha256:{day:064x}"\nagent = "sha256:{day + 100:064x}"'
    return f"[[release]]\npublished = 2026-01-{day:02}\n{digests}\n{more}\n"


class Publisher:
    """The publisher's directory, keys and web server."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.directory, self._place = directory / "feed", directory

    def publish(
        self,
        *releases: str,
        days: int = 14,
        now: datetime | None = None,
        keys: str = "keys",
        programs: Mapping[str, tuple[Path, str]] = MappingProxyType({}),
    ) -> None:
        catalogue = self._place / "catalogue.toml"
        catalogue.write_text("".join(releases))
        publish(self.directory, catalogue, self._place / keys, days, now, offered=programs)

    @property
    def root(self) -> bytes:
        return (self.directory / "metadata" / "1.root.json").read_bytes()

    def copy(self) -> Path:
        """Return a copy of the directory in its present state."""
        return Path(shutil.copytree(self.directory, self._place / f"copy-{len(list(self._place.iterdir()))}"))

    def serve_again(self, earlier: Path) -> None:
        shutil.rmtree(self.directory)
        shutil.copytree(earlier, self.directory)


@contextmanager
def served(publisher: Publisher) -> Iterator[str]:
    """Serve the feed and yield its address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(publisher.directory))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"
