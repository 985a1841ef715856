"""A delayed certificate whose timer is lost, or never was, is taken into use by the monitor."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from tests.crash.arena import Arena
from tests.crash.kill import Scene

DAYS = 20
DUE = f"{datetime.now(UTC) + timedelta(days=DAYS):%Y-%m-%dT%H:%M}+00:00"


@pytest.fixture(params=["systemd", "engine"])
def arena(variant: Callable[[str], Scene], request: pytest.FixtureRequest) -> Arena:
    """An installed gateway with a certificate that waits, and without the timer it had."""
    scene = variant(request.param)
    scene.install()
    place = scene.arena.directory
    given = ("--cert", f"{place}/renewed.pem", "--key", f"{place}/renewed-key.pem", "--yes", "--at", DUE)
    handed_in = scene.arena.run("mst-cli", "import_cert", *given).checked()
    timers = [*scene.arena.root.glob("etc/systemd/system/**/mstunnel-import-*")]
    assert bool(timers) == (request.param == "systemd")
    warnings = [notice["code"] for notice in handed_in.envelope["warnings"]]
    assert warnings == ([] if timers else ["delay-needs-monitor"])
    for timer in timers:
        timer.unlink()
    return scene.arena


def in_use(arena: Arena) -> Path:
    return arena.place(paths.ACTIVE).readlink()


def pending(arena: Arena) -> int:
    return len(arena.run("mst-cli", "import_cert", "--list").envelope["data"]["pending"])


def test_it_is_taken_when_its_time_has_passed_and_not_before(arena: Arena) -> None:
    first = in_use(arena)
    assert "certificate" not in arena.monitor(days_wrong=DAYS - 1).stderr
    assert (in_use(arena), pending(arena)) == (first, 1)
    assert "activating the scheduled certificate" in arena.monitor(days_wrong=DAYS + 1).stderr
    assert in_use(arena) != first
    assert pending(arena) == 0
    assert "certificate" not in arena.monitor(days_wrong=DAYS + 1).stderr


def test_refused_import_is_retried_hourly_and_stays_listed(arena: Arena) -> None:
    first = in_use(arena)
    for directory in arena.place(paths.GENERATIONS).iterdir():
        if directory.name != first.name:
            (directory / "key.pem").write_text("spoiled\n")
    assert "activating the scheduled certificate" in arena.monitor(days_wrong=DAYS + 1).stderr
    assert "activating the scheduled certificate" not in arena.monitor(days_wrong=DAYS + 1).stderr
    assert "activating the scheduled certificate" in arena.monitor(days_wrong=DAYS + 1.1).stderr
    assert (in_use(arena), pending(arena)) == (first, 1)
