"""Construction of a run from the command line: its answers, host, journal and runner."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.host import build_host, no_tenant
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, UsageError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.choice import EnginePreference, engine_of
from mstunnel_setup.install.installed import own_scope, require_installed, run_lock
from mstunnel_setup.install.journal_repair import open_journal
from mstunnel_setup.install.preflight import OF_STEPS
from mstunnel_setup.install.request import NO_REQUEST, InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.run_answers import answers
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Prompter
from mstunnel_setup.readiness.checks import refuse_unknown
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import AnyStep, Step


@contextmanager
def open_run(
    operator: Operator,
    request: InstallRequest = NO_REQUEST,
    *,
    exclusively: bool = True,
    despite_damage: bool = False,
    replacing: bool = False,
    scope: Scope | None = None,
) -> Iterator[Run]:
    """Prepare a run and clean up after it; `exclusively` holds the lock, for commands that change things.

    Without a `scope` the run covers the part of this process's user; root acts as the account of a rootless
    gateway. Changes made outside this program are overwritten only if a person agrees or the command was told
    to replace them (`replacing`). An exclusive run writes its receipt, even if it stops or is interrupted. A
    person may restore a damaged journal first; `despite_damage` uses its intact records instead.

    Raises JournalError, UsageError, CheckError, and LockedError if another run does not end in time.
    """
    refuse_unknown(request.ignored_checks, OF_STEPS)
    if exclusively:
        _refuse_no_system(operator.files)
    scope = own_scope(operator) if scope is None else scope
    if scope is not Scope.ALL:
        # The account continues root's installation, and its journal may not record the mode.
        request = request.answering(mode="rootless")
    with ExitStack() as stack:
        if exclusively:
            stack.enter_context(run_lock(operator, patience=request.patience))
            operator.files.remove_tree(
                paths.RESTORED
            )  # a killed restoration may have left a private key there
        stack.callback(operator.sinks.close_log)
        found = open_journal(scope, operator, despite_damage=despite_damage, locked=exclusively)
        journal = stack.enter_context(closing(found))
        run = _run(operator, request, scope, journal, stack, replacing=replacing)
        try:
            yield run
        except (SetupError, KeyboardInterrupt):
            if exclusively:
                with suppress(SetupError):
                    run.write_receipt()
            raise
        if exclusively:
            run.write_receipt()


def _run(
    operator: Operator,
    request: InstallRequest,
    scope: Scope,
    journal: Journal,
    stack: ExitStack,
    *,
    replacing: bool,
) -> Run:
    """Build the run on this host; the stack closes what it starts."""

    def passphrase(reference: str | None) -> bytes | None:
        if reference is None:
            return None if run.passphrase is None else run.passphrase.encode()
        # A passphrase may be empty and so may its file; the other secrets read by reference are never empty.
        may_be_empty = reference == str(run.answers.certificate.passphrase)
        return run.secret(SecretReference.parse(reference), may_be_empty=may_be_empty).encode()

    given = answers(operator, request.settings, journal.receipt, request.backup)
    preference = EnginePreference(given.engine, engine_of(journal.receipt))
    host = stack.enter_context(
        build_host(
            operator, scope, preference, tenant=lambda: run.graph or no_tenant(), passphrase=passphrase
        )
    )
    runner = Runner(
        host,
        journal,
        CODEC,
        operator.clock,
        operator.sinks.listener([step.name for step in steps_of(scope)], request.progress_fd),
        may_replace=partial(_may_replace, operator.console, asked=replacing),
        waited=lambda: operator.console.waited,
    )
    run = Run(
        host=host,
        journal=journal,
        runner=runner,
        console=operator.console,
        answers=given,
        request=request,
        protect=operator.secrets.register,
        host_name=socket.gethostname().partition(".")[0],
    )
    return run


def _may_replace(console: Prompter, changed: str, *, asked: bool) -> bool:
    """Return whether a change by others may be overwritten: a person agrees, or the command `asked`."""
    if asked or not console.interactive:
        return asked
    question = text(
        "{changed}. Replace it (the changed version is kept in {state}/saved)",
        changed=changed,
        state=paths.STATE,
    )
    return console.confirm(question)


def _refuse_no_system(files: Files) -> None:
    """Raise UsageError unless the root has the directories of a Linux system (typo, image not mounted)."""
    missing = [directory for directory in ("/etc", "/run", "/var") if files.state(directory) is None]
    if missing:
        raise UsageError(
            "root-no-host",
            "{root} is not the root of a host's file system: {missing} is missing",
            hint="Give the directory where the host's file system is mounted.",
            root=files.root,
            missing=", ".join(missing),
        )


@contextmanager
def installed_run(
    operator: Operator,
    request: InstallRequest = NO_REQUEST,
    *,
    exclusively: bool = True,
    despite_damage: bool = False,
    scope: Scope | None = None,
) -> Iterator[Run]:
    """Open a run on a server with an installation. Raises UsageError if there is none.

    A run that is not exclusive only reads, and works despite a damaged journal.
    """
    with open_run(
        operator,
        request,
        exclusively=exclusively,
        despite_damage=despite_damage or not exclusively,
        replacing=True,
        scope=scope,
    ) as run:
        require_installed(run.journal)
        yield run


def apply_actions(run: Run, title: str, actions: Sequence[Action]) -> bool:
    """Apply actions that are already decided; return whether there was anything to do.

    Satisfied actions print nothing, so that cron sends no mail for a renewal hook. Raises as `Runner.run`.
    """
    step: Step[Run, None] = Step("import", title, lambda _run: None, lambda _facts: actions)
    planned = run.runner.plan([step], run)
    if not (any(item.actions for item in planned) or run.receipt.stopped_in(step.name)):
        run.runner.acknowledge(step.name)
        return False
    return any(item.actions for item in run.runner.run([step], run))


def chosen_steps(skipped: Sequence[str], scope: Scope = Scope.ALL) -> list[AnyStep]:
    """Return the steps of a part without the skipped ones, in order. Raises UsageError for unknown names."""
    known = [step.name for each in Scope for step in steps_of(each)]
    for name in skipped:
        if name not in known:
            raise _unknown(name, known)
    return [step for step in steps_of(scope) if step.name not in skipped]


def step_named(name: str, scope: Scope = Scope.ALL) -> AnyStep:
    """Return the step `name` of a part. Raises UsageError, which names all steps, for an unknown name."""
    for step in steps_of(scope):
        if step.name == name:
            return step
    raise _unknown(name, [step.name for step in steps_of(scope)])


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    names = ", ".join(dict.fromkeys(known))
    return UsageError(
        "step-unknown",
        "there is no step {name}",
        hint="Use one of: {names}.",
        name=name,
        names=names,
    )
