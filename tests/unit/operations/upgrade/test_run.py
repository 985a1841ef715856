"""One upgrade from phase to phase: when the gateway refuses new connections, and when it takes them again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, NetworkError
from mstunnel_setup.exchange.mailbox import UPGRADE, Reply, last_reply, write_reply
from mstunnel_setup.exchange.upgrade_history import (
    HISTORY,
    ImagePair,
    UpgradeOutcome,
    UpgradePhase,
    write_history,
)
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import images as images_step
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed
from mstunnel_setup.operations.upgrade import proof
from mstunnel_setup.operations.upgrade import run as upgrade_run
from mstunnel_setup.transaction.step import AnyStep, Step
from tests.refusals import refused
from tests.unit.exchange.test_record import history, images, upgrade
from tests.unit.fakes import FakeEngine
from tests.unit.install.scenes import Scene


def nothing(*_arguments: object, **_options: object) -> None:
    """The part of an upgrade that needs an engine."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run on a host where images are in use as soon as that is wanted."""
    for name in ("_take", "_drop_images"):
        monkeypatch.setattr(upgrade_run, name, nothing)
    monkeypatch.setattr(upgrade_run, "_switching", lambda _run: ())
    monkeypatch.setattr(upgrade_run, "gateway_port", lambda _files: 443)
    run = Scene(tmp_path).opened()
    for directory in (paths.STATE, paths.OUTBOX, HISTORY.rpartition("/")[0]):
        run.files.make_directories(directory)
    return run


@pytest.mark.parametrize(("server", "drained"), [("b", [30]), ("a", [])])
def test_only_a_gateway_that_is_replaced_refuses_new_connections(
    run: Run, monkeypatch: pytest.MonkeyPatch, server: str, drained: list[int]
) -> None:
    """The container that comes next lets devices in again: where it stays, none would."""
    seen: list[int] = []
    nothing_to_pull: AnyStep = Step("images", "Images", lambda _run: None, lambda _facts: [])
    monkeypatch.setattr(images_step, "fetch", lambda _references: nothing_to_pull)
    monkeypatch.setattr(proof, "connected", lambda _ports: ())
    monkeypatch.setattr(proof, "drain", lambda _run, _port, minutes: seen.append(minutes))
    target = ImagePair(server=images(server).server, agent=images("b").agent)
    begun = upgrade("a", "b", None, phase=UpgradePhase.FETCH, drain_minutes=30)
    write_history(run.files, history(begun.model_copy(update={"target": target})))

    ended = upgrade_run.finish(run)

    assert ended is not None
    assert (ended.outcome, seen) == (UpgradeOutcome.DONE, drained)


def test_an_upgrade_whose_end_the_agent_was_not_told_is_resumed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full: an agent that is told nothing reports an upgrade, for which its site waits."""
    write_history(run.files, history(upgrade("a", "b", None, phase=UpgradePhase.SWITCH)))

    def full(files: Files, reply: Reply) -> None:
        if reply.state == "accepted":
            raise FileError("write-failed", "the disk is full")
        write_reply(files, reply)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(upgrade_run, "write_reply", full)
        with refused(FileError, "write-failed"):
            upgrade_run.finish(run)
    ended = upgrade_run.finish(run)

    reply = last_reply(run.files, UPGRADE)
    assert ended is not None
    assert reply is not None
    assert (ended.outcome, reply.state) == (UpgradeOutcome.DONE, "accepted")


@pytest.mark.parametrize("gone", [False, True])
def test_drain_ends_before_the_rollback_is_verified(
    run: Run, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    """The switch failed before it replaced the container: the proof is a new connection, too."""
    rules = [] if gone else ["mstunnel_drain"]

    def execute(arguments: Sequence[str]) -> Completed:
        if gone:
            raise EngineError("container-failed", "it does not run", "")
        rules.remove(arguments[-1])
        return Completed(0, "", "")

    def prove(_run: object, _wanted: ImagePair) -> None:
        if rules:
            raise NetworkError("connection-refused", "the connection was refused", "")

    monkeypatch.setattr(upgrade_run, "_take", prove)
    assert isinstance(run.host.engine, FakeEngine)
    run.host.engine.answer = execute
    write_history(run.files, history(upgrade("a", "b", None, phase=UpgradePhase.BACK, drain_minutes=30)))

    ended = upgrade_run.finish(run)

    assert ended is not None
    assert ended.outcome is UpgradeOutcome.WENT_BACK
