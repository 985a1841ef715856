"""The archive of `mst-cli backup`: how it is written, and read.

A file to be restored may come from anywhere: all of it is judged before anything of it is used.
"""

import gzip
import io
import tarfile
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import plain
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.releases import CATALOGUE
from mstunnel_setup.exchange.upgrade_history import History, UpgradePhase
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.io.bounded_tar import ArchiveError, Limits, decompress, read_tar

SCHEMA = "mstunnel-backup/1"
MANIFEST = "manifest.json"
# Where another host gets them -> where they are here: what is in use, not what lies beside it. The root is
# not served, but without it the chain of a private authority cannot be verified again.
FILES = {
    paths.ENVIRONMENT: (paths.ENVIRONMENT,),
    paths.SITE_CERTIFICATE: (f"{paths.ACTIVE}/chain.pem", f"{paths.ACTIVE}/root.pem"),
    paths.SITE_KEY: (f"{paths.ACTIVE}/key.pem",),
    DEVICE_AUTHORITY: (DEVICE_AUTHORITY,),
    DEVICE_REVOCATIONS: (DEVICE_REVOCATIONS,),
    paths.HEALTH_THRESHOLDS: (paths.HEALTH_THRESHOLDS,),
    # What may be taken by an upgrade is root's to say, also for a rootless gateway.
    **({} if paths.ROOTLESS else {path: (path,) for path in (CATALOGUE, feed.SETTINGS, feed.ROOT)}),
}

UPGRADES = f"{paths.HOST_STATE}/upgrades.json"
"""The upgrades that have ended: the name of their file in an archive, wherever it lies on a host."""

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of an archive as it is, and of each file in it; a real one has some ten thousand."""
LARGEST_UNPACKED: Final = 16 * 1024 * 1024
"""Bytes of an archive unpacked."""
HIGHEST_RATIO: Final = 200
"""How many times larger than the archive its content may be: that of a real one is 1 to 20."""
MOST_FILES: Final = 500
_LIMITS: Final = Limits(entries=MOST_FILES, file_size=LARGEST, total=LARGEST_UNPACKED)


def pack(contents: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of files by name; all are of root, and for its eyes."""
    packed = io.BytesIO()
    with tarfile.TarFile(fileobj=packed, mode="w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name.lstrip("/"))
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def unpack(packed: bytes) -> tuple[JsonObject, dict[str, bytes]]:
    """Manifest and files (by host path) of an archive of `backup`.

    Raises UsageError `backup-invalid` for any other, and for one that is larger than a backup can be;
    `backup-not-understood` for one of a version that knows more than this one.
    """
    refuse_large(len(packed))
    try:
        files = read_tar(decompress(packed, min(LARGEST_UNPACKED, HIGHEST_RATIO * len(packed))), _LIMITS)
    except ArchiveError as error:
        raise _no_backup(str(error)) from error
    try:
        manifest = json_value(files.pop(MANIFEST))
    except (KeyError, ValueError) as error:
        raise _no_backup(f"it has no readable {MANIFEST}") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise _no_backup("its manifest names another kind of file")
    _judge(manifest)
    by_path = {f"/{name}": content for name, content in files.items()}
    expected = {path: content for path, content in by_path.items() if _expected(path)}
    _judge_upgrades(manifest, expected.get(UPGRADES))
    return manifest, expected


def refuse_large(size: int) -> None:
    """Raise UsageError for an archive of more bytes than a backup can have."""
    if size > LARGEST:
        raise _no_backup(f"it has {size} bytes, and at most {LARGEST} are expected")


def _judge(manifest: JsonObject) -> None:
    """Raise UsageError where the manifest has other kinds of values than `backup` writes."""
    site = manifest.get("site")
    texts = ["server_name", "server_id", "application_object_id"]
    right = isinstance(manifest.get("answers", {}), dict) and all(
        isinstance(manifest.get(name), str | None) for name in texts
    )
    if not right or not (site is None or (isinstance(site, dict) and isinstance(site.get("id"), str))):
        raise _no_backup("its manifest has values of another kind")
    unknown = [name for name in as_object(manifest.get("answers")) if name not in BY_PATH]
    if unknown:
        raise _not_understood(manifest, f"answers ({plain(', '.join(unknown))})")


def _judge_upgrades(manifest: JsonObject, content: bytes | None) -> None:
    """Raise UsageError unless these are upgrades that have ended: the monitor would go on with another."""
    if content is None:
        return
    try:
        upgrades = History.model_validate_json(content).upgrades
    except ValidationError as error:
        raise _not_understood(manifest, "history of upgrades") from error
    if any(upgrade.phase is not UpgradePhase.ENDED for upgrade in upgrades):
        raise _no_backup("an upgrade in it has not ended")


def _expected(path: str) -> bool:
    directory, _slash, name = path.rpartition("/")
    return path in (*FILES, UPGRADES) or (directory == paths.CA_TRUST and name not in ("", ".", ".."))


def _not_understood(manifest: JsonObject, parts: str) -> UsageError:
    return UsageError(
        "backup-not-understood",
        ("version {version} wrote this backup, and this version does not understand its {parts}"),
        hint="Restore it with the version that wrote it.",
        version=plain(manifest.get("version", "unknown"), 40),
        parts=parts,
    )


def _no_backup(reason: str) -> UsageError:
    return UsageError(
        "backup-invalid",
        "this is not a backup of a gateway: {reason}",
        hint="Give a file that `mst-cli backup` wrote.",
        reason=reason,
    )
