"""`dist/`: two programs, each as one file, their SBOMs, the wheel and its source, provenance, SHA-256 sums.

`python -m scripts.bundle.dist` writes them, for this machine's architecture or that in `ARCH`:
`mstunnel-setup` with all that a server needs, and `mstunnel-lab`, the lab tenant. A file is a beginning in
shell (boot.sh) and an archive of the folder that tree.py builds. The same sources always give the same bytes.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from mstunnel_setup import __version__
from mstunnel_setup.exchange.release_feed import feed_address
from scripts import ROOT
from scripts.bundle import archive, debian, sbom, tree, wheels
from scripts.bundle.debian import Architecture
from scripts.docs import support
from scripts.release import feed, sums
from scripts.release.publisher import publisher

BOOT = ROOT / "scripts/bundle/boot.sh"
CACHE = ROOT / "build" / "cache" / "dist"
DIST = ROOT / "dist"
NAME = "mstunnel-setup"
LAB = "mstunnel-lab"
RECIPES = (
    *(
        f"scripts/bundle/{name}"
        for name in (
            *("archive.py", "boot.sh", "compile.py", "debian.py", "dist.py", "licenses.py", "pack.py"),
            *("sbom.py", "start", "tree.py"),
        )
    ),
    *(f"scripts/docs/{name}.py" for name in ("command_tree", "completion", "manual", "reference", "support")),
)
EPOCH = wheels.EPOCH
_MEGABYTE = 1_000_000
_DATA = f"lib/{tree.PYTHON}/mstunnel_setup/data"


def one_file(name: str = NAME) -> Path:
    """Path of a program as one file; built once per state of what goes into it, for the testbed."""
    folder = CACHE / f"{name}-{wheels.digest(inputs(), EPOCH, debian.architecture().debian)}"
    return wheels.kept(folder, lambda partial: build(partial / name, name=name)) / name


def inputs() -> list[Path]:
    """Files of the checkout that decide what is in the one file."""
    others = ("packaging", "docs/reference/exit-codes.md")
    return [*wheels.files_below(*wheels.SOURCES, *RECIPES, *others), wheels.REQUIREMENTS]


def build(
    target: Path,
    architecture: Architecture | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
    *,
    name: str = NAME,
) -> None:
    """Build the one file of a program, with `more` files by their path in the folder that it unpacks.

    `target` is the only thing left; the folder it is in must be there.
    """
    print(f"dist: building {target.name}", file=sys.stderr, flush=True)
    architecture = architecture or debian.architecture()
    work = target.with_name(f"{target.name}.work")
    work.mkdir()
    try:
        if name == LAB:
            tree.build(architecture, work / "tree", more={"program": LAB, **more})
        else:
            support_files = support.files(int(EPOCH))
            tree.build(architecture, work / "tree", more={**support_files, **more}, left_out=tree.LAB)
        payload = _packed(work / "tree")
        entries = sum(1 for _path in (work / "tree").rglob("*"))
        size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(work)
    digest = hashlib.sha256(payload).hexdigest()
    values = {
        "PROGRAM": name,
        "DIGEST": digest,
        "TREE": f"{__version__}-{digest[:12]}",
        "LOADER": architecture.loader,
        "PYTHON": tree.PYTHON,
        "MACHINE": architecture.machine,
        "ENTRIES": str(entries),
        "SIZE": str(size // _MEGABYTE + 10),
    }
    head = filled(BOOT, values)
    target.write_bytes(head.encode() + b"__PAYLOAD__\n" + payload)
    target.chmod(0o755)


def release_images(architecture: Architecture, folder: Path = DIST) -> dict[str, str]:
    """A file that only a release has: which images were written into `folder` before; none without them."""
    recorded = folder / f"images-{architecture.debian}.json"
    if not recorded.is_file():
        return {}
    images: dict[str, str] = json.loads(recorded.read_text())
    if not images["archive"].startswith(f"mstunnel-images-{__version__}-"):
        sys.exit(f"dist: {recorded} is of another version: run `make images` again, or remove it")
    images["registry"] = os.environ.get("REGISTRY", "").rstrip("/")
    return {f"{_DATA}/release-images.json": json.dumps(images)}


def release_feed() -> dict[str, str]:
    """A file with the release feed in FEED, and the root of it in the file FEED_ROOT; none without them."""
    url, root = (os.environ.get(name, "") for name in ("FEED", "FEED_ROOT"))
    if not url and not root:
        return {}
    try:
        written = {"url": feed_address(url), "root": feed.trusted_root(Path(root))}
    except (OSError, ValueError) as error:
        sys.exit(f"dist: FEED is the address of a release feed, FEED_ROOT its 1.root.json: {error}")
    return {f"{_DATA}/release-feed.json": json.dumps(written)}


def release_site() -> dict[str, str]:
    """A file with the address in SITE, where the pages of this release are; none without it."""
    address = os.environ.get("SITE", "").rstrip("/")
    if not address:
        return {}
    if not re.fullmatch(r"https://[^\s?#]+", address):
        sys.exit(f"dist: SITE is an address with https, not {address}")
    return {f"{_DATA}/documentation.json": json.dumps({"site": address})}


def _packed(folder: Path) -> bytes:
    """A compressed archive of what is in `folder`."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as compressed:
        archive.write(folder, compressed, int(EPOCH))
    return packed.getvalue()


