"""`mst-cli uninstall` and `mstunnel-setup rollback`: undo the receipt in reverse, then remove the journal."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from mstunnel_setup.actions import firewall
from mstunnel_setup.actions.host import CANDIDATE
from mstunnel_setup.actions.tenant_objects import CreateAppIdentity, RegisterServer
from mstunnel_setup.actions.vendor_gateway import ADOPT, SetAside
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, NetworkError, SignInError, StepError, UsageError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.certificates.revocation import ASKED_BY_COMMANDS
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange import upgrade_history as record
from mstunnel_setup.install.installed import (
    PROGRAM_UPDATES,
    account_never_began,
    complete,
    have_done,
    journal_of,
    rootless_account,
)
from mstunnel_setup.install.report import RemovalReport
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import ONLY, by_sudo, command_by_hand, host_command, relayed
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import open_run
from mstunnel_setup.install.steps import sign_in
from mstunnel_setup.install.steps.sign_in import result
from mstunnel_setup.io import podman_home
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.bundle import remove_unpacked
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.roles import ACCESS_DENIED
from mstunnel_setup.transaction.action import Undo
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.runner import Removal

_REMAINS = (
    *(ASKED_BY_COMMANDS, CANDIDATE, record.HISTORY, feed.FEED_RECORD),
    *(paths.SERVED_CONFIGURATION, paths.AGENT_CHANGES),
)
# A removal uses these texts for objects that stay in the tenant, by kind of action.
_IN_TENANT = {
    CreateAppIdentity.kind: "the application {} in the tenant",
    RegisterServer.kind: "the record {}",
}
# The step `site` may place a certificate that a person chose for the site, so it counts here, too.
_DATA_STEPS = frozenset({"eula", "environment", "certificate", "site", "import", ADOPT})
_OTHER_SIGN_IN = text(
    "Nothing was removed from this server. Sign in as an administrator who may delete both, or as the "
    "application that installed this server: `--answers FILE` with its `sign_in`."
)
_WAY_OUT = text("To continue without the tenant: `mst-cli uninstall --offline`; it lists what remains there.")


def uninstall(
    operator: Operator, settings: Settings, *, offline: bool, keep_data: bool, yes: bool
) -> Result[RemovalReport | None]:
    """Undo everything in the receipt, newest first. Ask once, unless `yes` or the run is unattended.

    Raises NetworkError, whose hint says how to continue, if the tenant is unreachable and `offline` is false.
    """

    def own() -> Result[RemovalReport | None]:
        with open_run(
            operator, InstallRequest(settings), scope=Scope.ACCOUNT if paths.ROOTLESS else None
        ) as run:
            if not run.receipt.entries:
                forget(run.files, run.journal)
                return Result(
                    "unchanged", text=[text("No gateway is installed here; there is nothing to remove.")]
                )
            everywhere = bool(tenant_keys(run.receipt)) and not offline
            where = text("this server and the tenant") if everywhere else text("this server only")
            question = text("Remove the gateway from {where}?", where=where)
            prompter = run.console
            if not yes and prompter.interactive and not prompter.confirm(question):
                raise UsageError(
                    "uninstall-declined", "nothing was removed", hint="Run the command again and answer yes."
                )
            made, systemd = run.journal.made_directories, run.host.systemd
            try:
                counted = _uncounted if operator.verbose else operator.counted
                removals = remove_installation(run, offline=offline, keep_data=keep_data, counted=counted)
            except NetworkError as error:
                raise NetworkError(
                    error.code, error.message, joined(filter(None, (error.hint, _WAY_OUT)))
                ) from error
        podman_home.tidy(operator.files, made, systemd)
        where = text("this server and from the tenant") if everywhere else text("this server")
        return removed(removals, text("Removed from {where}.", where=where))

    return take_back(operator, own)


def take_back(
    operator: Operator, own: Callable[[], Result[RemovalReport | None]]
) -> Result[RemovalReport | None]:
    """Undo both parts; `own` undoes the part of this process's user.

    Root first has the account undo its part, if that has begun; the account undoes its part and then asks
    root for the host part.
    """
    if not operator.files.live:
        result = own()
    elif paths.ROOTLESS:
        if (
            rootless_account(operator) != own_name()
            and not journal_of(Scope.ACCOUNT, operator).receipt.entries
        ):
            raise NOT_ROOT(what=text("this command"))
        result = own()
        last = os.environ.get(ONLY) or result.errors
        if not last and journal_of(Scope.HOST, operator).receipt.entries:
            command, by_hand = host_command("--remove"), command_by_hand("--remove")
            operator.console.say("The host part is removed with sudo.")
            result = _joined(result, by_sudo(operator, RemovalReport, command, by_hand))
    elif (account := rootless_account(operator)) and account_never_began(operator, account):
        result = remove_host_setup(operator)
    elif account:
        first = relayed(have_done(operator, account, {ONLY: Scope.ACCOUNT.value}), RemovalReport)
        if first is None:
            raise StepError(
                "account-part-failed",
                "account {account} cannot undo its part of the installation",
                hint=(
                    "Fix what it reported above, then run the command again. To remove root's part "
                    "anyway: `mstunnel-setup host --remove`."
                ),
                account=account,
            )
        result = first
        if not result.errors:
            result = _joined(result, remove_host_setup(operator))
    else:
        result = own()
    return replace(result, warnings=(*result.warnings, *forget_program(operator)))


def remove_host_setup(operator: Operator) -> Result[RemovalReport]:
    """Undo the host part."""
    with open_run(operator, scope=Scope.HOST) as run:
        if not run.receipt.entries:
            forget(run.files, run.journal)
            none = text("There is no host part to remove.")
            return Result("unchanged", RemovalReport(objects=()), text=[none])
        removals = remove_installation(run)
    return removed(removals, text("The host part was removed."))


def _joined(
    first: Result[RemovalReport | None], second: Result[RemovalReport]
) -> Result[RemovalReport | None]:
    if second.errors:
        return second
    reports = [report for report in (first.report, second.report) if report is not None]
    objects = tuple(item for report in reports for item in report.objects)
    lines = [text("Removed: the account part and the host part.")]
    return Result("changed", RemovalReport(objects=objects), (*first.warnings, *second.warnings), text=lines)


def _uncounted(_undone: int, _total: int) -> None:
    """Show no progress bar, since each change prints a line."""


def remove_installation(
    run: Run,
    *,
    offline: bool = False,
    keep_data: bool = False,
    counted: Callable[[int, int], None] = _uncounted,
) -> list[Removal]:
    """Undo everything, newest first. Raises SetupError if an undo fails; running it again continues.

    The objects in the tenant are removed first, so that a refused sign-in, or one without permission, leaves
    this server unchanged; with `offline` they stay and are named. With `keep_data` the administrator's files
    below /etc/mstunnel stay, too. `counted` gets the number of undone changes and their total.
    """
    receipt, left = run.receipt, []
    if offline:
        remains = {
            key: _IN_TENANT[kind].format(key.partition(":")[2]) for key, kind in tenant_keys(receipt).items()
        }
        left += run.runner.leave(remains)
    left += _remove_from_tenant(run)
    if keep_data:
        # Until an adoption is committed, undo restores Microsoft's directory.
        data = {
            entry.key: entry.key.partition(":")[2]
            for entry in run.receipt.entries.values()
            if entry.step in _DATA_STEPS and entry.versions[-1]["kind"] != SetAside.kind
        }
        left += run.runner.leave(
            {key: path for key, path in data.items() if path.startswith(paths.CONFIGURATION)}
        )
    if run.scope is not Scope.HOST:
        run.files.remove(paths.LOG_LEVEL)
    removals = run.runner.undo(counted=counted)
    if run.scope is not Scope.ACCOUNT:
        removals += firewall.close(run.files, run.host.processes)
    forget(run.files, run.journal)
    return [*left, *removals]


def _remove_from_tenant(run: Run) -> list[Removal]:
    """Remove the record of this server and its application, as an administrator.

    Raises SignInError, before either is removed, if this sign-in lacks the permission.
    """
    keys = [*tenant_keys(run.receipt)]
    if not keys:
        return []
    sign_in.as_administrator(run)
    application_id = (result(run.receipt, CreateAppIdentity.kind) or {}).get("application_object_id")
    graph = run.host.graph
    try:
        # The record is removed first; the permission to remove the application is tested before that.
        application = graph.application(str(application_id)) if application_id else None
        if application is not None:
            graph.require_changeable(application)
        return run.runner.undo(keys)
    except SignInError as error:
        if error.code not in ACCESS_DENIED:
            raise
        raise SignInError(error.code, error.message, joined((_OTHER_SIGN_IN, _WAY_OUT))) from error


def tenant_keys(receipt: Receipt) -> dict[str, str]:
    """Return the tenant objects that this installation created or began to create: keys with action kinds."""
    kinds = {key: str(entry.versions[-1]["kind"]) for key, entry in receipt.entries.items()}
    return {key: kind for key, kind in kinds.items() if kind in _IN_TENANT}


def kept(removals: list[Removal]) -> tuple[Problem, ...]:
    """Return a warning for each object that was left in place."""
    return tuple(
        warning(
            "kept",
            "left in place: {reason}",
            hint="Remove it by hand if you no longer need it.",
            reason=removal.undone.reason,
        )
        for removal in removals
        if removal.undone.outcome is Undo.KEPT and removal.undone.reason
    )


def removed(removals: list[Removal], line: str) -> Result[RemovalReport]:
    """Return the result of a removal, with `line` and the number of undone changes."""
    outcomes = Counter(removal.undone.outcome for removal in removals)
    restored, left = outcomes[Undo.RESTORED], outcomes[Undo.KEPT]
    counts = text(
        "Changes undone: {removed} removed, {restored} restored, {left} left in place.",
        removed=len(removals) - restored - left,
        restored=restored,
        left=left,
    )
    return Result("changed", RemovalReport.of(removals), kept(removals), text=[line, counts])


def forget(files: Files, journal: Journal) -> None:
    """Remove the files of the installer: log, saved files, receipt, and last the journal.

    Any of them may be missing, since a run may be killed at its beginning or in this function.
    """
    state = journal.directory
    for name in files.names(f"{state}/saved"):
        files.remove(f"{state}/saved/{name}")
    if files.state(f"{state}/saved") is not None:
        files.remove_directory(f"{state}/saved")
    if files.state(state) is not None:
        files.remove_tree(feed.WORK)
        files.remove_tree(PROGRAM_UPDATES)
        for path in (journal.receipt_path, *_REMAINS):
            files.remove(path)
    # The monitor may have been stopped while it held the lock.
    files.remove(paths.FEED_LOCK)
    files.remove(paths.RESOLVER)
    if files.state(paths.LOG) is not None:
        # logrotate keeps the rotated logs in the same directory.
        for name in files.names(paths.LOG):
            if f"{paths.LOG}/{name}".startswith(paths.SETUP_LOG):
                files.remove(f"{paths.LOG}/{name}")
        files.remove_directory(paths.LOG)
    journal.remove()


def forget_program(operator: Operator) -> list[Problem]:
    """Remove the unpacked one-file program. This must come last, since no module can be imported afterwards.

    Waits for other running commands. Returns warnings for files that are kept because one does not end.
    """
    return [
        warning(
            "program-in-use",
            "{directory} was not removed: the program in it is still running (process {processes})",
            hint="Once it has ended, remove the directory by hand.",
            directory=directory,
            processes=", ".join(map(str, using)),
        )
        for directory in paths.UNPACKED
        if (using := remove_unpacked(operator.files, operator.clock, directory))
    ]


def rollback(operator: Operator) -> Result[RemovalReport | None]:
    """Undo an unfinished installation. Raises UsageError if it is finished."""

    def own() -> Result[RemovalReport | None]:
        with open_run(operator, scope=Scope.ACCOUNT if paths.ROOTLESS else None) as run:
            receipt = run.receipt
            if not receipt.entries:
                forget(run.files, run.journal)
                return Result("unchanged", text=[text("There is nothing to roll back.")])
            if complete(receipt):
                raise UsageError(
                    "installation-finished",
                    "the installation is complete; there is nothing to roll back",
                    hint="To remove it, run `mst-cli uninstall`.",
                )
            made, systemd = run.journal.made_directories, run.host.systemd
            removals = remove_installation(run)
        podman_home.tidy(operator.files, made, systemd)
        return removed(removals, text("The unfinished installation was rolled back."))

    return take_back(operator, own)
