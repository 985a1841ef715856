"""Image archives: their content, and its conversion for Podman and Docker.

Only the OCI format contains the manifest, and with it the digest. The Docker format contains unpacked layers:
the engine generates a new manifest, so the digest differs from the registry's.

An engine gets only the requested image, under a name that we choose. It never sees the names in an archive,
because it would move them from other images, and a hostile archive could name an image like one that was
loaded by its digest.

Podman does not load archives with several images. Docker's classic image store (before containerd's) only
loads archives with a `manifest.json`, which the OCI format lacks, so it is added. Docker then identifies an
image by the digest of its configuration. The manifest contains that digest, so the manifest's digest verifies
the loaded image.

An engine unpacks an archive before it compares digests. So nothing is sent before every file of the image has
the size and digest in its manifest. Engines write no compressed archives, and none is read.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

from pydantic import BaseModel, Field

from mstunnel_setup.base.errors import EngineError, declare
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.io.bounded_tar import ArchiveError, BoundedTar, Limits, bounded_tar

IMAGE_ARCHIVE_DAMAGED = declare(
    EngineError,
    "image-archive-damaged",
    "the image archive is damaged: {problem}",
    "Copy the archive here again.",
)
IMAGE_ARCHIVE_UNUSABLE = declare(
    EngineError,
    "image-archive-unusable",
    "{archive} {problem}",
    "Create it with `podman save --format oci-archive --output FILE NAME@DIGEST`, or with `docker save` of "
    "Docker 25 or later, and copy it here again.",
)

# Annotations with the name of an image. `docker save` (25 or later, which also writes OCI) writes the full
# name to the first and only the tag to the second, which the OCI image specification 1.1 defines.
_CONTAINERD_NAME = "io.containerd.image.name"
_NAME = "org.opencontainers.image.ref.name"
# Bytes. No registry accepts a longer manifest (OCI distribution specification 1.1), Podman no longer
# configuration, and an index is shorter.
_LONGEST = 4 * 1024 * 1024
_CHUNK = 1 << 20
_BLOCK = 512
# tar(5): an archive ends with two empty blocks.
_END = bytes(2 * _BLOCK)
_INDEX = "index.json"
# The maximum number of files in an archive; each image has about ten layers.
_MOST_FILES = 4096


class _Descriptor(BaseModel, extra="allow", defer_build=True):
    """A reference in an index or manifest; other properties are kept."""

    digest: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
    annotations: dict[str, str] | None = None


class _Index(BaseModel, extra="allow", defer_build=True):
    manifests: tuple[_Descriptor, ...]


class _Blob(_Descriptor):
    size: Annotated[int, Field(ge=0)]


class _Manifest(BaseModel, defer_build=True):
    config: _Blob
    layers: tuple[_Blob, ...]


@dataclass(frozen=True)
class ArchivedImage:
    """An image in an archive: its manifest digest (`sha256:...`) and its name, which may be empty."""

    digest: str
    name: str


@dataclass(frozen=True)
class LoadableImage:
    """An image of an archive: the digests of its manifest, its configuration and its layers."""

    digest: str
    configuration: str
    layers: tuple[str, ...]


class _Layout:
    """The files of an open archive (OCI image layout 1.0). A missing file raises KeyError."""

    def __init__(self, files: BoundedTar) -> None:
        self.files = files

    def index(self) -> _Index:
        """Return the list of images. Raises ValueError if it is invalid."""
        return _Index.model_validate(json_value(self.files.content_of(_INDEX).read(_LONGEST)))

    def manifest(self, image: _Descriptor) -> bytes:
        """Return the manifest of an image. Raises EngineError `image-archive-damaged` for another digest."""
        content = self.files.content_of(_path(image.digest)).read(_LONGEST)
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != image.digest:
            raise _another_digest(image.digest)
        return content

    def verify(self, blobs: Sequence[_Blob]) -> None:
        """Raise EngineError `image-archive-damaged` unless all have their size and their digest.

        The sizes are checked first, because a hostile archive may be very large.
        """
        for blob in blobs:
            if (size := self.files.size(_path(blob.digest))) != blob.size:
                raise IMAGE_ARCHIVE_DAMAGED(
                    problem=text(
                        "{digest} has {size} bytes, and its manifest says {expected}",
                        digest=blob.digest,
                        size=size,
                        expected=blob.size,
                    )
                )
        for blob in blobs:
            found = hashlib.sha256()
            with self.files.content_of(_path(blob.digest)) as content:
                while piece := content.read(_CHUNK):
                    found.update(piece)
            if f"sha256:{found.hexdigest()}" != blob.digest:
                raise _another_digest(blob.digest)


def _another_digest(digest: str) -> EngineError:
    return IMAGE_ARCHIVE_DAMAGED(problem=text("the content of {digest} has another digest", digest=digest))


def archived_images(archive: str) -> tuple[ArchivedImage, ...]:
    """Return the images in an OCI archive.

    Raises EngineError `image-archive-unusable` if it is missing, damaged or of another format.
    """
    try:
        with _layout(archive) as layout:
            if _INDEX not in layout.files and "manifest.json" in layout.files:
                problem = text(
                    "is not an image archive in OCI format but in Docker's, which does not contain the digest"
                )
                raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=problem)
            found = []
            for image in layout.index().manifests:
                names = image.annotations or {}
                found.append(ArchivedImage(image.digest, names.get(_CONTAINERD_NAME) or names.get(_NAME, "")))
            return tuple(found)
    except FileNotFoundError as error:
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=text("does not exist")) from error
    except ArchiveError as error:
        problem = text("is not an image archive in OCI format: {reason}", reason=error)
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=problem) from error
    except (OSError, ValueError, KeyError) as error:
        problem = text("is not an image archive in OCI format")
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=problem) from error


def loadable(archive: str, digest: str) -> LoadableImage:
    """Return the image with this manifest digest in an OCI archive, verified by the digest.

    Raises EngineError `image-archive-unusable`, `image-archive-damaged` or `image-digest-mismatch`.
    """
    found = archived_images(archive)
    if digest not in [image.digest for image in found]:
        contents = ", ".join(image.digest for image in found) or text("no image")
        raise EngineError(
            "image-digest-mismatch",
            "{archive} contains {found}, not {digest}",
            hint="Copy the archive that belongs to this version, or correct the image reference.",
            archive=archive,
            found=contents,
            digest=digest,
        )
    with _opened(archive) as layout:
        image = _descriptor(layout.index(), digest)
        content = layout.manifest(image)
        try:
            manifest = _Manifest.model_validate(json_value(content))
        except ValueError as error:
            raise IMAGE_ARCHIVE_DAMAGED(
                problem=text("{digest} is not the manifest of an image", digest=digest)
            ) from error
        layout.verify((manifest.config, *manifest.layers))
    return LoadableImage(digest, manifest.config.digest, tuple(layer.digest for layer in manifest.layers))


def packed(archive: str, image: LoadableImage, name: str, engine: EngineName) -> Iterator[bytes]:
    """Yield an archive of only this image, called `name` (`host/path:tag`), for the engine, in pieces."""
    docker = engine == "docker"
    annotations = {_CONTAINERD_NAME: name, _NAME: name.rpartition(":")[2]} if docker else {_NAME: name}
    with _opened(archive) as layout:
        index = layout.index()
        descriptor = _descriptor(index, image.digest).model_copy(update={"annotations": annotations})
        written = index.model_copy(update={"manifests": (descriptor,)}).model_dump_json()
        yield from _member(_INDEX, io.BytesIO(written.encode()))
        yield from _member("oci-layout", io.BytesIO(b'{"imageLayoutVersion": "1.0.0"}'))
        for path in sorted(map(_path, {image.digest, image.configuration, *image.layers})):
            yield from _member(path, layout.files.content_of(path))
    if docker:
        layers = [*map(_path, image.layers)]
        entry = {"Config": _path(image.configuration), "RepoTags": [name], "Layers": layers}
        yield from _member("manifest.json", io.BytesIO(json.dumps([entry]).encode()))
    yield _END


def _descriptor(index: _Index, digest: str) -> _Descriptor:
    return next(image for image in index.manifests if image.digest == digest)


@contextmanager
def _layout(archive: str) -> Iterator[_Layout]:
    """Open an archive. Raises OSError, ArchiveError."""
    with Path(archive).open("rb") as file:
        # The content of an uncompressed archive cannot exceed the file's size.
        size = os.fstat(file.fileno()).st_size
        with bounded_tar(file, Limits(entries=_MOST_FILES, file_size=size, total=size)) as files:
            yield _Layout(files)


@contextmanager
def _opened(archive: str) -> Iterator[_Layout]:
    """Open an archive whose index was read before. Raises EngineError `image-archive-damaged`."""
    try:
        with _layout(archive) as layout:
            yield layout
    except KeyError as error:
        raise IMAGE_ARCHIVE_DAMAGED(problem=text("{args} is missing", args=error.args[0])) from error
    except (OSError, ValueError) as error:
        raise IMAGE_ARCHIVE_DAMAGED(problem=text("it cannot be read to its end")) from error


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _member(name: str, content: IO[bytes]) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    yield header.tobuf()
    while piece := content.read(_CHUNK):
        yield piece
    yield bytes(-header.size % _BLOCK)