def release_file(architecture: Architecture, name: str = NAME) -> Path:
    """Where the one file of a program is in a release."""
    return DIST / f"{name}{architecture.suffix}"


def filled(file: Path, values: Mapping[str, str]) -> str:
    """The text of a file with the values in the place of their names, one after the other."""
    text = file.read_text()
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def payload_of(file: Path) -> tarfile.TarFile:
    """The archive that the one file unpacks at its first start."""
    payload = file.read_bytes().partition(b"\n__PAYLOAD__\n")[2]
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(payload)))


def contents(file: Path, name: str) -> str:
    """A text file of the folder that the one file unpacks."""
    with payload_of(file) as packed:
        member = packed.extractfile(name)
        return "" if member is None else member.read().decode()


def _parts(packages: str, architecture: Architecture) -> Iterator[sbom.Part]:
    """What the one file lists of itself, with what the archives it came in say of it."""
    inside = {line.split()[0] for line in packages.splitlines()}
    given = debian.unpacked(architecture)
    digests = {line.split()[1].partition("_")[0]: line.split()[0] for line in (given / "digests").open()}
    for package in debian.packages(given):
        name = package.field("Package")
        if name in inside:
            text = (given / "files/usr/share/doc" / name / "copyright").read_text()
            yield sbom.of_package(package.control, text, {}, digests[name])
    for wheel in [*wheels.dependencies(architecture.machine).iterdir(), *wheels.program().iterdir()]:
        name, version = wheel.name.split("-")[:2]
        if name in inside:
            with zipfile.ZipFile(wheel) as archive:
                about = f"{name}-{version}.dist-info"
                metadata = archive.read(f"{about}/METADATA").decode()
                listed = [each for each in archive.namelist() if each.startswith(f"{about}/sboms/")]
                sboms = [archive.read(each).decode() for each in listed if each.endswith(".json")]
            yield sbom.of_wheel(metadata, {}, hashlib.sha256(wheel.read_bytes()).hexdigest(), sboms)


def installer() -> str:
    """The script that downloads the release from the publisher's page; empty without one."""
    given = publisher()
    page = given["homepage"].rstrip("/")
    if not page:
        return ""
    address = f"{page}/releases/download/v{__version__}"
    values = {"ADDRESS": address, "PUBLIC_KEY": given["public_key"], "VERSION": __version__}
    return filled(ROOT / "packaging/install.sh", values)


def main() -> None:
    """Write the programs, their SBOMs, the wheel and its source distribution.

    Images, and files for the other architecture, stay.
    """
    architecture = debian.architecture()
    print(
        f"dist: building {NAME} and {LAB}, each with its interpreter: usually 40 s the first time",
        file=sys.stderr,
        flush=True,
    )
    DIST.mkdir(exist_ok=True)
    for old in (*DIST.glob("*.whl"), *DIST.glob("mstunnel_setup-*.tar.gz")):
        old.unlink()
    of_release = {**release_images(architecture), **release_feed(), **release_site()}
    for name, more in ((NAME, of_release), (LAB, {})):
        file = release_file(architecture, name)
        build(file, architecture, more, name=name)
        document = sbom.document(name, "application", _parts(contents(file, "packages"), architecture))
        (DIST / f"{name}-{__version__}-{architecture.debian}.cdx.json").write_text(document)
    (wheel,) = wheels.program().iterdir()
    shutil.copy(wheel, DIST)
    wheels.source_distribution(DIST)
    (DIST / "install.sh").unlink(missing_ok=True)
    if script := installer():
        (DIST / "install.sh").write_text(script)
    sums.finish(DIST, EPOCH)


if __name__ == "__main__":
    main()
