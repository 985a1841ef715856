"""`mst-cli backup|restore`: one archive with everything that another host needs to replace this one."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mstunnel_setup import __version__
from mstunnel_setup.actions.files import CopyFile, MakeDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.tenant_objects import RegisterServer
from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import FILE_MISSING, StepError, UsageError, declare
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject, as_object, json_bytes
from mstunnel_setup.certificates import generations
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.exchange.release_feed import portable_settings
from mstunnel_setup.exchange.upgrade_history import (
    HISTORY,
    History,
    UpgradePhase,
    read_history,
    render_history,
)
from mstunnel_setup.exchange.upgrade_rules import RULES
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.install.installed import complete, journal_of, own_scope, rootless_account
from mstunnel_setup.install.preflight import refuse, refuse_other, refuse_unsuited
from mstunnel_setup.install.report import RunReport
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import refuse_unreadable_by
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions, installed_run, open_run
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.install.steps import eula, sign_in
from mstunnel_setup.install.steps.environment import TENANT_ROOTS
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.bounded_tar import ArchiveError, Limits, decompress, read_tar
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.io.safe_paths import refuse_present
from mstunnel_setup.operations.restored_trust import confirm_trust
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.runner import Planned

SCHEMA = "mstunnel-backup/1"
MANIFEST = "manifest.json"
# Each path on the restored host, with the paths to read it from here; only files in use are saved. The root
# certificate is not served, but a private authority's chain cannot be verified without it.
FILES = {
    paths.ENVIRONMENT: (paths.ENVIRONMENT,),
    paths.SITE_CERTIFICATE: (f"{paths.ACTIVE}/chain.pem", f"{paths.ACTIVE}/root.pem"),
    paths.SITE_KEY: (f"{paths.ACTIVE}/key.pem",),
    DEVICE_AUTHORITY: (DEVICE_AUTHORITY,),
    DEVICE_REVOCATIONS: (DEVICE_REVOCATIONS,),
    paths.HEALTH_THRESHOLDS: (paths.HEALTH_THRESHOLDS,),
    # Only root decides which upgrades are allowed, also for a rootless gateway.
    **({} if paths.ROOTLESS else {path: (path,) for path in (CATALOGUE, RULES, feed.SETTINGS, feed.ROOT)}),
}

UPGRADES = f"{paths.HOST_STATE}/upgrades.json"
"""Name in an archive of the file with finished upgrades; its path on a host differs."""

LARGEST: Final = 4 * 1024 * 1024
"""Largest archive, and largest file in it, in bytes; a real archive has about ten thousand."""
LARGEST_UNPACKED: Final = 16 * 1024 * 1024
"""Largest unpacked content of an archive, in bytes."""
HIGHEST_RATIO: Final = 200
"""Largest ratio of unpacked content to archive size; a real archive has 1 to 20."""
MOST_FILES: Final = 500
_LIMITS: Final = Limits(entries=MOST_FILES, file_size=LARGEST, total=LARGEST_UNPACKED)


def pack(contents: Mapping[str, bytes]) -> bytes:
    """Return a .tar.gz of files by name, all owned by root and readable by root only."""
    packed = io.BytesIO()
    with tarfile.TarFile(fileobj=packed, mode="w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name.lstrip("/"))
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def unpack(packed: bytes) -> tuple[JsonObject, dict[str, bytes]]:
    """Return manifest and files (by host path) of an archive written by `backup`.

    Raises UsageError `backup-invalid` for any other file and for one larger than a backup can be,
    `backup-not-understood` for an archive of a newer format version.
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
    expected = {}
    for name, content in files.items():
        directory, _slash, last = f"/{name}".rpartition("/")
        if f"/{name}" in (*FILES, UPGRADES) or (directory == paths.CA_TRUST and last not in ("", ".", "..")):
            expected[f"/{name}"] = content
    _judge(manifest, expected.get(UPGRADES))
    return manifest, expected


def refuse_large(size: int) -> None:
    """Raise UsageError for an archive of more than `LARGEST` bytes."""
    if size > LARGEST:
        raise _no_backup(f"it has {size} bytes, and at most {LARGEST} are expected")


