"""`mst-cli import_cert`: take a new TLS certificate into use, now or later."""

from datetime import datetime

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.certificate import title
from mstunnel_setup.certificates.judge import days_left, finding_data
from mstunnel_setup.install import revocation
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate.activation import (
    activate,
    apply_actions,
    finish_switch,
    installed_run,
    prove,
    serving_port,
)
from mstunnel_setup.operations.certificate.delayed_import import (
    cancel_pending,
    list_pending,
    pending_of,
    schedule,
    take_pending,
)
from mstunnel_setup.operations.certificate.import_request import ImportRequest


def import_certificate(operator: Operator, settings: Settings, how: ImportRequest) -> Result:
    """Judge the certificate, switch to it, and wait until the running gateway serves it.

    Without options it is read from its usual place, or from where the installation had it when that was
    renewed since. Sessions stay up.
    """
    how.refuse_contradictions()
    due = how.due(operator.clock.now())
    exclusively = not (how.dry_run or how.list_pending)
    with installed_run(operator, settings, exclusively=exclusively, patience=how.patience) as run:
        if how.list_pending:
            return list_pending(run)
        if how.cancel is not None:
            return cancel_pending(run, how.cancel)
        if how.activate is not None:
            return take_pending(run, how.activate)
        return _import(run, certificate.find(run.context), how, due)


def _import(run: Run, found: Certificate, how: ImportRequest, due: datetime | None) -> Result:
    in_use = found.fingerprint == generations.linked(run.context.ports.files)
    if in_use and not how.dry_run:
        return _in_use_already(run, found, how)
    _refuse_step_back(run.context, found, agreed=how.yes or how.dry_run)
    certificate.examine(run.context, found.identity, certificate.address(run.context), due)
    asked = revocation.ask(run.context, found.identity)
    certificate.tell(run.context, asked.findings)
    if how.dry_run:
        return _would_import(run.context, found, due, in_use=in_use)
    if due is not None:
        return schedule(run, found, due)
    apply_actions(run, "Place the certificate", certificate.placing(found))
    done = activate(run, found.fingerprint, found.copies)
    revocation.keep(run.context, found.identity, asked)
    _forget_delayed(run, found)
    return Result(
        "changed",
        done.data,
        text=fold_all([text("The new certificate is in place. {words}", words=done.text)]),
    )


def _forget_delayed(run: Run, found: Certificate) -> None:
    """Remove pending imports of the certificate that is in use now."""
    run.runner.take_back([pending.key for pending in pending_of(run, found.fingerprint)])


def _in_use_already(run: Run, found: Certificate, how: ImportRequest) -> Result:
    """Nothing to switch; what was cut off is finished. A hook that asks for changes gets no proof."""
    switching = certificate.switching(found.fingerprint)
    apply_actions(run, "Place the certificate", [*certificate.placing(found), switching])
    if not how.if_changed:
        prove(run.context, serving_port(run.context))
    finish_switch(run, found.fingerprint, found.copies)
    _forget_delayed(run, found)
    return Result("unchanged", text=[] if how.if_changed else [text("This certificate is in use already.")])


def _refuse_step_back(context: Context, found: Certificate, *, agreed: bool) -> None:
    """Never to an older certificate without asking; an unattended run is asked by `--yes`."""
    current = generations.leaf_in_use(context.ports.files)
    if agreed or current is None or not generations.is_older(found.identity.leaf, current):
        return
    ends = f"{found.identity.leaf.not_valid_after_utc:%Y-%m-%d}"
    files = " and ".join(found.source.paths)
    question = text(
        "The certificate in {files} is older than the one in use (it ends on {ends}). Use it",
        files=files,
        ends=ends,
    )
    if context.prompter.interactive and context.prompter.confirm(question):
        return
    raise CertificateError(
        "certificate-older",
        "the certificate in {files} is older than the one in use (it ends on {ends})",
        hint="To use it anyway, add --yes; to import another file, name it with --cert and --key or --pfx.",
        files=files,
        ends=ends,
    )


def _would_import(context: Context, found: Certificate, due: datetime | None, *, in_use: bool) -> Result:
    leaf = found.identity.leaf
    now = context.ports.clock.now()
    judged = certificate.findings(context, found.identity, certificate.address(context), due)
    data: JsonObject = {
        "would_import": found.fingerprint,
        "subject": title(leaf),
        "days_left": days_left(leaf, now),
        "in_use": in_use,
        "due": None if due is None else due.isoformat(),
        "findings": [finding_data(finding) for finding in judged],
    }
    verdict = "it is in use already" if in_use else "it may be imported"
    lines = [
        text(
            "{leaf}, {now} days left: {verdict}; nothing was changed.",
            leaf=title(leaf),
            now=days_left(leaf, now),
            verdict=verdict,
        ),
        *(f"  {item.severity.value}: {item.message}. {item.hint}".rstrip() for item in judged),
    ]
    return Result("ok", data, text=fold_all(lines))
