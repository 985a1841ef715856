"""An OCI archive as Docker loads it.

Docker's classic image store (before containerd's) only loads archives with a `manifest.json`, which the OCI
format lacks: it is appended while the archive is streamed. Docker then names an image by the digest of its
configuration, which the manifest contains; so the digest of the manifest verifies the loaded image.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.containers.errors import IMAGE_ARCHIVE_DAMAGED

_CHUNK = 1 << 20
_BLOCK = 512
# tar(5): an archive ends with two empty blocks.
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True)
class Loadable:
    """An image of an archive: name (may be empty), digest of its manifest, and the id it gets in Docker."""

    name: str
    digest: str
    id: str
    layers: tuple[str, ...]


def loadable(archive: str) -> tuple[Loadable, ...]:
    """The images of an OCI archive, each verified by its digest.

    Raises EngineError `image-archive-unusable` or `image-archive-damaged`.
    """
    images = archived_images(archive)
    with tarfile.open(archive) as opened:
        return tuple(_loadable(opened, image.digest, image.name) for image in images)


def stream(archive: str, images: Sequence[Loadable]) -> Iterator[bytes]:
    """The archive with the `manifest.json` that Docker needs, piece by piece."""
    with tarfile.open(archive) as opened:
        end = max((_after(member) for member in opened), default=0)
    with Path(archive).open("rb") as content:
        while end > 0 and (piece := content.read(min(_CHUNK, end))):
            end -= len(piece)
            yield piece
    yield _member("manifest.json", json.dumps([_entry(image) for image in images]).encode())
    yield _END


def _loadable(opened: tarfile.TarFile, digest: str, name: str) -> Loadable:
    manifest = json.loads(_verified(opened, digest))
    layers = tuple(str(layer["digest"]) for layer in manifest["layers"])
    return Loadable(name, digest, str(manifest["config"]["digest"]), layers)


def _verified(opened: tarfile.TarFile, digest: str) -> bytes:
    """The blob `digest`; EngineError `image-archive-damaged` when its content has another digest."""
    member = opened.extractfile(_member_of(opened, digest))
    content = b"" if member is None else member.read()
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise IMAGE_ARCHIVE_DAMAGED(problem=f"the content of {digest} has another digest")
    return content


def _member_of(opened: tarfile.TarFile, digest: str) -> tarfile.TarInfo:
    path = _path(digest)
    for name in (path, f"./{path}"):
        if name in opened.getnames():
            return opened.getmember(name)
    raise IMAGE_ARCHIVE_DAMAGED(problem=f"{path} is missing")


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _entry(image: Loadable) -> dict[str, Any]:
    # A short name would mean one on Docker Hub.
    tags = [image.name] if "/" in image.name else None
    return {"Config": _path(image.id), "RepoTags": tags, "Layers": [_path(layer) for layer in image.layers]}


def _member(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    made = io.BytesIO(header.tobuf() + content)
    return made.getvalue() + bytes(-len(content) % _BLOCK)


def _after(member: tarfile.TarInfo) -> int:
    """Where the blocks of a member end."""
    return member.offset_data + -(-member.size // _BLOCK) * _BLOCK
