"""`mst-cli restore`: install on this host what was backed up on another."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mstunnel_setup.actions.files import CopyFile, MakeDirectory
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import FILE_MISSING, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.exchange.releases import CATALOGUE
from mstunnel_setup.exchange.upgrade_history import HISTORY
from mstunnel_setup.install.install import steps_data
from mstunnel_setup.install.installed import complete, journal_of, own_scope, rootless_account
from mstunnel_setup.install.preflight import refuse_unready, refuse_unsuited, refuse_vendor
from mstunnel_setup.install.rootless import refuse_unreadable_by
from mstunnel_setup.install.session import Run, open_run, require_answers
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.install.steps import eula, sign_in
from mstunnel_setup.install.steps.environment import TENANT_ROOTS
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.backup import UPGRADES, refuse_large, unpack
from mstunnel_setup.operations.certificate.activation import apply_actions
from mstunnel_setup.operations.errors import (
    ALREADY_INSTALLED,
)
from mstunnel_setup.transaction.runner import Planned

# What a backup brings itself, or what belongs to the host it was made on.
_NOT_TAKEN = ("account", "certificate", "environment", "site", "eula")
_FIRST = ("eula", "environment")
# What can refuse the backup comes before the old host loses its record, what needs its name afterwards.
_BEFORE_REMOVAL = ("certificate", "sign-in", "site")
_MODES = {paths.SITE_KEY: 0o600, paths.ENVIRONMENT: 0o640}
_CATALOGUE_DIRECTORY = CATALOGUE.rpartition("/")[0]


def restore(operator: Operator, settings: Settings, file: Path, *, replace: bool) -> Result:
    """Place settings, certificate and roots, then install into the same site with the same answers.

    What is given now (option, variable, answer file) is used instead of what the backup has, but for mode
    and images.

    With `replace` the record and the application of the old host are removed from the tenant first.
    Given once more it continues a restoration that was cut off. Raises UsageError where a gateway is
    installed already, for a file that is no backup, and for the backup of a rootless gateway unless root
    has prepared the host for one: then the account restores it, and root hands over to it.
    """
    with suppress(OSError):  # why it cannot be read is said below
        refuse_large(file.stat().st_size)
    content = operator.files.read_given(str(file))
    if content is None:
        raise FILE_MISSING(path=file)
    manifest, files = unpack(content)
    scope = _scope(operator, manifest, file)
    digest = hashlib.sha256(content).hexdigest()
    answers = _answers(manifest)
    # The release that ran there runs here, whatever an answer file from before its upgrades says.
    images = {path: value for path, value in answers.items() if path.startswith("images.")}
    fixed = {"mode": _mode(manifest), **images}
    with open_run(operator, {**settings, **fixed}, scope=scope, backup=answers) as run:
        _refuse_installed(run, digest)
        _refuse_missing_roots(run, file)
        require_answers(run, steps_of(scope))
        _refuse(run)
        done = run.runner.run([eula.STEP], run.context)
        # Recorded, so that the same command may continue.
        apply_actions(run, "Backup to restore", [_begun(digest)])
        done += _installed(run, manifest, files, replace=replace)
    return Result("changed", steps_data(done), text=[text("Restored. Look at it with `mst-cli status`.")])


def _scope(operator: Operator, manifest: JsonObject, file: Path) -> Scope:
    """Who restores: root, or the account that root has prepared this host for, as which root continues.

    Raises UsageError for the backup of a gateway of the other kind, CheckError for any other account, and
    when that account cannot read the file.
    """
    rootless, account = _mode(manifest) == "rootless", rootless_account(operator)
    if rootless and not complete(journal_of(Scope.HOST, operator).receipt, Scope.HOST):
        raise (
            ALREADY_INSTALLED()
            if _has_gateway(operator, account)
            else UsageError(
                "backup-rootless",
                "{backup} is the backup of a rootless gateway, and this host is not prepared for one",
                hint=(
                    "Run `sudo mstunnel-setup host`, then this command again; the account must be able to"
                    " read the file."
                ),
                backup=file,
            )
        )
    if not (paths.ROOTLESS and account == own_name()):
        if account and not paths.ROOTLESS:
            refuse_unreadable_by(operator, account, str(file))
        return own_scope(operator)
    if not rootless:
        raise (
            ALREADY_INSTALLED()
            if _has_gateway(operator, account)
            else UsageError(
                "backup-rootful",
                (
                    "{backup} is the backup of a gateway with root, and this host is prepared for a "
                    "rootless one"
                ),
                hint="Undo that with `sudo mstunnel-setup host --remove`, then restore the backup as root.",
                backup=file,
            )
        )
    return Scope.ACCOUNT


def _has_gateway(operator: Operator, account: str) -> bool:
    """Whether the user of this process has a gateway here; what root prepared for an account is none."""
    own = Scope.ACCOUNT if paths.ROOTLESS else Scope.ALL
    prepared = account and not paths.ROOTLESS
    return not prepared and bool(journal_of(own, operator).receipt.entries)


def _refuse(run: Run) -> None:
    """Make all checks and ask all questions before anything is placed; raises as an installation does."""
    names = [step.name for step in steps_of(run.scope)]
    refuse_vendor(run.context)
    refuse_unready(run.context, names)
    if run.context.host.files.live and not run.context.receipt.entries:
        eula.STEP.gather(run.context)
        sign_in.STEP.gather(run.context)
        refuse_unsuited(run.context, names)


def _refuse_installed(run: Run, digest: str) -> None:
    """Raise UsageError unless nothing is installed here, or this very backup has been restored in part."""
    receipt = run.context.receipt
    if {entry.step for entry in receipt.entries.values()} <= {eula.STEP.name}:
        return
    begun = receipt.entries.get(_begun(digest).key)
    same = begun is not None and begun.versions[-1]["value"] == digest  # its record may have been cut off
    if not same or all(step.name in receipt.steps for step in steps_of(run.scope)):
        raise ALREADY_INSTALLED()


def _begun(digest: str) -> StoreAnswer:
    """The action that records which backup is restored."""
    return StoreAnswer(name="restored", value=digest)


def _refuse_missing_roots(run: Run, file: Path) -> None:
    """Raise UsageError where `tenant.ca_file` is a file of the old host; the backup holds its content."""
    named = run.context.answers.tenant.ca_file
    if named is not None and run.files.read_given(named) is None:
        raise UsageError(
            "backup-ca-file-missing",
            "the backup uses the trusted roots in {path}, which does not exist on this host",
            hint=(
                "Extract them from the backup (`tar -xzOf {backup} {member} >tenant-ca.crt`), then "
                "add `--ca-file tenant-ca.crt`."
            ),
            path=named,
            backup=file,
            member=TENANT_ROOTS.lstrip("/"),
        )


def _installed(
    run: Run, manifest: JsonObject, files: Mapping[str, bytes], *, replace: bool
) -> Sequence[Planned]:
    steps = {step.name: step for step in steps_of(run.scope)}
    try:
        copies = _staged(run, {path: content for path, content in files.items() if path != UPGRADES})
        if UPGRADES in files:
            # No object of the receipt, as it never is: what only serves the installation goes with it.
            run.files.write(HISTORY, files[UPGRADES], 0o600)
        apply_actions(
            run, "Settings of the backup", [copy for copy in copies if copy.path == paths.ENVIRONMENT]
        )
        done = run.runner.run([steps["environment"]], run.context)
        listed = any(path.startswith(f"{_CATALOGUE_DIRECTORY}/") for path in files)
        directories = [MakeDirectory(path=_CATALOGUE_DIRECTORY, mode=0o755)] if listed else []
        apply_actions(run, "Certificate, roots and limits of the backup", [*directories, *copies])
        done += run.runner.run([steps[name] for name in _BEFORE_REMOVAL], run.context)
        if replace:
            _remove_old(run, manifest)
        rest = [step for name, step in steps.items() if name not in (*_FIRST, *_BEFORE_REMOVAL)]
        return done + run.runner.run(rest, run.context)
    finally:
        run.files.remove_tree(paths.RESTORED)


def _staged(run: Run, files: Mapping[str, bytes]) -> list[CopyFile]:
    """The files of the backup in a place of their own, and the actions that bring them to theirs.

    The journal then holds their digests only, and never the key.
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


def _remove_old(run: Run, manifest: JsonObject) -> None:
    """Remove from the tenant what the old host had there; absent is fine."""
    sign_in.as_registrar(run.context)
    graph, site = run.context.host.graph, manifest.get("site")
    if isinstance(site, dict) and manifest.get("server_id"):
        graph.delete_server(str(site["id"]), str(manifest["server_id"]))
    if manifest.get("application_object_id"):
        graph.delete_application(str(manifest["application_object_id"]))


def _mode(manifest: JsonObject) -> str:
    return str(as_object(manifest.get("answers")).get("mode") or "rootful")


def _answers(manifest: JsonObject) -> JsonObject:
    answers = as_object(manifest.get("answers"))
    kept = {path: value for path, value in answers.items() if path.partition(".")[0] not in _NOT_TAKEN}
    site = manifest.get("site")
    name = manifest.get("server_name")
    return {
        **kept,
        **({"server_name": name} if name else {}),
        **({"site": site["id"]} if isinstance(site, dict) else {}),
    }
