"""A round of the monitor: each part by itself, each complaint once."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mstunnel_setup.cli import monitor_round
from mstunnel_setup.cli.monitor_round import Monitor
from mstunnel_setup.errors import EngineError, LockedError
from mstunnel_setup.upgrade.release import CATALOGUE


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def monitor(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Monitor:
    """A monitor of a host without containers, whose catalogue can be spoiled."""
    monkeypatch.setattr(Monitor, "_modules", lambda _self: None)
    monkeypatch.setattr(Monitor, "_containers", lambda _self: None)
    session = SimpleNamespace(common=SimpleNamespace(root=tmp_path))
    return Monitor(cast("Any", session), said.append)


def spoil(root: Path, text: str) -> None:
    path = root / CATALOGUE.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_stays_wrong_is_said_once(monitor: Monitor, said: list[str], tmp_path: Path) -> None:
    spoil(tmp_path, "[[release]\n")
    for _ in range(10):
        monitor.round()
    assert len(said) == 1
    assert said[0].startswith("releases-invalid: ")
    spoil(tmp_path, "releases = 1\n")
    monitor.round()
    assert len(said) == 2


def test_what_is_wrong_again_is_said_again(monitor: Monitor, said: list[str], tmp_path: Path) -> None:
    for text in ("[[release]\n", "", "[[release]\n"):
        spoil(tmp_path, text)
        monitor.round()
    assert len(said) == 2


def test_one_part_that_fails_does_not_stop_the_others(
    monitor: Monitor, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: Monitor) -> None:
        raise EngineError("engine-unreachable", "the engine does not answer", "")

    monkeypatch.setattr(Monitor, "_containers", away)
    spoil(tmp_path, "[[release]\n")
    monitor.round()
    assert [line.partition(":")[0] for line in said] == ["releases-invalid", "engine-unreachable"]


def test_nothing_is_done_behind_the_back_of_somebody_at_work(
    monitor: Monitor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_self: Monitor) -> None:
        raise LockedError("locked", "another run is at work", "")

    monkeypatch.setattr(Monitor, "_upgrade", locked)
    monkeypatch.setattr(Monitor, "_containers", lambda _self: said.append("looked"))
    monitor.round()
    assert said == []


def test_a_move_that_did_not_work_is_tried_again_ten_minutes_later(
    monitor: Monitor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, moves = [0.0], list[int]()

    def fail(_run: object, port: int) -> None:
        moves.append(port)
        raise EngineError("container-failed", "it does not start", "")

    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(monitor_round, "SystemClock", lambda: clock)
    monkeypatch.setattr(monitor_round, "wanted_port", lambda _files: 8443)
    monkeypatch.setattr(monitor_round, "open_run", lambda *_arguments: nullcontext())
    monkeypatch.setattr(monitor_round, "move", fail)
    for now[0] in (1000.0, 1015.0, 1599.0, 1600.0):
        monitor.round()
    assert moves == [8443, 8443]
    assert said.count("container-failed: it does not start") == 2
