"""`mst-cli import_cert`: a new certificate for the gateway, now or at a time to come."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from pydantic import Field

from mstunnel_setup.actions.certificates import WANTED, ScheduleImport, pending_imports
from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer, remembered
from mstunnel_setup.base.errors import CertificateError, CheckError, UsageError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Moment, Report, Result
from mstunnel_setup.base.text import fold_all, text, with_hint
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.certificate import title
from mstunnel_setup.certificates.judge import CertificateFinding, days_left
from mstunnel_setup.certificates.revocation import revocation_findings
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.installed import PATIENCE
from mstunnel_setup.install.session import Run, apply_actions, installed_run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate import activation
from mstunnel_setup.operations.certificate.activation import Activation
from mstunnel_setup.transaction.receipt import Receipt

# Ten years; more is a typo.
_LONGEST_MINUTES = 5_256_000
# Seconds. An upgrade holds the lock for many minutes, and a renewal hook is not called again.
_HOOK_PATIENCE = 3600.0
_NAME_DIGITS = 12
# The timer's own run may wait for the lock.
_GRACE = timedelta(minutes=5)
# One that is refused is refused again; where cron runs the monitor, only the journal remembers.
_PAUSE = timedelta(hours=1)
_TRIED = "imports-tried"


class DelayedImport(Report):
    """A certificate that is taken into use later."""

    name: str
    at: Moment
    fingerprint: str

    @classmethod
    def of(cls, pending: ScheduleImport) -> "DelayedImport":
        """What the journal has of it."""
        return cls(name=pending.name, at=pending.due.isoformat(), fingerprint=pending.fingerprint)


class DelayedImports(Report):
    """Delayed imports (`--delay`, `--at`, `--list`)."""

    pending: tuple[DelayedImport, ...]


class CancelledImport(Report):
    """A delayed import that is cancelled (`--cancel`)."""

    cancelled: str = Field(description="Its name.")


class ImportPreview(Report):
    """What an import would find (`--dry-run`)."""

    would_import: str = Field(description="Name of the generation.")
    subject: str
    days_left: int
    in_use: bool = Field(description="Whether the gateway has it already.")
    due: Moment | None
    findings: tuple[CertificateFinding, ...]


@dataclass(frozen=True)
class ImportRequest:
    """Options of an import; `delay` is in minutes, `at` a time in ISO 8601, names are those of imports."""

    delay: int | None = None
    at: str | None = None
    if_changed: bool = False
    dry_run: bool = False
    list_pending: bool = False
    cancel: str | None = None
    yes: bool = False
    activate: str | None = None

    def due(self, now: datetime) -> datetime | None:
        """When to take the certificate into use (UTC, whole seconds); None is at once.

        Raises UsageError, also for options that exclude each other.
        """
        work = {"--list": self.list_pending, "--cancel": self.cancel is not None, "--dry-run": self.dry_run}
        asked = [option for option, given in work.items() if given]
        if len(asked) > 1:
            raise UsageError(
                "import-unclear",
                "{asked} cannot be combined",
                hint="Give one of them.",
                asked=" and ".join(asked),
            )
        if self.delay is not None and self.delay > _LONGEST_MINUTES:
            raise UsageError(
                "delay-too-long",
                "a delay of {delay} minutes is longer than ten years",
                hint="Give a shorter delay.",
                delay=self.delay,
            )
        if self.delay is not None and self.at is not None:
            raise UsageError("time-twice", "both a delay and a time are given", hint="Give one of them.")
        if self.at is None:
            return (now + timedelta(minutes=self.delay)).replace(microsecond=0) if self.delay else None
        try:
            due = datetime.fromisoformat(self.at).astimezone(UTC).replace(microsecond=0)
        except (ValueError, OverflowError) as error:
            raise UsageError(
                "time-unclear",
                "`{text}` is not a time",
                hint="Write it as 2026-12-31T03:00; add an offset such as +02:00 if it is not local.",
                text=self.at,
            ) from error
        if due <= now:
            raise UsageError(
                "time-past",
                "{due:%Y-%m-%d %H:%M} UTC is in the past",
                hint="Give a later time, or none.",
                due=due,
            )
        return due


def import_certificate(
    operator: Operator, settings: Settings, how: ImportRequest
) -> Result[Activation | DelayedImports | CancelledImport | ImportPreview | None]:
    """Judge the certificate, switch to it, and wait until the running gateway serves it.

    Without options it is read from its usual place, or from where the installation had it when that was
    renewed since. Sessions stay up.
    """
    due = how.due(operator.clock.now())
    exclusively = not (how.dry_run or how.list_pending)
    patience = _HOOK_PATIENCE if how.if_changed else PATIENCE
    # A renewal must not wait for a person who repairs the journal.
    with installed_run(
        operator, settings, exclusively=exclusively, despite_damage=True, patience=patience
    ) as run:
        if how.list_pending:
            return list_pending(run)
        if how.cancel is not None:
            return cancel_pending(run, how.cancel)
        if how.activate is not None:
            return take_pending(run, how.activate)
        return _import(run, certificate.find(run.context), how, due)


def _import(
    run: Run, found: Certificate, how: ImportRequest, due: datetime | None
) -> Result[Activation | DelayedImports | ImportPreview | None]:
    """Import `found` now or at `due`; nothing is switched where it is in use already."""
    in_use = found.fingerprint == generations.linked(run.files)
    delayed = [
        item.key for item in pending_imports(run.context.receipt) if item.fingerprint == found.fingerprint
    ]
    if in_use and not how.dry_run:
        # What was cut off is finished. A hook that asks for changes gets no proof.
        switching = certificate.switching(found.fingerprint)
        apply_actions(run, "Place the certificate", [*certificate.placing(found), switching])
        if not how.if_changed:
            activation.prove(run.context, activation.serving_port(run.context))
        activation.finish_switch(run, found.fingerprint, found.copies)
        run.runner.take_back(delayed)
        lines = [] if how.if_changed else [text("This certificate is in use already.")]
        return Result("unchanged", text=lines)
    if how.dry_run:
        return _would_import(run.context, found, due, in_use=in_use)
    if not how.yes:
        _refuse_step_back(run.context, found)
    certificate.examine(run.context, found.identity, certificate.address(run.context), due)
    asked = certificate.ask_authorities(run.context, found.identity)
    certificate.tell(run.context, [*revocation_findings(asked)])
    if due is not None:
        return schedule(run, found, due)
    apply_actions(run, "Place the certificate", certificate.placing(found))
    done = activation.activate(run, found.fingerprint, found.copies)
    certificate.keep_revocation(run.context, found.identity, asked)
    run.runner.take_back(delayed)
    content = text("The new certificate is in place. {words}", words=done.text)
    return Result("changed", done, text=fold_all([content]))


def _refuse_step_back(context: Context, found: Certificate) -> None:
    """Raise CertificateError for one that is older or ends earlier, unless a person agrees."""
    leaf, current = found.identity.leaf, generations.leaf_in_use(context.host.files)
    if current is None or not generations.is_step_back(leaf, current):
        return
    values = {
        "files": " and ".join(found.source.paths),
        "ends": f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        "current": f"{current.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
    }
    question = text(
        "The certificate in {files} is older than the one in use or ends earlier ({ends}; in use: "
        "{current}). Use it",
        **values,
    )
    if context.prompter.interactive and context.prompter.confirm(question):
        return
    if leaf.not_valid_before_utc < current.not_valid_before_utc:
        raise CertificateError(
            "certificate-older",
            "the certificate in {files} is older than the one in use (it ends on {ends})",
            hint="To use it anyway, add --yes; to import another file, name it with --cert and --key or "
            "--pfx.",
            **values,
        )
    raise CertificateError(
        "certificate-ends-earlier",
        "the certificate in {files} ends on {ends}, earlier than the one in use ({current})",
        hint="To use it anyway, add --yes; to import another file, name it with --cert and --key or --pfx.",
        **values,
    )


def _would_import(
    context: Context, found: Certificate, due: datetime | None, *, in_use: bool
) -> Result[ImportPreview]:
    """What an import would find; nothing is changed. Raises CertificateError where it would be refused."""
    judged = certificate.findings(context, found.identity, certificate.address(context), due)
    certificate.refuse(judged)
    certificate.tell(context, [*revocation_findings(certificate.ask_authorities(context, found.identity))])
    report = ImportPreview(
        would_import=found.fingerprint,
        subject=title(found.identity.leaf),
        days_left=days_left(found.identity.leaf, context.host.clock.now()),
        in_use=in_use,
        due=None if due is None else due.isoformat(),
        findings=tuple(map(CertificateFinding.of, judged)),
    )
    head = text(
        "{subject}, {days} days left: {verdict}; nothing was changed.",
        subject=report.subject,
        days=report.days_left,
        verdict=text("it is in use already") if in_use else text("it may be imported"),
    )
    lines = [
        text(
            "  {severity}: {problem}",
            severity=text(item.severity.value),
            problem=with_hint(item.message, item.hint),
        )
        for item in judged
    ]
    return Result("ok", report, text=fold_all([head, *lines]))


def schedule(run: Run, found: Certificate, due: datetime) -> Result[DelayedImports]:
    """Place the certificate now and have it taken into use at `due`: by a timer, else by the monitor.

    Raises CheckError.
    """
    if not run.files.live:
        raise CheckError(
            "delay-needs-host",
            "a delayed import cannot be combined with --root",
            hint="Run `mst-cli import_cert` on the host itself.",
        )
    timer = run.context.host.systemd.running()
    pending = ScheduleImport(
        name=found.fingerprint[:_NAME_DIGITS],
        at=due.isoformat(),
        fingerprint=found.fingerprint,
        program=str(Path(sys.argv[0]).absolute()),
        copied=bool(found.copies),
        instead_of=_newer_in_use(run.files, found.identity.leaf),
        engine=run.context.engine_name,
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
    """The delayed imports, the earliest first."""
    now = run.context.host.clock.now()
    found = sorted(pending_imports(run.context.receipt), key=lambda pending: pending.due)
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
    """Take the timer back, and the certificate it was for. Raises UsageError."""
    pending = _named(run, name)
    # Killed in between, it is still listed and can be cancelled again.
    activation.drop(run, pending.fingerprint)
    run.runner.take_back([pending.key])
    content = text("The import {name} is cancelled.", name=name)
    return Result("changed", CancelledImport(cancelled=name), text=[content])


def take_pending(run: Run, name: str) -> Result[Activation]:
    """What the timer runs. The certificate is judged once more; a refused one stays listed as overdue."""
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
    certificate.examine(run.context, identity, certificate.address(run.context))
    asked = certificate.ask_authorities(run.context, identity)
    certificate.tell(run.context, [*revocation_findings(asked)])
    # What came from elsewhere goes to the usual places as PEM.
    source = generations.source(run.files, directory)
    copies = tuple(certificate.copies(run.context, source, identity)) if pending.copied else ()
    done = activation.activate(run, pending.fingerprint, copies)
    certificate.keep_revocation(run.context, identity, asked)
    run.runner.take_back([pending.key])
    content = text("The certificate {name} is in use. {words}", name=name, words=done.text)
    return Result("changed", done, text=fold_all([content]))


def _newer_in_use(files: Files, leaf: x509.Certificate) -> str:
    """The generation in use where `leaf` would be a step back from it; else empty."""
    current = generations.leaf_in_use(files)
    return str(generations.linked(files)) if current and generations.is_step_back(leaf, current) else ""


def _named(run: Run, name: str) -> ScheduleImport:
    for pending in pending_imports(run.context.receipt):
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
    """The imports to take into use at `now`; where `timers` run they come first, for five minutes."""
    late = now - _GRACE if timers else now
    tried = {name: datetime.fromisoformat(at) for name, at in _tried(receipt).items()}
    # A time to come is one of a clock that was ahead.
    recent = {name for name, at in tried.items() if timedelta() <= now - at < _PAUSE}
    return [item for item in pending_imports(receipt) if item.due <= late and item.name not in recent]


def take(run: Run, pending: ScheduleImport) -> Result[Activation]:
    """Take one into use; it is not tried again within the hour. Raises SetupError as `take_pending`."""
    now = run.context.host.clock.now().isoformat()
    tried = {**_tried(run.context.receipt), pending.name: now}
    apply_actions(run, "Note the try", [StoreAnswer(name=_TRIED, value={**tried})])
    return take_pending(run, pending.name)


def _tried(receipt: Receipt) -> dict[str, str]:
    """When each import that is still pending was tried last, by its name; the next try forgets the others."""
    waiting = {pending.name for pending in pending_imports(receipt)}
    found = as_object(remembered(receipt, _TRIED))
    return {name: str(at) for name, at in found.items() if name in waiting}
