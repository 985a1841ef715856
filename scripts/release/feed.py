"""Publishes the release feed: `python -m scripts.release.feed FOLDER --catalogue releases.toml --keys KEYS`.

With `--add DIST` the release whose images `make images` wrote into DIST is listed first, and its programs are
those that `mstunnel-setup self update` installs. FOLDER is what a web
server serves, and `FOLDER.tar` what servers without a way to it import. KEYS has two private keys (PEM) from
the first run: `root.pem`, kept offline afterwards, signs who may sign; `release.pem` signs the list. Hand
FOLDER/metadata/1.root.json to administrators as the trusted root. `--renew-root` adds the next root, which
servers follow: it ends later, and names the `release.pem` that is there now.
"""
# What tuf documents as public is imported from separate modules, which are not.
# pyright: reportPrivateImportUsage=false

import argparse
import json
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from mstunnel_setup.exchange.release_catalogue import parse
from mstunnel_setup.exchange.release_feed import PROGRAM_TARGETS, TARGET
from scripts.bundle.debian import ARCHITECTURES, Architecture

_DAYS_OF_ROOT = 365 * 2
_NOTICE_OF_ROOT = 180
"""Days before its end from which on each run says so."""


def signer(path: Path) -> CryptoSigner:
    """The key at `path`; made when there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        made = Ed25519PrivateKey.generate()
        path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return CryptoSigner(key)


def add_release(catalogue: Path, dist: Path, day: date) -> None:
    """List the images that `make images` wrote into `dist`, those that are not listed, as published on `day`.

    Agents may not request them until someone raises `percent`.
    """
    known = catalogue.read_text() if catalogue.is_file() else ""
    # Not `parse`, which leaves out what is for hosts of another architecture.
    listed = {(each["server"], each["agent"]) for each in tomllib.loads(known).get("release", [])}
    found = [json.loads(path.read_text()) for path in sorted(dist.glob("images-*.json"))]
    added = [_table(images, day) for images in found if (images["gateway"], images["agent"]) not in listed]
    # The first of a day is the newest.
    head, table, releases = known.partition("[[release]]")
    catalogue.parent.mkdir(parents=True, exist_ok=True)
    catalogue.write_text(head + "".join(added) + table + releases)


def _table(images: Mapping[str, str], day: date) -> str:
    version, architecture = _release_of(images)
    return f"""\
[[release]]
label = "{version}"
published = {day}
architecture = "{architecture.machine}"
server = "{images["gateway"]}"
agent = "{images["agent"]}"
percent = 0

