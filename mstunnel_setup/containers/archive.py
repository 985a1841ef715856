"""What an image archive holds, known without loading it.

Only the OCI format keeps the manifest, and with it the digest. The Docker format holds unpacked layers, so
the engine makes up a new manifest when it loads one and the digest is not the registry's any more.
"""

import json
import tarfile
from dataclasses import dataclass
from typing import Any

from mstunnel_setup.errors import EngineError

# OCI image specification 1.1, annotations: the name an archive has for an image.
_NAME = "org.opencontainers.image.ref.name"


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
            index = _index(opened)
            return tuple(_archived(manifest) for manifest in json.loads(index)["manifests"])
    except FileNotFoundError as error:
        raise _unusable(archive, "does not exist") from error
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise _unusable(archive, "is not an image archive in OCI format") from error


def _archived(manifest: dict[str, Any]) -> Archived:
    return Archived(str(manifest["digest"]), str((manifest.get("annotations") or {}).get(_NAME, "")))


def _index(opened: tarfile.TarFile) -> bytes:
    for name in ("index.json", "./index.json"):
        if name in opened.getnames():
            member = opened.extractfile(name)
            if member is not None:
                return member.read()
    raise KeyError("index.json")


def _unusable(archive: str, why: str) -> EngineError:
    return EngineError(
        "image-archive-unusable",
        f"{archive} {why}",
        "Make it with `podman save --format oci-archive --output FILE NAME@DIGEST` and copy it here again.",
    )