def _judge(manifest: JsonObject, upgrades: bytes | None) -> None:
    """Raise UsageError unless manifest and upgrade history have the form that `backup` writes."""
    site, answers = manifest.get("site"), manifest.get("answers", {})
    texts = [manifest.get(name) for name in ("server_name", "server_id", "application_object_id")]
    right = isinstance(answers, dict) and all(isinstance(value, str | None) for value in texts)
    if not right or not (site is None or (isinstance(site, dict) and isinstance(site.get("id"), str))):
        raise _no_backup("its manifest has values of another kind")
    if unknown := [name for name in as_object(answers) if name not in BY_PATH]:
        raise _not_understood(manifest, f"answers ({plain(', '.join(unknown))})")
    if upgrades is None:
        return
    try:
        phases = {upgrade.phase for upgrade in History.model_validate_json(upgrades).upgrades}
    except ValidationError as error:
        raise _not_understood(manifest, "history of upgrades") from error
    # The monitor would continue an upgrade that has not ended.
    if phases - {UpgradePhase.ENDED}:
        raise _no_backup("an upgrade in it has not ended")


def _not_understood(manifest: JsonObject, parts: str) -> UsageError:
    return UsageError(
        "backup-not-understood",
        "version {version} wrote this backup, and this version does not understand its {parts}",
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


class BackupReport(Report):
    """The path of the archive, and the host paths of the files in it."""

    file: str
    contents: tuple[str, ...]


def backup(operator: Operator, file: Path) -> Result[BackupReport]:
    """Write the archive with mode 0600.

    Leaves out, with a warning, a revocation list that would make the archive too large for `restore`: its CA
    provides a current one. Raises UsageError if the file exists, StepError if the archive is too large.
    """
    refuse_present(file)
    with installed_run(operator, exclusively=False) as run:
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
            source = run.answers.devices.crl_file or DEVICE_REVOCATIONS
            packed = pack({MANIFEST: json_bytes(manifest), **present})
            warnings.append(
                warning(
                    "backup-without-list",
                    "{file} does not contain the revocation list {path}, which has {size} bytes: it would"
                    " be too large",
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
                "{path} has {size} bytes, and a backup that can be restored has at most {largest} in all",
                hint="Make that file smaller, then run the command again; nothing was written.",
                path=largest,
                size=len(present[largest]),
                largest=LARGEST,
            )
        operator.files.given.write(str(file), packed, 0o600)
    report = BackupReport(file=str(file), contents=tuple(present))
    return Result("changed", report, tuple(warnings), text=[text("Written: {file}.", file=file)])


def _contents(run: Run) -> dict[str, bytes]:
    """Return the archive's files beside its manifest, by their path on the restored host."""
    roots = [f"{paths.CA_TRUST}/{name}" for name in run.files.names(paths.CA_TRUST)]
    # An import may switch to another generation while the files are read.
    linked = generations.linked(run.files)
    in_use = paths.ACTIVE if linked is None else generations.directory(linked)
    places = {**FILES, **{path: (path,) for path in roots}}
    contents = {
        path: b"".join(run.files.read(part.replace(paths.ACTIVE, in_use)) or b"" for part in parts)
        for path, parts in places.items()
    }
    if not paths.ROOTLESS:
        contents |= portable_settings(run.files)
    # An unfinished upgrade concerns this host only; finished ones tell which releases failed here.
    upgrades = [item for item in read_history(run.files).upgrades if item.phase is UpgradePhase.ENDED]
    contents[UPGRADES] = render_history(History(upgrades=tuple(upgrades))) if upgrades else b""
    return {path: content for path, content in contents.items() if content}


def _too_large(packed: bytes, contents: Mapping[str, bytes]) -> str:
    """Return the largest file of an archive that `restore` would refuse as too large, else ""."""
    sizes = {path: len(content) for path, content in contents.items()}
    largest = max(sizes, key=sizes.__getitem__, default="")
    return largest if largest and max(len(packed), sizes[largest]) > LARGEST else ""


def _manifest(run: Run) -> JsonObject:
    """Return the manifest: this host's registration, answers, and the images of the last proven release."""
    receipt = run.receipt
    identity = sign_in.identity(receipt) or {}
    record = sign_in.result(receipt, RegisterServer.kind) or {}
    images = {name: remembered(receipt, name) for name in ("images.server", "images.agent")}
    if unfinished := read_history(run.files).unfinished:
        images = {f"images.{name}": reference for name, reference in unfinished.source.model_dump().items()}
    answers = {**as_object(remembered(receipt, "answers")), **images}
    # `restore` rejects settings that this version does not know. The archive of the first release is a file
    # of this host and holds no other release.
    left_out = {path for path, value in answers.items() if path not in BY_PATH or value is None}
    left_out.add("images.archive")
    return {
        "schema": SCHEMA,
        "version": __version__,
        "created": run.host.clock.now().isoformat(timespec="seconds"),
        "answers": {path: value for path, value in answers.items() if path not in left_out},
        "site": remembered(receipt, "joined-site"),
        "server_name": run.server_name,
        "server_id": record.get("server_id"),
        "application_object_id": identity.get("application_object_id"),
    }


ALREADY_INSTALLED = declare(
    UsageError,
    "already-installed",
    "a gateway is already installed on this host",
    "Restore on a host without a gateway.",
)
# The backup itself supplies these steps, or they depend on the host where it was made.
_NOT_TAKEN = ("account", "certificate", "environment", "site", "eula")
_FIRST = ("eula", "environment")
# Steps that can refuse the backup run before the old host loses its record; steps that need its name run
# afterwards.
_BEFORE_REMOVAL = ("certificate", "sign-in", "site")
_MODES = {paths.SITE_KEY: 0o600, paths.ENVIRONMENT: 0o640}
_CATALOGUE_DIRECTORY = CATALOGUE.rpartition("/")[0]


def restore(
    operator: Operator, settings: Settings, file: Path, *, replace: bool, trusted: bool = False
) -> Result[RunReport]:
    """Restore settings, certificate and roots, then install into the same site with the same answers.

    Values given now (option, variable, answer file) override the backup's, except mode and images. With
    `replace`, first removes the old host's record and application from the tenant. Asks for confirmation of
    the backup's trust decisions unless it is `trusted`. Running it again continues an interrupted restore.

    Raises UsageError if a gateway is installed, the file is not a backup, or a rootless backup is restored on
    a host that root has not prepared; on a prepared host the account restores it and root hands over to it.
    """
    with suppress(OSError):  # the reading below reports the reason
        refuse_large(file.stat().st_size)
    content = operator.files.read_given(str(file))
    if content is None:
        raise FILE_MISSING(path=file)
    manifest, files = unpack(content)
    scope = _scope(operator, manifest, file)
    begun = StoreAnswer(name="restored", value=hashlib.sha256(content).hexdigest())
    answers = _answers(manifest)
    # The restored host runs the same release, even if an answer file from before its upgrades names another
    # one.
    images = {path: value for path, value in answers.items() if path.startswith("images.")}
    fixed = {"mode": _mode(manifest), **images}
    request = InstallRequest({**settings, **fixed}, backup=answers)
    with open_run(operator, request, scope=scope) as run:
        _refuse_installed(run, begun)
        _refuse_missing_roots(run, file)
        if not _continues(run, begun):
            confirm_trust(run.console, file, manifest, files, agreed=trusted)
        # All checks and questions come before the first change.
        refuse_other(run)
        refuse(run, steps_of(scope))
        if run.files.live and not run.receipt.entries:
            eula.STEP.gather(run)
            sign_in.STEP.gather(run)
            refuse_unsuited(run)
        done = run.runner.run([eula.STEP], run)
        # The journal records the backup, so that the same command can continue.
        apply_actions(run, "Backup to restore", [begun])
        done += _install(run, manifest, files, replace=replace)
    return Result("changed", RunReport.of(done), text=[text("Restored. Look at it with `mst-cli status`.")])


def _scope(operator: Operator, manifest: JsonObject, file: Path) -> Scope:
    """Return the scope to restore in: root, or the account that root has prepared and continues as.

    Raises UsageError for a backup of the other kind of gateway, CheckError for any other account or if the
    account cannot read the file.
    """
    rootless, account = _mode(manifest) == "rootless", rootless_account(operator)
    prepared = complete(journal_of(Scope.HOST, operator).receipt, Scope.HOST)
    as_account = paths.ROOTLESS and account == own_name()
    if (rootless and not prepared) or (as_account and not rootless):
        # Only a gateway of this process's user counts; a host that root prepared for an account has none yet.
        own = Scope.ACCOUNT if paths.ROOTLESS else Scope.ALL
        if (paths.ROOTLESS or not account) and journal_of(own, operator).receipt.entries:
            raise ALREADY_INSTALLED()
    if rootless and not prepared:
        raise UsageError(
            "backup-rootless",
            "{backup} is the backup of a rootless gateway, and this host is not prepared for one",
            hint="Run `sudo mstunnel-setup host`, then this command again; the account must be able to"
            " read the file.",
            backup=file,
        )
    if as_account and not rootless:
        raise UsageError(
            "backup-rootful",
            "{backup} is the backup of a gateway with root, and this host is prepared for a rootless one",
            hint="Undo that with `sudo mstunnel-setup host --remove`, then restore the backup as root.",
            backup=file,
        )
    if as_account:
        return Scope.ACCOUNT
    if account and not paths.ROOTLESS:
        refuse_unreadable_by(operator, account, str(file))
    return own_scope(operator)


def _refuse_installed(run: Run, begun: StoreAnswer) -> None:
    """Raise UsageError if a gateway is installed, unless this same backup was partly restored here."""
    receipt = run.receipt
    if {entry.step for entry in receipt.entries.values()} <= {eula.STEP.name}:
        return
    # An interrupted installation may have left an incomplete record.
    if not _continues(run, begun) or all(step.name in receipt.steps for step in steps_of(run.scope)):
        raise ALREADY_INSTALLED()


def _continues(run: Run, begun: StoreAnswer) -> bool:
    """Return whether this same backup was partly restored here."""
    entry = run.receipt.entries.get(begun.key)
    return entry is not None and entry.versions[-1]["value"] == begun.value


def _refuse_missing_roots(run: Run, file: Path) -> None:
    """Raise UsageError if `tenant.ca_file` is missing here.

    The backup holds only the content of the old host's file.
    """
    named = run.answers.tenant.ca_file
    if named is not None and run.files.read_given(named) is None:
        raise UsageError(
            "backup-ca-file-missing",
            "the backup uses the trusted roots in {path}, which does not exist on this host",
            hint="Extract them from the backup (`tar -xzOf {backup} {member} >tenant-ca.crt`), then "
            "add `--ca-file tenant-ca.crt`.",
            path=named,
            backup=file,
            member=TENANT_ROOTS.lstrip("/"),
        )


def _install(
    run: Run, manifest: JsonObject, files: Mapping[str, bytes], *, replace: bool
) -> Sequence[Planned]:
    steps = {step.name: step for step in steps_of(run.scope)}
    try:
        copies = _staged(run, {path: content for path, content in files.items() if path != UPGRADES})
        if UPGRADES in files:
            # The receipt does not list the history: uninstalling removes it with the installation's other
            # working files.
            run.files.write(HISTORY, files[UPGRADES], 0o600)
        apply_actions(
            run, "Settings of the backup", [copy for copy in copies if copy.path == paths.ENVIRONMENT]
        )
        done = run.runner.run([steps["environment"]], run)
        listed = any(path.startswith(f"{_CATALOGUE_DIRECTORY}/") for path in files)
        directories = [MakeDirectory(path=_CATALOGUE_DIRECTORY, mode=0o755)] if listed else []
        apply_actions(run, "Certificate, roots and limits of the backup", [*directories, *copies])
        done += run.runner.run([steps[name] for name in _BEFORE_REMOVAL], run)
        if replace:
            # The old host's objects in the tenant are removed; missing ones are ignored.
            sign_in.as_registrar(run)
            site, host = as_object(manifest.get("site")), run.host
            if site and manifest.get("server_id"):
                host.graph.delete_server(str(site["id"]), str(manifest["server_id"]))
            if manifest.get("application_object_id"):
                host.graph.delete_application(str(manifest["application_object_id"]))
        rest = [step for name, step in steps.items() if name not in (*_FIRST, *_BEFORE_REMOVAL)]
        return done + run.runner.run(rest, run)
    finally:
        run.files.remove_tree(paths.RESTORED)


def _staged(run: Run, files: Mapping[str, bytes]) -> list[CopyFile]:
    """Write the backup's files to a staging directory and return the actions that copy them into place.

    The journal then holds only their digests, never the key.
    """
    run.files.make_directories(paths.RESTORED, 0o700)
    copies = []
    for path, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        staged = f"{paths.RESTORED}/{digest}"
        run.files.write(staged, content, 0o600)
        source = str(run.files.locate(staged))
        copies.append(CopyFile(path=path, mode=_MODES.get(path, 0o644), source=source, digest=digest))
    return copies


def _mode(manifest: JsonObject) -> str:
    return str(as_object(manifest.get("answers")).get("mode") or "rootful")


def _answers(manifest: JsonObject) -> JsonObject:
    answers = as_object(manifest.get("answers"))
    kept = {path: value for path, value in answers.items() if path.partition(".")[0] not in _NOT_TAKEN}
    own = {"server_name": manifest.get("server_name"), "site": as_object(manifest.get("site")).get("id")}
    return {**kept, **{path: value for path, value in own.items() if value}}
