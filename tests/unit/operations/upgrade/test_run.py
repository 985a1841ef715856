"""One upgrade from phase to phase: what it does to a gateway whose image stays."""

from pathlib import Path

import pytest

from mstunnel_setup.engine.step import AnyStep, Step
from mstunnel_setup.install.steps import images as images_step
from mstunnel_setup.operations.upgrade import run as upgrade_run
from mstunnel_setup.upgrade.record import HISTORY, Images, Outcome, Phase, write_history
from tests.unit.install.scenes import Scene
from tests.unit.upgrade.test_record import history, images, upgrade


def nothing(*_arguments: object, **_options: object) -> None:
    """The part of an upgrade that needs an engine."""


def nothing_to_pull(_references: object) -> AnyStep:
    return Step("images", "Images", lambda _context: None, lambda _facts: [])


@pytest.mark.parametrize(("server", "drained"), [("b", [30]), ("a", [])])
def test_only_a_gateway_that_is_replaced_refuses_new_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, drained: list[int]
) -> None:
    """The container that comes next lets devices in again: where it stays, none would."""
    seen: list[int] = []
    for name in ("_take", "_refuse_edited", "_drop_images"):
        monkeypatch.setattr(upgrade_run, name, nothing)
    monkeypatch.setattr(images_step, "fetch", nothing_to_pull)
    monkeypatch.setattr(upgrade_run, "port_in_use", lambda _files: 443)
    monkeypatch.setattr(upgrade_run, "connected", lambda _ports: ())
    monkeypatch.setattr(upgrade_run, "drain", lambda _context, _port, minutes: seen.append(minutes))
    run = Scene(tmp_path).opened()
    run.files.make_directories(HISTORY.rpartition("/")[0])
    target = Images(server=images(server).server, agent=images("b").agent)
    begun = upgrade("a", "b", None, phase=Phase.FETCH, drain_minutes=30)
    write_history(run.files, history(begun.model_copy(update={"target": target})))

    ended = upgrade_run.finish(run)

    assert ended is not None
    assert (ended.outcome, seen) == (Outcome.DONE, drained)
