"""Publishes the release feed: `python -m scripts.feed FOLDER --catalogue releases.toml --keys KEYS`.

With `--add DIST` the release whose images `make images` wrote into DIST is listed first. FOLDER is what a web
server serves, and `FOLDER.tar` what servers without a way to it import. KEYS has two private keys (PEM) from
the first run: `root.pem`, kept offline afterwards, signs who may sign; `release.pem` signs the list. Hand
FOLDER/metadata/1.root.json to administrators as the trusted root.
"""
# What tuf documents as public is imported from separate modules, which are not.
# pyright: reportPrivateImportUsage=false

import argparse
import json
import tarfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
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

from mstunnel_setup.upgrade.feed import TARGET
from mstunnel_setup.upgrade.release import parse
from scripts.debian import ARCHITECTURES

_YEARS_OF_ROOT = 365 * 2


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
    found = [json.loads(path.read_text()) for path in sorted(dist.glob("images-*.json"))]
    added = "".join(_table(images, day) for images in found if images["gateway"] not in known)
    # The first of a day is the newest.
    head, table, releases = known.partition("[[release]]")
    catalogue.write_text(head + added + table + releases)


def _table(images: Mapping[str, str], day: date) -> str:
    label, _, architecture = Path(images["archive"]).stem.removeprefix("mstunnel-images-").rpartition("-")
    return f"""\
[[release]]
label = "{label}"
published = {day}
architecture = "{ARCHITECTURES[architecture].machine}"
server = "{images["gateway"]}"
agent = "{images["agent"]}"
percent = 0

"""


def publish(folder: Path, catalogue: Path, keys: Path, days: int = 14, now: datetime | None = None) -> None:
    """Put the catalogue, signed for so many days, into `folder`. Raises UsageError `releases-invalid`."""
    parse(catalogue.read_text(), str(catalogue))
    now = now or datetime.now(UTC)
    expires = now.replace(microsecond=0) + timedelta(days=days)
    metadata = folder / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    release = signer(keys / "release.pem")
    if not (metadata / "1.root.json").exists():
        _begin(metadata, signer(keys / "root.pem"), release, now)
    version = _version(metadata) + 1

    listed = TargetFile.from_file(TARGET, str(catalogue))
    digest = listed.hashes["sha256"]
    (folder / "targets").mkdir(exist_ok=True)
    (folder / "targets" / f"{digest}.{TARGET}").write_bytes(catalogue.read_bytes())
    targets = Metadata(Targets(version, expires=expires, targets={TARGET: listed}))
    snapshot = Metadata(Snapshot(version, expires=expires, meta={"targets.json": MetaFile(version)}))
    timestamp = Metadata(Timestamp(version, expires=expires, snapshot_meta=MetaFile(version)))
    for signed, name in (
        (targets, f"{version}.targets.json"),
        (snapshot, f"{version}.snapshot.json"),
        (timestamp, "timestamp.json"),
    ):
        signed.sign(release)
        signed.to_file(str(metadata / name))
    with tarfile.open(f"{folder}.tar", "w:") as archive:
        archive.add(metadata, "metadata")
        archive.add(folder / "targets", "targets")


def _begin(metadata: Path, root: CryptoSigner, release: CryptoSigner, now: datetime) -> None:
    """The first root: one key for itself, the other for everything that changes."""
    expires = now.replace(microsecond=0) + timedelta(days=_YEARS_OF_ROOT)
    first = Root(1, expires=expires, consistent_snapshot=True)
    first.add_key(root.public_key, "root")
    for role in ("targets", "snapshot", "timestamp"):
        first.add_key(release.public_key, role)
    signed = Metadata(first)
    signed.sign(root)
    signed.to_file(str(metadata / "1.root.json"))


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
    given = parser.parse_args()
    if given.add:
        add_release(given.catalogue, given.add, datetime.now(UTC).date())
    publish(given.folder, given.catalogue, given.keys, given.days)


if __name__ == "__main__":
    main()
