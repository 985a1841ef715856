"""`mst-cli import_cert`: a new certificate for the gateway, now or later."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import Field

from mstunnel_setup.actions.certificates import pending_imports
from mstunnel_setup.base.errors import CertificateError, UsageError
from mstunnel_setup.base.result import Moment, Report, Result
from mstunnel_setup.base.text import fold_all, text, with_hint
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.certificate import title
from mstunnel_setup.certificates.chain_findings import CertificateFinding, days_left
from mstunnel_setup.certificates.revocation import revocation_findings
from mstunnel_setup.install.request import PATIENCE, InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions, installed_run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate import delayed_import, generation_switch
from mstunnel_setup.operations.certificate.delayed_import import CancelledImport, DelayedImports
from mstunnel_setup.operations.certificate.generation_switch import Activation

# Ten years: a longer delay is a typing error.
_LONGEST_MINUTES = 5_256_000
# Seconds. An upgrade holds the lock for many minutes, and an ACME client calls a failed renewal hook only
# once.
_HOOK_PATIENCE = 3600.0


class ImportPreview(Report):
    """The outcome that an import would have, as reported by `--dry-run`."""

    would_import: str = Field(description="Name of the generation.")
    subject: str
    days_left: int
    in_use: bool = Field(description="True if this certificate is in use already.")
    due: Moment | None
    findings: tuple[CertificateFinding, ...]


@dataclass(frozen=True)
class ImportRequest:
    """Options of an import; `delay` is in minutes, `at` an ISO 8601 time, names are those of imports."""

    delay: int | None = None
    at: str | None = None
    if_changed: bool = False
    dry_run: bool = False
    list_pending: bool = False
    cancel: str | None = None
    yes: bool = False
    activate: str | None = None

    def due(self, now: datetime) -> datetime | None:
        """Return when to activate the certificate (UTC, whole seconds); None is at once.

        Raises UsageError for an invalid time and for options that exclude each other.
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
    """Check the certificate, switch to it, and wait until the running gateway serves it.

    Without options it is read from its usual place, or from the installation's source if that was renewed
    since. Keeps sessions.
    """
    due = how.due(operator.clock.now())
    exclusively = not (how.dry_run or how.list_pending)
    request = InstallRequest(settings, patience=_HOOK_PATIENCE if how.if_changed else PATIENCE)
    # A renewal must not wait until a person repairs a damaged journal of the installation.
    with installed_run(operator, request, exclusively=exclusively, despite_damage=True) as run:
        if how.list_pending:
            return delayed_import.list_pending(run)
        if how.cancel is not None:
            return delayed_import.cancel_pending(run, how.cancel)
        if how.activate is not None:
            return delayed_import.take_pending(run, how.activate)
        return _import(run, certificate.find(run), how, due)


def _import(
    run: Run, found: Certificate, how: ImportRequest, due: datetime | None
) -> Result[Activation | DelayedImports | ImportPreview | None]:
    """Import `found` now or at `due`; do not switch if it is in use already."""
    in_use = found.fingerprint == generations.linked(run.files)
    delayed = [item.key for item in pending_imports(run.receipt) if item.fingerprint == found.fingerprint]
    if in_use and not how.dry_run:
        # An interrupted switch is completed. A hook that asks for changes gets no handshake for an unchanged
        # certificate.
        switching = certificate.switching(found.fingerprint)
        apply_actions(run, "Place the certificate", [*certificate.placing(found), switching])
        if not how.if_changed:
            generation_switch.prove(run, generation_switch.serving_port(run))
        generation_switch.finish_switch(run, found.fingerprint, found.copies)
        run.runner.take_back(delayed)
        lines = [] if how.if_changed else [text("This certificate is in use already.")]
        return Result("unchanged", text=lines)
    if how.dry_run:
        return _would_import(run, found, due, in_use=in_use)
    if not how.yes:
        _refuse_step_back(run, found)
    certificate.examine(run, found.identity, certificate.address(run), due)
    asked = certificate.ask_authorities(run, found.identity)
    certificate.tell(run, [*revocation_findings(asked)])
    if due is not None:
        return delayed_import.schedule(run, found, due)
    apply_actions(run, "Place the certificate", certificate.placing(found))
    done = generation_switch.activate(run, found.fingerprint, found.copies)
    certificate.keep_revocation(run, found.identity, asked)
    run.runner.take_back(delayed)
    content = text("The new certificate is in place. {words}", words=done.text)
    return Result("changed", done, text=fold_all([content]))


def _refuse_step_back(run: Run, found: Certificate) -> None:
    """Raise CertificateError if `found` is older or ends earlier, unless a person agrees."""
    leaf, current = found.identity.leaf, generations.leaf_in_use(run.files)
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
    if run.console.interactive and run.console.confirm(question):
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
    run: Run, found: Certificate, due: datetime | None, *, in_use: bool
) -> Result[ImportPreview]:
    """Return the preview of an import; change nothing. Raises CertificateError if it would be rejected."""
    judged = certificate.findings(run, found.identity, certificate.address(run), due)
    certificate.refuse(judged)
    certificate.tell(run, [*revocation_findings(certificate.ask_authorities(run, found.identity))])
    report = ImportPreview(
        would_import=found.fingerprint,
        subject=title(found.identity.leaf),
        days_left=days_left(found.identity.leaf, run.host.clock.now()),
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
