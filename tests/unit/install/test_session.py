"""Actions of a command within one run: shown only if they change something, and always recorded."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.result import Event
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions, open_run
from mstunnel_setup.transaction.runner import Runner
from tests.unit.install.scenes import Scene
from tests.unit.operators import operator_of

NOTE = StoreAnswer(name="site", value="Berlin")
FILE = WriteFile(path="/etc/given-up", text="")


def heard(scene: Scene, events: list[Event]) -> Run:
    """Return a run whose events are recorded."""
    run = scene.opened()
    return replace(run, runner=Runner(run.host, run.journal, CODEC, scene.clock, events.append))


@pytest.fixture
def noted(scene: Scene) -> Scene:
    """Return a host on which an earlier run has done the action."""
    assert apply_actions(scene.opened(), "Note it", [NOTE])
    return scene


@pytest.mark.parametrize("step", ["import", "launch"])
def test_finished_work_is_not_reported_again(noted: Scene, step: str) -> None:
    """cron mails any output of a renewal hook."""
    noted.journal.append("begin", step=step, key=FILE.key, action=CODEC.dump(FILE), before={"digest": None})
    events: list[Event] = []
    for _ in range(2):
        assert not apply_actions(heard(noted, events), "Note it", [NOTE])
    assert events == []


def test_unrecorded_work_of_a_killed_run_counts_as_done(noted: Scene) -> None:
    noted.journal.append(
        "begin", step="import", key=FILE.key, action=CODEC.dump(FILE), before={"digest": None}
    )
    noted.write(FILE.path, FILE.text)
    assert not apply_actions(noted.opened(), "Note it", [NOTE])
    assert noted.journal.receipt.entries[FILE.key].finished


def test_failure_clears_when_the_same_run_has_nothing_to_do(noted: Scene) -> None:
    noted.journal.append("failed", step="import", code="disk-full", message="no space", hint="Free some.")
    assert not apply_actions(noted.opened(), "Note it", [NOTE])
    assert noted.journal.receipt.failure is None


@pytest.mark.parametrize("end", [None, StepError("disk-full", "no space"), KeyboardInterrupt()])
def test_receipt_lists_all_changes_however_a_run_ends(scene: Scene, end: BaseException | None) -> None:
    """Packages and Ansible read the receipt to find out whether something is installed."""
    with suppress(StepError, KeyboardInterrupt), open_run(operator_of(scene.root)) as run:
        apply_actions(run, "Note it", [NOTE])
        if end is not None:
            raise end
    receipt = json.loads(scene.files.read(f"{paths.STATE}/receipt.json") or b"{}")
    assert [item["key"] for item in receipt["objects"]] == [NOTE.key]
