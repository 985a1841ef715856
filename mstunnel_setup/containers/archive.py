"""Image archives: what they contain, and their content as Podman and Docker can load it.

Only the OCI format contains the manifest, and with it the digest. The Docker format contains unpacked layers:
the engine generates a new manifest, so the digest differs from the registry's.

Podman does not load archives with several images: each becomes a separate archive. Docker's classic
image store (before containerd's) only loads archives with a `manifest.json`, which the OCI format lacks: it
is appended while the archive is streamed. Docker then names an image by the digest of its configuration,
which the manifest contains; so the digest of the manifest verifies the loaded image.
"""

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from mstunnel_setup.containers.engine import Progress
from mstunnel_setup.containers.errors import IMAGE_ARCHIVE_DAMAGED, IMAGE_ARCHIVE_UNUSABLE
from mstunnel_setup.errors import EngineError
from mstunnel_setup.foreign import json_value

# Annotations with the name of an image: `docker save` (25 or later, which also writes OCI) puts the full name
# into the first and only the tag into the second, which is that of the OCI image specification 1.1.
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
# Bytes; no registry takes a longer manifest (OCI distribution specification 1.1), and an index is shorter.
_LONGEST = 4 * 1024 * 1024
_CHUNK = 1 << 20
_BLOCK = 512
# tar(5): an archive ends with two empty blocks.
_END = bytes(2 * _BLOCK)
_INDEX = "index.json"
_NO_ARCHIVE = "is not an image archive in OCI format"
_UNREADABLE = (OSError, EOFError, tarfile.TarError, zlib.error, ValueError)


class _Descriptor(BaseModel):
    """What an index or a manifest refers to; other properties are kept."""

    model_config = ConfigDict(extra="allow")

    digest: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
    annotations: dict[str, str] | None = None

    @property
    def path(self) -> str:
        return f"blobs/{self.digest.replace(':', '/', 1)}"


class _Index(BaseModel):
    model_config = ConfigDict(extra="allow")

    manifests: tuple[_Descriptor, ...]


class _Manifest(BaseModel):
    config: _Descriptor
    layers: tuple[_Descriptor, ...]


@dataclass(frozen=True)
class Archived:
    """An image in an archive: its manifest digest (`sha256:...`) and its name, which may be empty."""

    digest: str
    name: str


@dataclass(frozen=True)
class Loadable(Archived):
    """An image of an archive for Docker: `id` is the one it gets there; paths in the archive."""

    id: str
    config: str
    layers: tuple[str, ...]


class _Layout:
    """The files of an open archive (OCI image layout 1.0). What is not there raises KeyError."""

    def __init__(self, opened: tarfile.TarFile) -> None:
        self._opened = opened
        self.members = {item.name.removeprefix("./"): item for item in opened if item.isreg() or item.islnk()}

    def file(self, name: str) -> IO[bytes]:
        """One file, open for reading."""
        return self._opened.extractfile(self.members[name]) or io.BytesIO()

    def index(self) -> _Index:
        """The list of the images. Raises ValueError when it is none."""
        return _Index.model_validate(json_value(self.file(_INDEX).read(_LONGEST)))

    def manifest(self, image: _Descriptor) -> _Manifest:
        """The manifest of an image. Raises EngineError `image-archive-damaged` when it is another's."""
        content = self.file(image.path).read(_LONGEST)
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != image.digest:
            raise IMAGE_ARCHIVE_DAMAGED(problem=f"the content of {image.digest} has another digest")
        try:
            return _Manifest.model_validate(json_value(content))
        except ValueError as error:
            raise IMAGE_ARCHIVE_DAMAGED(problem=f"{image.digest} is not the manifest of an image") from error


