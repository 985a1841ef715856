"""Delayed imports: checked certificates that a timer or the monitor activates later."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from pydantic import Field

from mstunnel_setup.actions.certificates import WANTED, ScheduleImport, pending_imports
from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base.errors import CertificateError, CheckError, UsageError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Moment, Report, Result
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.revocation import revocation_findings
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.certificate import generation_switch
from mstunnel_setup.operations.certificate.generation_switch import Activation
from mstunnel_setup.transaction.receipt import Receipt, remembered

_NAME_DIGITS = 12
# The timer comes first, and its run may wait for the lock.
_GRACE = timedelta(minutes=5)
# A rejected import would be rejected again at once. The journal remembers the attempt because cron starts a
# new monitor each time.
_PAUSE = timedelta(hours=1)
_TRIED = "imports-tried"


class DelayedImport(Report):
    """A certificate that is activated later."""

    name: str
    at: Moment
    fingerprint: str

    @classmethod
    def of(cls, pending: ScheduleImport) -> "DelayedImport":
        """Return the report of a journal entry."""
        return cls(name=pending.name, at=pending.due.isoformat(), fingerprint=pending.fingerprint)


class DelayedImports(Report):
    """The delayed imports, as reported by `--delay`, `--at` and `--list`."""

    pending: tuple[DelayedImport, ...]


class CancelledImport(Report):
    """The delayed import that `--cancel` cancelled."""

    cancelled: str = Field(description="Its name.")


def schedule(run: Run, found: Certificate, due: datetime) -> Result[DelayedImports]:
    """Store the certificate now and have a timer, else the monitor, activate it at `due`.

    Raises CheckError `delay-needs-host` if the files are below another root.
    """
    if not run.files.live:
        raise CheckError(
            "delay-needs-host",
            "a delayed import cannot be combined with --root",
            hint="Run `mst-cli import_cert` on the host itself.",
        )
    timer = run.host.systemd.running()
    pending = ScheduleImport(
        name=found.fingerprint[:_NAME_DIGITS],
        at=due.isoformat(),
        fingerprint=found.fingerprint,
        program=str(Path(sys.argv[0]).absolute()),
        copied=bool(found.copies),
        instead_of=_newer_in_use(run.files, found.identity.leaf),
        engine=run.engine_name,
        timer=timer,
    )
    run.runner.take_back([pending.key])
    apply_actions(run, "Place the certificate", certificate.placing(found))
    apply_actions(run, "Set the timer", [*([MakeDirectory(path=WANTED)] if timer else []), pending])
    content = text(
        "The certificate is checked and kept; it will be used from {pending} on ({name}).",
        pending=_local_time(pending),
        name=pending.name,
    )
    no_timer = warning(
        "delay-needs-monitor",
        "systemd does not run here, so the monitor activates the certificate",
        hint="Check that the monitor runs: see `mst-cli help without-systemd`.",
    )
    warnings = () if timer else (no_timer,)
    report = DelayedImports(pending=(DelayedImport.of(pending),))
    return Result("changed", report, warnings, text=fold_all([content]))


def list_pending(run: Run) -> Result[DelayedImports]:
    """Return the delayed imports, the earliest first."""
    now = run.host.clock.now()
    found = sorted(pending_imports(run.receipt), key=lambda pending: pending.due)
    lines = [
        text(
            "{name}  {pending}{more}",
            name=pending.name,
            pending=_local_time(pending),
            more="  overdue" if pending.due < now else "",
        )
        for pending in found
    ]
    report = DelayedImports(pending=tuple(map(DelayedImport.of, found)))
    return Result("ok", report, text=lines or [text("No import is pending.")])


def cancel_pending(run: Run, name: str) -> Result[CancelledImport]:
    """Remove an import's timer and its certificate. Raises UsageError."""
    pending = _named(run, name)
    # If the process is killed between these steps, the import is still listed and can be cancelled again.
    generation_switch.drop(run, pending.fingerprint)
    run.runner.take_back([pending.key])
    content = text("The import {name} is cancelled.", name=name)
    return Result("changed", CancelledImport(cancelled=name), text=[content])


def take_pending(run: Run, name: str) -> Result[Activation]:
    """Run an import for its timer; a certificate that is now rejected stays listed as overdue."""
    pending = _named(run, name)
    directory = generations.directory(pending.fingerprint)
    identity = generations.read(run.files, directory)
    if _newer_in_use(run.files, identity.leaf) not in ("", pending.instead_of):
        raise CertificateError(
            "import-older",
            "the delayed certificate {name} is older than the one that is now in use, or ends earlier",
            hint="Cancel it: `mst-cli import_cert --cancel {name}`.",
            name=name,
        )
    certificate.examine(run, identity, certificate.address(run))
    asked = certificate.ask_authorities(run, identity)
    certificate.tell(run, [*revocation_findings(asked)])
    # A certificate from another path is copied to the usual places as PEM.
    source = generations.source(run.files, directory)
    copies = tuple(certificate.copies(run, source, identity)) if pending.copied else ()
    done = generation_switch.activate(run, pending.fingerprint, copies)
    certificate.keep_revocation(run, identity, asked)
    run.runner.take_back([pending.key])
    content = text("The certificate {name} is in use. {words}", name=name, words=done.text)
    return Result("changed", done, text=fold_all([content]))


def _newer_in_use(files: Files, leaf: x509.Certificate) -> str:
    """Return the generation in use if it is newer than `leaf`; else ""."""
    current = generations.leaf_in_use(files)
    return str(generations.linked(files)) if current and generations.is_step_back(leaf, current) else ""


def _named(run: Run, name: str) -> ScheduleImport:
    for pending in pending_imports(run.receipt):
        if pending.name == name:
            return pending
    raise UsageError(
        "import-unknown",
        "there is no pending import {name}",
        hint="List them with `mst-cli import_cert --list`.",
        name=name,
    )


def _local_time(pending: ScheduleImport) -> str:
    return f"{pending.due.astimezone():%Y-%m-%d %H:%M %Z}"


def overdue(receipt: Receipt, now: datetime, *, timers: bool) -> Sequence[ScheduleImport]:
    """Return the imports to activate at `now`, without those that were tried within the hour.

    With `timers`, systemd has five minutes to run an import before it counts as overdue.
    """
    late = now - _GRACE if timers else now
    tried = {name: datetime.fromisoformat(at) for name, at in _tried(receipt).items()}
    # An attempt in the future was recorded while the clock was ahead, so it is ignored.
    recent = {name for name, at in tried.items() if timedelta() <= now - at < _PAUSE}
    return [item for item in pending_imports(receipt) if item.due <= late and item.name not in recent]


def take(run: Run, pending: ScheduleImport) -> Result[Activation]:
    """Activate one import; it is not tried again within the hour. Raises SetupError as `take_pending`."""
    now = run.host.clock.now().isoformat()
    tried = {**_tried(run.receipt), pending.name: now}
    apply_actions(run, "Note the try", [StoreAnswer(name=_TRIED, value={**tried})])
    return take_pending(run, pending.name)


def _tried(receipt: Receipt) -> dict[str, str]:
    """Return the time of each pending import's last attempt, by its name.

    Imports that are no longer pending are dropped at the next attempt.
    """
    waiting = {pending.name for pending in pending_imports(receipt)}
    found = as_object(remembered(receipt, _TRIED))
    return {name: str(at) for name, at in found.items() if name in waiting}
