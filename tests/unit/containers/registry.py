"""A container registry for tests: it serves one OCI archive over HTTP (OCI distribution 1.1, pull only)."""

import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.serving import Answer, Request, answering

_CHUNK = 65536
_JSON = {"Content-Type": "application/json"}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """The registry's blobs by digest; `delay` in seconds before each 64 KiB of a layer."""

    def __init__(self, archive: Path) -> None:
        self.delay = 0.0
        self.address = ""
        with tarfile.open(archive) as opened:
            self.blobs = {
                f"sha256:{Path(member.name).name}": content.read()
                for member in opened
                if "blobs/sha256/" in member.name and (content := opened.extractfile(member)) is not None
            }


@contextmanager
def serve(registry: Registry) -> Iterator[Registry]:
    def answer(request: Request) -> Answer:
        digest = request.path.rsplit("/", 1)[-1]
        if request.path == "/v2/":
            return Answer(headers=_JSON)
        if digest not in registry.blobs or "/server/" not in request.path:
            return Answer(
                404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', _JSON
            )
        body = registry.blobs[digest]
        kind = _MANIFEST if "/manifests/" in request.path else "application/octet-stream"
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Docker-Content-Digest": digest}
        return Answer(200, _pieces(body, registry.delay), headers)

    with answering(answer) as port:
        registry.address = f"127.0.0.1:{port}"
        yield registry


def _pieces(body: bytes, delay: float) -> Iterator[bytes]:
    for start in range(0, len(body), _CHUNK):
        time.sleep(delay if len(body) > _CHUNK else 0)
        yield body[start : start + _CHUNK]
