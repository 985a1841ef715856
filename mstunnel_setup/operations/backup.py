"""`mst-cli backup`: what another host needs to take this one's place, in one archive."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mstunnel_setup import __version__
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.actions.tenant_objects import RegisterServer
from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError, UsageError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject, as_object, json_bytes
from mstunnel_setup.certificates import generations
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.release_feed import portable_settings
from mstunnel_setup.exchange.releases import CATALOGUE
from mstunnel_setup.exchange.upgrade_history import History, UpgradePhase, read_history, render_history
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import sign_in
from mstunnel_setup.io.bounded_tar import ArchiveError, Limits, decompress, read_tar
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import refuse_present
from mstunnel_setup.operations.certificate.activation import installed_run

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


def backup(operator: Operator, file: Path) -> Result:
    """Write the archive with mode 0600.

    A revocation list that would make it too large for `restore` is left out, with a warning: a current one is
    to be had from its CA. Raises UsageError when the file is there already, StepError when it is too large.
    """
    refuse_present(file)
    with installed_run(operator, {}, exclusively=False) as run:
        present = _contents(run)
        manifest = _manifest(run)
        packed = pack({MANIFEST: json_bytes(manifest), **present})
        warnings = [
            warning(
                "backup-holds-key",
                "{path} contains the private key of the certificate",
                hint="Protect it like the key; restore it on another host with `mst-cli restore`.",
                path=file,
            )
        ]
        if _too_large(packed, present) and DEVICE_REVOCATIONS in present:
            size = len(present.pop(DEVICE_REVOCATIONS))
            source = run.context.answers.devices.crl_file or DEVICE_REVOCATIONS
            packed = pack({MANIFEST: json_bytes(manifest), **present})
            warnings.append(
                warning(
                    "backup-without-list",
                    (
                        "{file} does not contain the revocation list {path}, which has {size} bytes: it would"
                        " be too large"
                    ),
                    hint="Before you restore, put the current list on the other host at {source}.",
                    file=file,
                    path=DEVICE_REVOCATIONS,
                    size=size,
                    source=source,
                )
            )
        if largest := _too_large(packed, present):
            raise StepError(
                "backup-too-large",
                ("{path} has {size} bytes, and a backup that can be restored has at most {largest} in all"),
                hint="Make that file smaller, then run the command again; nothing was written.",
                path=largest,
                size=len(present[largest]),
                largest=LARGEST,
            )
        operator.files.given.write(str(file), packed, 0o600)
    data: JsonObject = {"file": str(file), "contents": [*present]}
    return Result("changed", data, tuple(warnings), text=[text("Written: {file}.", file=file)])


def _contents(run: Run) -> dict[str, bytes]:
    """What goes into the archive beside its manifest, by the path where another host gets it."""
    roots = [f"{paths.CA_TRUST}/{name}" for name in run.files.names(paths.CA_TRUST)]
    # An import may link another generation between two of its files.
    linked = generations.linked(run.context.host.files)
    in_use = paths.ACTIVE if linked is None else generations.directory(linked)
    places = {**FILES, **{path: (path,) for path in roots}}
    contents = {
        path: b"".join(run.files.read(part.replace(paths.ACTIVE, in_use)) or b"" for part in parts)
        for path, parts in places.items()
    }
    if not paths.ROOTLESS:
        contents |= portable_settings(run.files)
    # One under way is of this host; those that have ended tell what went wrong here.
    upgrades = [item for item in read_history(run.files).upgrades if item.phase is UpgradePhase.ENDED]
    contents[UPGRADES] = render_history(History(upgrades=tuple(upgrades))) if upgrades else b""
    return {path: content for path, content in contents.items() if content}


def _too_large(packed: bytes, contents: Mapping[str, bytes]) -> str:
    """The largest file of an archive that `restore` would refuse; empty for any other archive."""
    sizes = {path: len(content) for path, content in contents.items()}
    largest = max(sizes, key=sizes.__getitem__, default="")
    return largest if largest and max(len(packed), sizes[largest]) > LARGEST else ""


def _answers(run: Run) -> JsonObject:
    """The answers of the installation, with the release that was proved last.

    The archive of the first one is left out: it is a file of this host, and holds no other release.
    """
    answers = {name: remembered(run.context.receipt, name) for name in ("images.server", "images.agent")}
    if unfinished := read_history(run.files).unfinished:
        answers = {f"images.{name}": reference for name, reference in unfinished.source.model_dump().items()}
    told = remembered(run.context.receipt, "answers")
    found = {**(told if isinstance(told, dict) else {}), **answers}
    # A setting that this version no longer knows, it would not restore either.
    known = {path: value for path, value in found.items() if path in BY_PATH and value is not None}
    return {path: value for path, value in known.items() if path != "images.archive"}


def _manifest(run: Run) -> JsonObject:
    receipt = run.context.receipt
    identity = sign_in.identity(receipt) or {}
    record = sign_in.result(receipt, RegisterServer.kind) or {}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "created": run.context.host.clock.now().isoformat(timespec="seconds"),
        "answers": _answers(run),
        "site": remembered(receipt, "joined-site"),
        "server_name": run.context.server_name,
        "server_id": record.get("server_id"),
        "application_object_id": identity.get("application_object_id"),
    }
