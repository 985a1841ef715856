"""Delayed certificates that are overdue: their timer was lost or failed, or no systemd runs to have one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.engine.store_answer import StoreAnswer, remembered
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps.certificate import pending_imports
from mstunnel_setup.operations.certificate.activation import apply_actions
from mstunnel_setup.operations.certificate.delayed_import import take_pending
from mstunnel_setup.result import Result
from mstunnel_setup.tls.schedule import ScheduleImport

# The timer's own run may wait for the lock.
_GRACE: Final = timedelta(minutes=5)
# One that is refused is refused again; where cron runs the monitor, only the journal remembers.
_PAUSE: Final = timedelta(hours=1)
_TRIED: Final = "imports-tried"


def overdue(receipt: Receipt, now: datetime, *, timers: bool) -> Sequence[ScheduleImport]:
    """The imports to take into use at `now`; where `timers` run they come first, for five minutes."""
    late = now - _GRACE if timers else now
    recent = {name for name, at in _tried(receipt).items() if now - datetime.fromisoformat(at) < _PAUSE}
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
