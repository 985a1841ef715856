"""The content of an image archive, without loading it.

Only the OCI format contains the manifest, and with it the digest. The Docker format contains unpacked layers:
the engine generates a new manifest, so the digest differs from the registry's.
"""

import tarfile
from dataclasses import dataclass
from typing import Any

from mstunnel_setup.containers.errors import IMAGE_ARCHIVE_UNUSABLE
from mstunnel_setup.foreign import json_value

# Annotations with the name of an image: `docker save` (25 or later, which also writes OCI) puts the full name
# into the first and only the tag into the second, which is that of the OCI image specification 1.1.
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_LARGEST_INDEX = 1024 * 1024
_NO_ARCHIVE = "is not an image archive in OCI format"
_UNREADABLE = (
    OSError,
    EOFError,
    tarfile.TarError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True)
class Archived:
    """An image in an archive: its manifest digest (`sha256:...`) and its name, which may be empty."""

    digest: str
    name: str


def archived_images(archive: str) -> tuple[Archived, ...]:
    """The images in an OCI archive, from its `index.json` (OCI image layout 1.0).

    Raises EngineError `image-archive-unusable` when it is missing, damaged or of another format.
    """
    try:
        with tarfile.open(archive) as opened:
            return tuple(map(_archived, json_value(_index(opened, archive))["manifests"]))
    except FileNotFoundError as error:
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem="does not exist") from error
    except _UNREADABLE as error:
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=_NO_ARCHIVE) from error


def _archived(manifest: dict[str, Any]) -> Archived:
    annotations = manifest.get("annotations") or {}
    named = [str(annotations[name]) for name in _NAMES if name in annotations]
    return Archived(str(manifest["digest"]), named[0] if named else "")


def _index(opened: tarfile.TarFile, archive: str) -> bytes:
    names = opened.getnames()
    for name in ("index.json", "./index.json"):
        if name in names:
            member = opened.extractfile(name)
            if member is not None:
                return member.read(_LARGEST_INDEX)
    if "manifest.json" in names:
        problem = f"{_NO_ARCHIVE} but in Docker's, which does not contain the digest"
        raise IMAGE_ARCHIVE_UNUSABLE(archive=archive, problem=problem)
    raise KeyError("index.json")
