"""Single images of an OCI archive: Podman does not load archives with several."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.errors import EngineError

_BLOCK = 512
_CHUNK = 1 << 20
# tar(5): an archive ends with two empty blocks.
_END = bytes(2 * _BLOCK)


def each(archive: str) -> Iterator[IO[bytes] | Iterator[bytes]]:
    """Archives that Podman can load one by one: the archive itself, or one for each of several images."""
    try:
        images = archived_images(archive)
    except EngineError:
        # Another format, or damaged: Podman reports it.
        images = ()
    if len(images) > 1:
        yield from (alone(archive, image.digest) for image in images)
    else:
        with Path(archive).open("rb") as content:
            yield content


def alone(archive: str, digest: str) -> Iterator[bytes]:
    """The archive reduced to the image with that manifest, piece by piece.

    Raises OSError, tarfile.TarError, ValueError or KeyError when it is not an OCI archive.
    """
    with tarfile.open(archive) as opened:
        members = {member.name.removeprefix("./"): member for member in opened}
        index: dict[str, Any] = json.loads(_content(opened, members["index.json"]))
        index["manifests"] = [each for each in index["manifests"] if each["digest"] == digest]
        manifest = json.loads(_content(opened, members[_path(digest)]))
        blobs = {digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
        yield from _member("index.json", io.BytesIO(json.dumps(index).encode()))
        for name in ("oci-layout", *map(_path, sorted(blobs))):
            content = opened.extractfile(members[name])
            if content is not None:
                yield from _member(name, content)
    yield _END


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = opened.extractfile(member)
    return b"" if content is None else content.read()


def _member(name: str, content: IO[bytes]) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    yield header.tobuf()
    while piece := content.read(_CHUNK):
        yield piece
    yield bytes(-header.size % _BLOCK)
