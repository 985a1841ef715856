"""What an image archive holds, known without loading it.

Only the OCI format keeps the manifest, and with it the digest. The Docker format holds unpacked layers, so
the engine makes up a new manifest when it loads one and the digest is not the registry's any more.
"""

import tarfile
from dataclasses import dataclass
from typing import Any

from mstunnel_setup.errors import EngineError
from mstunnel_setup.foreign import json_value

# What an archive calls an image: `docker save` (from 25 on, which writes the OCI format as well) has the
# full name in the first one and only the tag in the second, which is that of the OCI image specification 1.1.
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
    """An image in an archive: its manifest digest (`sha256:...`) and the name it was saved with, or empty."""

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
        raise _unusable(archive, "does not exist") from error
    except _UNREADABLE as error:
        raise _unusable(archive, _NO_ARCHIVE) from error


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
        raise _unusable(archive, f"{_NO_ARCHIVE} but in Docker's own, which does not keep the digest")
    raise KeyError("index.json")


def _unusable(archive: str, why: str) -> EngineError:
    return EngineError(
        "image-archive-unusable",
        f"{archive} {why}",
        "Make it with `podman save --format oci-archive --output FILE NAME@DIGEST`, or with `docker save` of "
        "Docker 25 or newer, and copy it here again.",
    )
