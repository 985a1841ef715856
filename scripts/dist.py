"""`dist/`: the program as one file, its wheel, and their SHA-256 sums.

`python -m scripts.dist` writes them, for this machine's architecture or that in `ARCH`. The file is a
beginning in shell (boot.sh) and an archive of the folder that scripts/tree.py builds. The same sources always
give the same bytes.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from mstunnel_setup import __version__
from scripts import archive, debian, tree, wheels
from scripts.debian import Architecture
from scripts.wheels import ROOT

BOOT = ROOT / "scripts" / "boot.sh"
CACHE = ROOT / "build" / "cache" / "dist"
DIST = ROOT / "dist"
NAME = "mstunnel-setup"
RECIPES = tuple(
    f"scripts/{name}"
    for name in ("archive.py", "boot.sh", "compile.py", "debian.py", "dist.py", "start", "tree.py")
)
# A release sets its own.
EPOCH = os.environ.get("SOURCE_DATE_EPOCH", "315532800")
_MEGABYTE = 1_000_000


def one_file() -> Path:
    """Path of the program as one file; built once per state of what goes into it, for the testbed."""
    folder = CACHE / f"{NAME}-{wheels.digest(inputs(), EPOCH, debian.architecture().debian)}"
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        build(partial / NAME)
        partial.rename(folder)
        wheels.remove_older(folder)
    return folder / NAME


def inputs() -> list[Path]:
    """Files of the checkout that decide what is in the one file."""
    return [*wheels.files_below(*wheels.SOURCES, *RECIPES), wheels.REQUIREMENTS]


def build(
    target: Path, architecture: Architecture | None = None, data: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Build the one file, with more files of the program's `data`.

    `target` is the only thing left; the folder it is in must be there.
    """
    print(f"dist: building {target.name}", file=sys.stderr, flush=True)
    architecture = architecture or debian.architecture()
    work = target.with_name(f"{target.name}.work")
    work.mkdir()
    try:
        tree.build(architecture, work / "tree", data=data)
        payload = _packed(work / "tree")
        size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(work)
    digest = hashlib.sha256(payload).hexdigest()
    head = BOOT.read_text()
    for placeholder, value in {
        "DIGEST": digest,
        "TREE": f"{__version__}-{digest[:12]}",
        "LOADER": architecture.loader,
        "PYTHON": tree.PYTHON,
        "MACHINE": architecture.machine,
        "SIZE": str(size // _MEGABYTE + 10),
    }.items():
        head = head.replace(placeholder, value)
    target.write_bytes(head.encode() + b"__PAYLOAD__\n" + payload)
    target.chmod(0o755)


def release_images(architecture: Architecture) -> dict[str, str]:
    """Data that only a release has: which images `make images` built before; none when it did not."""
    recorded = DIST / f"images-{architecture.debian}.json"
    if not recorded.is_file():
        return {}
    images: dict[str, str] = json.loads(recorded.read_text())
    if not images["archive"].startswith(f"mstunnel-images-{__version__}-"):
        sys.exit(f"dist: {recorded} is of another version: run `make images` again, or remove it")
    images["registry"] = os.environ.get("REGISTRY", "").rstrip("/")
    return {"release-images.json": json.dumps(images)}


def _packed(folder: Path) -> bytes:
    """A compressed archive of what is in `folder`."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as compressed:
        archive.write(folder, compressed, int(EPOCH))
    return packed.getvalue()


def sums() -> None:
    """Write the SHA-256 sums of all that is in `dist/`, and print its names."""
    lines = ""
    for path in sorted(set(DIST.iterdir()) - {DIST / "SHA256SUMS"}):
        lines += f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        print(f"dist/{path.name}")
    (DIST / "SHA256SUMS").write_text(lines)


def main() -> None:
    """Write the program and its wheel; images, and what was built for the other architecture, stay."""
    architecture = debian.architecture()
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("*.whl"):
        old.unlink()
    suffix = "" if architecture.debian == "amd64" else f"-{architecture.debian}"
    build(DIST / f"{NAME}{suffix}", architecture, release_images(architecture))
    (wheel,) = wheels.program().iterdir()
    shutil.copy(wheel, DIST)
    sums()


if __name__ == "__main__":
    main()
