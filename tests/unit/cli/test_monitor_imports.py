"""The overdue imports that the monitor takes into use: when it tries one again, and what it remembers."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mstunnel_setup.cli.certificate_activation import engage
from mstunnel_setup.cli.certificate_delay import cancel_pending
from mstunnel_setup.cli.console import NoPrompts
from mstunnel_setup.cli.log import SetupLog
from mstunnel_setup.cli.monitor_imports import overdue, take
from mstunnel_setup.cli.options import CommonOptions
from mstunnel_setup.cli.render import Session
from mstunnel_setup.cli.run import Run, open_run
from mstunnel_setup.engine.remember import remembered
from mstunnel_setup.errors import CertificateError
from mstunnel_setup.host.clock import SystemClock
from mstunnel_setup.host.files import Files
from mstunnel_setup.redaction import Redactor
from mstunnel_setup.steps.certificate import pending_imports
from mstunnel_setup.tls.schedule import ScheduleImport


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Two imports are overdue, and nothing is left of their certificates."""
    for name in ("etc", "run", "var/lib", "var/log"):
        (tmp_path / name).mkdir(parents=True)
    redactor = Redactor()
    log = SetupLog(Files(tmp_path), SystemClock(), redactor, "run", "/var/log/setup.log")
    with open_run(Session(CommonOptions(root=tmp_path), NoPrompts(redactor), redactor, log), {}) as run:
        at = (SystemClock().now() - timedelta(hours=1)).isoformat()
        waiting = [
            ScheduleImport(name=name, at=at, fingerprint=name, program="/bin/true", timer=False)
            for name in ("first", "second")
        ]
        engage(run, "Hand in", waiting)
        yield run


def tried(run: Run) -> set[str]:
    found = remembered(run.context.receipt, "imports-tried")
    assert isinstance(found, dict)
    return set(found)


def attempt(run: Run) -> None:
    """Try every pending import; each is refused."""
    for pending in pending_imports(run.context.receipt):
        with pytest.raises(CertificateError):
            take(run, pending)


def test_one_that_was_refused_is_tried_again_an_hour_later(run: Run) -> None:
    attempt(run)
    now = SystemClock().now()
    assert overdue(run.context.receipt, now + timedelta(minutes=59), timers=False) == []
    later = overdue(run.context.receipt, now + timedelta(minutes=61), timers=False)
    assert [pending.name for pending in later] == ["first", "second"]


def test_imports_that_are_gone_are_forgotten_with_the_next_try(run: Run) -> None:
    attempt(run)
    assert tried(run) == {"first", "second"}
    cancel_pending(run, "first")
    attempt(run)
    assert tried(run) == {"second"}
