"""Delayed imports: hand in, list, cancel, what the timer runs, and what is done where it has not."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from mstunnel_setup.actions.certificate_schedule import WANTED, ScheduleImport, pending_imports
from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer, remembered
from mstunnel_setup.base.errors import CertificateError, CheckError, UsageError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.certificates import generations
from mstunnel_setup.install import readiness_input, revocation
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from mstunnel_setup.operations.certificate.activation import activate, apply_actions, drop
from mstunnel_setup.transaction.receipt import Receipt

_NAME_DIGITS = 12


# The timer's own run may wait for the lock.
_GRACE: Final = timedelta(minutes=5)
# One that is refused is refused again; where cron runs the monitor, only the journal remembers.
_PAUSE: Final = timedelta(hours=1)
_TRIED: Final = "imports-tried"


def schedule(run: Run, found: Certificate, due: datetime) -> Result:
    """Place the certificate now and have it taken into use at `due`: by a timer, else by the monitor.

    Raises CheckError.
    """
    if not run.files.live:
        raise CheckError(
            "delay-needs-host",
            "a delayed import cannot be combined with --root",
            hint="Run `mst-cli import_cert` on the host itself.",
        )
    timer = run.context.ports.systemd.running()
    pending = ScheduleImport(
        name=found.fingerprint[:_NAME_DIGITS],
        at=due.isoformat(),
        fingerprint=found.fingerprint,
        program=str(Path(sys.argv[0]).absolute()),
        copied=bool(found.copies),
        instead_of=_newer_in_use(run, found.identity.leaf),
        engine=readiness_input.engine_name(run.context),
        timer=timer,
    )
    run.runner.take_back([pending.key])
    apply_actions(run, "Place the certificate", certificate.placing(found))
    apply_actions(run, "Set the timer", [*([MakeDirectory(path=WANTED)] if timer else []), pending])
    content = text(
        "The certificate is checked and kept; it will be used from {pending} on ({name}).",
        pending=_shown(pending),
        name=pending.name,
    )
    return Result(
        "changed",
        {"pending": [_data(pending)]},
        ()
        if timer
        else (
            warning(
                "delay-needs-monitor",
                "systemd does not run here, so the monitor activates the certificate",
                hint="Check that the monitor runs: see `mst-cli help without-systemd`.",
            ),
        ),
        text=fold_all([content]),
    )


def list_pending(run: Run) -> Result:
    """The delayed imports, the earliest first."""
    now = run.context.ports.clock.now()
    found = sorted(pending_imports(run.context.receipt), key=lambda pending: pending.due)
    lines = [
        text(
            "{name}  {pending}{more}",
            name=pending.name,
            pending=_shown(pending),
            more="  overdue" if pending.due < now else "",
        )
        for pending in found
    ]
    rows: JsonObject = {"pending": [_data(pending) for pending in found]}
    return Result("ok", rows, text=lines or [text("No import is pending.")])


def cancel_pending(run: Run, name: str) -> Result:
    """Take the timer back, and the certificate it was for. Raises UsageError."""
    pending = _named(run, name)
    # Killed in between, it is still listed and can be cancelled again.
    drop(run, pending.fingerprint)
    run.runner.take_back([pending.key])
    return Result("changed", {"cancelled": name}, text=[text("The import {name} is cancelled.", name=name)])


def take_pending(run: Run, name: str) -> Result:
    """What the timer runs. The certificate is judged once more; a refused one stays listed as overdue."""
    pending = _named(run, name)
    directory = generations.directory(pending.fingerprint)
    identity = generations.read(run.context.ports.files, directory)
    if _newer_in_use(run, identity.leaf) not in ("", pending.instead_of):
        raise CertificateError(
            "import-older",
            "the delayed certificate {name} is older than the one that is now in use",
            hint="Cancel it: `mst-cli import_cert --cancel {name}`.",
            name=name,
        )
    certificate.examine(run.context, identity, certificate.address(run.context))
    asked = revocation.ask(run.context, identity)
    certificate.tell(run.context, asked.findings)
    # What came from elsewhere goes to the usual places as PEM.
    source = generations.source(run.context.ports.files, directory)
    copies = tuple(certificate.copies(run.context, source, identity)) if pending.copied else ()
    done = activate(run, pending.fingerprint, copies)
    revocation.keep(run.context, identity, asked)
    run.runner.take_back([pending.key])
    return Result(
        "changed",
        done.data,
        text=fold_all([text("The certificate {name} is in use. {words}", name=name, words=done.text)]),
    )


def _newer_in_use(run: Run, leaf: x509.Certificate) -> str:
    """The generation in use where `leaf` would be a step back from it; else empty."""
    current = generations.leaf_in_use(run.context.ports.files)
    older = current is not None and generations.is_older(leaf, current)
    return str(generations.linked(run.context.ports.files)) if older else ""


def pending_of(run: Run, fingerprint: str) -> Sequence[ScheduleImport]:
    """The delayed imports of this very certificate."""
    found = pending_imports(run.context.receipt)
    return [pending for pending in found if pending.fingerprint == fingerprint]


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


def _data(pending: ScheduleImport) -> JsonObject:
    return {"name": pending.name, "at": pending.due.isoformat(), "fingerprint": pending.fingerprint}


def _shown(pending: ScheduleImport) -> str:
    return f"{pending.due.astimezone():%Y-%m-%d %H:%M %Z}"


def overdue(receipt: Receipt, now: datetime, *, timers: bool) -> Sequence[ScheduleImport]:
    """The imports to take into use at `now`; where `timers` run they come first, for five minutes."""
    late = now - _GRACE if timers else now
    tried = {name: datetime.fromisoformat(at) for name, at in _tried(receipt).items()}
    # A time to come is one of a clock that was ahead.
    recent = {name for name, at in tried.items() if timedelta() <= now - at < _PAUSE}
    found = (pending for pending in pending_imports(receipt) if pending.due <= late)
    return [pending for pending in found if pending.name not in recent]


def take(run: Run, pending: ScheduleImport) -> Result:
    """Take one into use; it is not tried again within the hour. Raises SetupError as `take_pending`."""
    now = run.context.ports.clock.now().isoformat()
    tried = {**_tried(run.context.receipt), pending.name: now}
    apply_actions(run, "Note the try", [StoreAnswer(name=_TRIED, value={**tried})])
    return take_pending(run, pending.name)


def _tried(receipt: Receipt) -> dict[str, str]:
    """When each import that is still pending was tried last, by its name; the next try forgets the others."""
    found = remembered(receipt, _TRIED)
    waiting = {pending.name for pending in pending_imports(receipt)}
    return {name: str(at) for name, at in found.items() if name in waiting} if isinstance(found, dict) else {}
