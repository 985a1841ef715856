"""Tasks of the monitor."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mstunnel_setup.base.errors import LockedError, declared
from mstunnel_setup.base.log_line import error_line
from mstunnel_setup.operations.monitor.limits import LimitedLog
from mstunnel_setup.operations.monitor.monitor_context import MonitorContext


def _always() -> bool:
    return True


@dataclass
class Task:
    """Work for every round, or at most every `pause` seconds.

    It waits while `when` returns False. While it fails, rounds are frequent, unless it `may_fail`. A task
    that also runs `at_rest` only reads files. `due` is in monotonic seconds; `complaint` is the line that the
    last attempt logged, empty if it succeeded.
    """

    context: MonitorContext
    work: Callable[[], object]
    pause: float = 0.0
    when: Callable[[], bool] = _always
    may_fail: bool = False
    at_rest: bool = False
    due: float = field(default=0.0, init=False)
    complaint: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Create a log limit for this task alone, so that its lines cannot suppress those of others."""
        self._log = LimitedLog(self.context.tell, self.context.clock)

    def run(self) -> None:
        """Do the work if it is due; log a failure once for each reason.

        Raises LockedError while another run is in progress on this host; the work then stays due.
        """
        try:
            now = self.context.clock.monotonic()
            if now < self.due:
                return
            if self.when():
                self.due = now + self.pause
                self.work()
            self.complaint = ""
        except LockedError:
            self.due = 0.0
            raise
        except Exception as error:  # noqa: BLE001 (each task goes on without the others)
            line = error_line(declared(error).problem)
            if line != self.complaint:
                self._log.tell(line)
            self.complaint = line
            self.context.close()


@dataclass
class Pace:
    """A limit of one event per number of seconds."""

    seconds: float
    _next: float = field(default=0.0, init=False)

    def allows(self, now: float) -> bool:
        """Return whether the event may happen at `now` (monotonic seconds); if so, it counts as done."""
        if now < self._next:
            return False
        self._next = now + self.seconds
        return True