def archived_images(archive: str) -> tuple[Archived, ...]:
    """The images in an OCI archive.

    Raises EngineError `image-archive-unusable` when it is missing, damaged or of another format.
    """
    try:
        with tarfile.open(archive) as opened:
            layout = _Layout(opened)
            if _INDEX not in layout.members and "manifest.json" in layout.members:
                problem = f"{_NO_ARCHIVE} but in Docker's, which does not contain the digest"
                raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=problem)
            return tuple(Archived(found.digest, _name(found)) for found in layout.index().manifests)
    except FileNotFoundError as error:
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem="does not exist") from error
    except (*_UNREADABLE, KeyError) as error:
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=_NO_ARCHIVE) from error


def loadable(archive: str) -> tuple[Loadable, ...]:
    """The images of an OCI archive, each verified by its digest.

    Raises EngineError `image-archive-unusable` or `image-archive-damaged`.
    """
    archived_images(archive)
    with _opened(archive) as layout:
        return tuple(_loadable(image, layout.manifest(image)) for image in layout.index().manifests)


def for_docker(archive: str, images: Sequence[Loadable]) -> Iterator[bytes]:
    """The archive with the `manifest.json` that Docker needs, piece by piece."""
    with tarfile.open(archive) as opened:
        # Where the blocks of the last member end.
        ends = [member.offset_data + -(-member.size // _BLOCK) * _BLOCK for member in opened]
    left = max(ends, default=0)
    with Path(archive).open("rb") as content:
        while left > 0 and (piece := content.read(min(_CHUNK, left))):
            left -= len(piece)
            yield piece
    # A short name would mean one on Docker Hub.
    entries = [
        {
            "Config": image.config,
            "RepoTags": [image.name] if "/" in image.name else None,
            "Layers": image.layers,
        }
        for image in images
    ]
    yield from _member("manifest.json", io.BytesIO(json.dumps(entries).encode()))
    yield _END


def for_podman(archive: str) -> Iterator[IO[bytes] | Iterator[bytes]]:
    """Archives that Podman can load one by one: the archive itself, or one for each of several images.

    Raises EngineError `image-archive-damaged`, before the first one, when one of several is damaged.
    """
    try:
        several = len(archived_images(archive)) > 1
    except EngineError:
        # Another format, or damaged: Podman reports it.
        several = False
    if not several:
        with Path(archive).open("rb") as content:
            yield content
        return
    with _opened(archive) as layout:
        index = layout.index()
        manifests = [(image, layout.manifest(image)) for image in index.manifests]
    for image, manifest in manifests:
        paths = sorted({part.path for part in (image, manifest.config, *manifest.layers)})
        own = index.model_copy(update={"manifests": (image,)})
        yield _alone(archive, own.model_dump_json(exclude_unset=True).encode(), paths)


def _alone(archive: str, index: bytes, paths: Iterable[str]) -> Iterator[bytes]:
    """An archive of the files with these paths, piece by piece."""
    with _opened(archive) as layout:
        yield from _member(_INDEX, io.BytesIO(index))
        for name in ("oci-layout", *paths):
            yield from _member(name, layout.file(name))
    yield _END


@contextmanager
def _opened(archive: str) -> Iterator[_Layout]:
    """An archive whose index was read before. Raises EngineError `image-archive-damaged`."""
    try:
        with tarfile.open(archive) as opened:
            yield _Layout(opened)
    except KeyError as error:
        raise IMAGE_ARCHIVE_DAMAGED(problem=f"{error.args[0]} is missing") from error
    except _UNREADABLE as error:
        raise IMAGE_ARCHIVE_DAMAGED(problem="it cannot be read to its end") from error


def _loadable(image: _Descriptor, manifest: _Manifest) -> Loadable:
    layers = tuple(layer.path for layer in manifest.layers)
    return Loadable(image.digest, _name(image), manifest.config.digest, manifest.config.path, layers)


def _name(image: _Descriptor) -> str:
    annotations = image.annotations or {}
    return next((annotations[name] for name in _NAMES if name in annotations), "")


def _member(name: str, content: IO[bytes]) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    yield header.tobuf()
    while piece := content.read(_CHUNK):
        yield piece
    yield bytes(-header.size % _BLOCK)


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
