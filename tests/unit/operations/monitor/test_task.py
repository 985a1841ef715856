"""One kind of work: when it is due, and what it logs when it fails."""

from dataclasses import dataclass, field

import pytest

from mstunnel_setup.base.errors import LockedError, StepError
from mstunnel_setup.operations.monitor.task import Task
from tests.unit.operations.monitor.conftest import Watched


@dataclass
class Work:
    """Work that is done at these times, and fails with `error` if there is one."""

    host: Watched
    done: list[float] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self) -> None:
        self.done.append(self.host.clock.elapsed)
        if self.error is not None:
            raise self.error


@pytest.fixture
def work(watched: Watched) -> Work:
    return Work(watched)


def run_at(work: Work, task: Task, *times: float) -> list[float]:
    """Run the task at these times; return when its work was done."""
    for work.host.clock.elapsed in times:
        task.run()
    return work.done


def test_a_task_is_due_again_after_its_pause(work: Work) -> None:
    task = Task(work.host.monitor.context, work, 60.0)
    assert run_at(work, task, 1000, 1008, 1059, 1060, 1061) == [1000, 1060]


def test_a_task_without_a_pause_is_due_in_every_round(work: Work) -> None:
    assert run_at(work, Task(work.host.monitor.context, work), 1000, 1008) == [1000, 1008]


def test_a_task_with_nothing_to_do_stays_due(work: Work) -> None:
    task = Task(work.host.monitor.context, work, 3600.0, when=lambda: work.host.clock.elapsed >= 1008)
    assert run_at(work, task, 1000, 1008, 1016) == [1008]


def test_a_task_that_another_run_kept_waiting_stays_due(work: Work) -> None:
    task = Task(work.host.monitor.context, work, 3600.0)
    work.error = LockedError("locked", "another run is in progress")
    with pytest.raises(LockedError):
        task.run()
    work.error = None
    assert run_at(work, task, 1008, 1016) == [1000, 1008]
    assert work.host.said == []


def test_a_reason_is_logged_once_until_the_task_succeeds(work: Work) -> None:
    task = Task(work.host.monitor.context, work)
    work.error = StepError("failed", "it failed")
    run_at(work, task, 1000, 1008)
    assert (task.complaint, work.host.codes) == ("failed: it failed", ["failed"])
    work.error = None
    run_at(work, task, 1016)
    assert task.complaint == ""
    work.error = StepError("failed", "it failed")
    run_at(work, task, 1024)
    assert work.host.codes == ["failed", "failed"]


def test_a_task_that_is_not_due_keeps_its_complaint(work: Work) -> None:
    task = Task(work.host.monitor.context, work, 60.0)
    work.error = StepError("failed", "it failed")
    run_at(work, task, 1000, 1008)
    assert task.complaint == "failed: it failed"
