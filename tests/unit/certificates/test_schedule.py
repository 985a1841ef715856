"""A delayed import is a persistent systemd timer, and undoing it leaves no file."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mstunnel_setup.actions.certificates import WANTED, ScheduleImport
from mstunnel_setup.actions.host import Host
from mstunnel_setup.transaction.action import Codec, Undo, UndoRecord
from tests.unit.fakes import FakeSystemd, ports_of

PENDING = ScheduleImport(
    name="0123456789ab",
    at="2026-06-01T14:00:00+02:00",
    fingerprint="0123456789abcdef",
    program="/usr/sbin/mst-cli",
)
TIMER = "mstunnel-import-0123456789ab.timer"


class Services(FakeSystemd):
    """A systemd without failed units, which records that they are reset."""

    def forget_failure(self, *units: str) -> None:
        self.told.append(f"forget {' '.join(units)}")


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def ports(tmp_path: Path, services: Services) -> Host:
    (tmp_path / WANTED.lstrip("/")).mkdir(parents=True)
    (tmp_path / "var/lib/systemd/timers").mkdir(parents=True)
    return ports_of(tmp_path, systemd=services)


def everything(ports: Host) -> set[str]:
    return {str(path) for path in ports.files.root.rglob("*")}


def test_timer_uses_utc_and_catches_up_after_downtime(ports: Host, services: Services) -> None:
    PENDING.apply(ports, {})
    timer = (ports.files.read(f"/etc/systemd/system/{TIMER}") or b"").decode()
    assert "OnCalendar=2026-06-01 12:00:00 UTC\n" in timer
    assert "Persistent=true\n" in timer
    assert services.told == ["daemon-reload", f"start {TIMER}"]
    link = ports.files.state(f"{WANTED}/{TIMER}")
    assert link is not None
    assert link.target == f"/etc/systemd/system/{TIMER}"
    assert PENDING.satisfied(ports, {})


def test_systemd_accepts_the_units(ports: Host) -> None:
    PENDING.apply(ports, {})
    program = ports.files.root / "usr/sbin/mst-cli"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = ["systemd-analyze", "verify", f"--root={ports.files.root}", "--recursive-errors=no"]
    units = [TIMER, TIMER.replace(".timer", ".service")]
    done = subprocess.run([*command, *units], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    program.chmod(0o644)
    assert subprocess.run([*command, *units], check=False, capture_output=True).returncode != 0


@pytest.mark.parametrize("done", range(4))
def test_interrupted_schedule_is_completed_or_undone(ports: Host, done: int) -> None:
    before = everything(ports)
    for part in (*PENDING.units, *PENDING.parts.values())[:done]:
        part.apply(ports, {})
    PENDING.apply(ports, {})
    assert PENDING.satisfied(ports, {})
    (ports.files.root / f"var/lib/systemd/timers/stamp-{TIMER}").touch()
    PENDING.undo(ports, UndoRecord({}, [PENDING]))
    PENDING.undo(ports, UndoRecord({}, [PENDING]))
    assert everything(ports) == before
    assert not PENDING.satisfied(ports, {})


def test_without_systemd_nothing_is_written(ports: Host, services: Services) -> None:
    before, pending = everything(ports), replace(PENDING, timer=False)
    assert not pending.satisfied(ports, {})
    pending.apply(ports, {})
    assert pending.satisfied(ports, {pending.key: {}})
    assert (everything(ports), services.told) == (before, [])
    assert pending.undo(ports, UndoRecord({})).outcome is Undo.REMOVED


def test_action_is_restored_from_the_journal() -> None:
    codec = Codec([ScheduleImport])
    assert codec.load(codec.dump(PENDING)) == PENDING
