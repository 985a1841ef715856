"""A container registry for tests: serves one OCI archive over HTTP (OCI distribution 1.1, pull only)."""

import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.serving import serving

_CHUNK = 65536
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """What the server knows: blobs by digest; `delay` in seconds before each 64 KiB of a layer."""

    def __init__(self, archive: Path) -> None:
        self.delay = 0.0
        self.address = ""
        with tarfile.open(archive) as opened:
            self.blobs = {
                f"sha256:{Path(member.name).name}": content.read()
                for member in opened
                if "blobs/sha256/" in member.name and (content := opened.extractfile(member)) is not None
            }


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    """Answers with the blobs of `registry`."""

    registry: Registry

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        digest = self.path.rsplit("/", 1)[-1]
        if self.path == "/v2/":
            self._answer(200, b"{}", "application/json")
        elif digest in self.registry.blobs and "/server/" in self.path:
            kind = _MANIFEST if "/manifests/" in self.path else "application/octet-stream"
            self._answer(200, self.registry.blobs[digest], kind, digest)
        else:
            body = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
            self._answer(404, body, "application/json")

    def _answer(self, status: int, body: bytes, kind: str, digest: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if self.command == "GET":
            self._write(body)

    def _write(self, body: bytes) -> None:
        try:
            for start in range(0, len(body), _CHUNK):
                time.sleep(self.registry.delay if len(body) > _CHUNK else 0)
                self.wfile.write(body[start : start + _CHUNK])
        except ConnectionError:
            self.close_connection = True


@contextmanager
def serve(registry: Registry) -> Iterator[Registry]:
    handler = type("RegistryHandler", (Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        registry.address = f"127.0.0.1:{server.server_port}"
        yield registry