"""


def _release_of(images: Mapping[str, str]) -> tuple[str, Architecture]:
    """Version and architecture of the images that `make images` wrote."""
    version, _, name = Path(images["archive"]).stem.removeprefix("mstunnel-images-").rpartition("-")
    return version, ARCHITECTURES[name]


def programs(dist: Path) -> dict[str, tuple[Path, str]]:
    """File and version of the programs in `dist` that have images there, by their names in a feed."""
    found = {}
    for images in (json.loads(path.read_text()) for path in sorted(dist.glob("images-*.json"))):
        version, architecture = _release_of(images)
        file = dist / f"mstunnel-setup{architecture.suffix}"
        if file.is_file():
            found[PROGRAM_TARGETS[architecture.machine]] = (file, version)
    return found


def publish(
    folder: Path,
    catalogue: Path,
    keys: Path,
    days: int = 14,
    now: datetime | None = None,
    *,
    offered: Mapping[str, tuple[Path, str]] = MappingProxyType({}),
) -> None:
    """Put the catalogue, signed for so many days, into `folder`. Raises UsageError `releases-invalid`.

    The programs in `offered`, each with its version, replace those that the feed has had for the machine.
    """
    parse(catalogue.read_text(), str(catalogue))
    now = now or datetime.now(UTC)
    expires = now.replace(microsecond=0) + timedelta(days=days)
    metadata = folder / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    release = signer(keys / "release.pem")
    if not (metadata / "1.root.json").exists():
        _write_root(metadata, 1, signer(keys / "root.pem"), release, now)
    last = _version(metadata)
    number = last + 1
    listed = Metadata[Targets].from_file(f"{metadata}/{last}.targets.json").signed.targets if last else {}
    for name, (path, release_version) in {TARGET: (catalogue, ""), **offered}.items():
        target = TargetFile.from_file(name, str(path))
        if release_version:
            target.unrecognized_fields["custom"] = {"version": release_version}
        (folder / "targets").mkdir(exist_ok=True)
        shutil.copyfile(path, folder / "targets" / f"{target.hashes['sha256']}.{name}")
        listed[name] = target
    targets = Metadata(Targets(number, expires=expires, targets=listed))
    snapshot = Metadata(Snapshot(number, expires=expires, meta={"targets.json": MetaFile(number)}))
    timestamp = Metadata(Timestamp(number, expires=expires, snapshot_meta=MetaFile(number)))
    for signed, name in (
        (targets, f"{number}.targets.json"),
        (snapshot, f"{number}.snapshot.json"),
        (timestamp, "timestamp.json"),
    ):
        signed.sign(release)
        signed.to_file(str(metadata / name))
    with tarfile.open(f"{folder}.tar", "w:") as archive:
        archive.add(metadata, "metadata")
        for path in sorted((folder / "targets").glob(f"*.{TARGET}")):
            archive.add(path, f"targets/{path.name}")


def renew_root(folder: Path, keys: Path, now: datetime) -> None:
    """Add the next root, signed by the key of the last one. Ends the program without that key."""
    last = _last_root(folder)
    path = keys / "root.pem"
    if not path.exists() or signer(path).public_key.keyid not in last.roles[Root.type].keyids:
        sys.exit(f"feed: {path} is not the key of the root in {folder}")
    release = signer(keys / "release.pem")
    _write_root(folder / "metadata", last.version + 1, signer(path), release, now)


def refuse_another_key(folder: Path, keys: Path, now: datetime) -> None:
    """End the program where servers would refuse what it signs; say when they soon will."""
    if not (folder / "metadata/1.root.json").exists():
        return
    root = _last_root(folder)
    path = keys / "release.pem"
    if not path.exists() or signer(path).public_key.keyid not in root.roles[Timestamp.type].keyids:
        sys.exit(
            f"feed: {path} is not the key that the root in {folder} names: servers would refuse the feed"
        )
    if root.expires - now < timedelta(days=_NOTICE_OF_ROOT):
        print(f"feed: servers refuse it from {root.expires:%Y-%m-%d}: renew the root (RENEW_ROOT=yes)")


def _last_root(folder: Path) -> Root:
    """The newest root of a feed. Ends the program where there is none."""
    versions = [int(path.name.partition(".")[0]) for path in (folder / "metadata").glob("*.root.json")]
    if not versions:
        sys.exit(f"feed: there is no root in {folder}")
    return Metadata[Root].from_file(f"{folder}/metadata/{max(versions)}.root.json").signed


def _write_root(
    metadata: Path, version: int, root: CryptoSigner, release: CryptoSigner, now: datetime
) -> None:
    """A root has one key for itself, and the other for everything that changes."""
    expires = now.replace(microsecond=0) + timedelta(days=_DAYS_OF_ROOT)
    made = Root(version, expires=expires, consistent_snapshot=True)
    made.add_key(root.public_key, "root")
    for role in ("targets", "snapshot", "timestamp"):
        made.add_key(release.public_key, role)
    signed = Metadata(made)
    signed.sign(root)
    signed.to_file(str(metadata / f"{version}.root.json"))


def trusted_root(path: Path) -> str:
    """The root of a feed, as it is in the file. Raises OSError, or ValueError for any other file."""
    text = path.read_text()
    try:
        found = Metadata[Any].from_bytes(text.encode())
        if isinstance(found.signed, Root):
            found.signed.verify_delegate(Root.type, found.signed_bytes, found.signatures)
            return text
    except RepositoryError as error:
        raise ValueError(error) from error
    raise ValueError(f"{path} has the type {found.signed.type}")


def _version(metadata: Path) -> int:
    """The version that was published last; 0 before the first."""
    timestamp = metadata / "timestamp.json"
    return Metadata.from_file(str(timestamp)).signed.version if timestamp.exists() else 0


def main() -> None:
    """Publish, as the command line says."""
    parser = argparse.ArgumentParser(description="Publish the release feed.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--catalogue", type=Path, required=True)
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--add", type=Path, metavar="DIST")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--renew-root", action="store_true")
    given = parser.parse_args()
    now = datetime.now(UTC)
    if given.renew_root:
        renew_root(given.folder, given.keys, now)
    refuse_another_key(given.folder, given.keys, now)
    if given.add:
        add_release(given.catalogue, given.add, now.date())
    offered = programs(given.add) if given.add else {}
    publish(given.folder, given.catalogue, given.keys, given.days, offered=offered)


if __name__ == "__main__":
    main()
