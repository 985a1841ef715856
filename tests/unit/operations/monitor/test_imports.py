"""The overdue imports that the monitor takes into use: when it tries one again, and what it remembers."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mstunnel_setup.actions.certificates import ScheduleImport, pending_imports
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.install.session import Run, open_run
from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.operations.certificate.activation import apply_actions
from mstunnel_setup.operations.certificate.import_certificate import cancel_pending, overdue, take
from tests.unit.operators import operator_of


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Two imports are overdue, and nothing is left of their certificates."""
    for name in ("etc", "run", "var/lib", "var/log"):
        (tmp_path / name).mkdir(parents=True)
    with open_run(operator_of(tmp_path), {}) as run:
        at = (SystemClock().now() - timedelta(hours=1)).isoformat()
        waiting = [
            ScheduleImport(name=name, at=at, fingerprint=name, program="/bin/true", timer=False)
            for name in ("first", "second")
        ]
        apply_actions(run, "Hand in", waiting)
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


def test_a_try_while_the_clock_was_ahead_does_not_count(run: Run) -> None:
    attempt(run)
    found = overdue(run.context.receipt, SystemClock().now() - timedelta(minutes=1), timers=False)
    assert [pending.name for pending in found] == ["first", "second"]


def test_imports_that_are_gone_are_forgotten_with_the_next_try(run: Run) -> None:
    attempt(run)
    assert tried(run) == {"first", "second"}
    cancel_pending(run, "first")
    attempt(run)
    assert tried(run) == {"second"}
