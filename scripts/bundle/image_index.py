"""`dist/mstunnel-images-VERSION.tar`: the images of all architectures in one OCI archive, for registries.

Each name is an image index (OCI image specification 1.1), so that it can be pulled on any of them; the
manifests in it keep the digests that the programs contain.
"""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

from mstunnel_setup import __version__
from scripts.bundle import archive
from scripts.bundle.debian import ARCHITECTURES

_INDEX = "application/vnd.oci.image.index.v1+json"
_NAME = "org.opencontainers.image.ref.name"
_Descriptor = dict[str, object]


def archive_of(architecture: str) -> str:
    """Name of the archive with the images of one architecture, in Debian's words."""
    return f"mstunnel-images-{__version__}-{architecture}.tar"


def write(folder: Path, epoch: int) -> None:
    """Write it from the archives of all architectures in `folder`; without one of them, remove it."""
    target = folder / f"mstunnel-images-{__version__}.tar"
    target.unlink(missing_ok=True)
    parts = {name: folder / archive_of(name) for name in ARCHITECTURES}
    if not all(part.is_file() for part in parts.values()):
        return
    layout = folder / "index.work"
    shutil.rmtree(layout, ignore_errors=True)
    manifests: dict[str, list[_Descriptor]] = {}
    for architecture, part in parts.items():
        with tarfile.open(part) as opened:
            opened.extractall(layout, filter="data")
        for found in json.loads((layout / "index.json").read_text())["manifests"]:
            platform = {"architecture": architecture, "os": "linux"}
            name = found.pop("annotations")[_NAME]
            manifests.setdefault(name, []).append({**found, "platform": platform})
    indexes = [
        {**_stored(_index(found), layout), "annotations": {_NAME: name}} for name, found in manifests.items()
    ]
    (layout / "index.json").write_bytes(_index(indexes))
    with target.open("wb") as file:
        archive.write(layout, file, epoch)
    shutil.rmtree(layout)


def _index(manifests: list[_Descriptor]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}).encode()


def _stored(index: bytes, layout: Path) -> _Descriptor:
    """Descriptor of an index, which is now in the layout."""
    digest = hashlib.sha256(index).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(index)
    return {"mediaType": _INDEX, "digest": f"sha256:{digest}", "size": len(index)}
