"""A file that a unit reads: the unit follows it, and follows back."""

from dataclasses import replace
from pathlib import Path

import pytest

from mstunnel_setup.actions.units import ConfigureUnit
from mstunnel_setup.transaction.action import Undo, UndoRecord
from tests.unit.actions.host import Host, apply, undo

PATH = "/etc/systemd/system/docker.service.d/http-proxy.conf"
DROP_IN = ConfigureUnit(unit="docker.service", path=PATH, text="[Service]\n")
RELOADED = ["daemon-reload", "restart docker.service"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.files.make_directories(PATH.rpartition("/")[0])
    made.systemd.running_units.add("docker.service")
    return made


def test_a_unit_that_runs_is_started_again_and_once_more_when_it_is_undone(host: Host) -> None:
    host.files.write(PATH, b"theirs\n")
    before = apply(host, DROP_IN)
    assert host.systemd.told == RELOADED

    assert undo(host, DROP_IN, before).outcome is Undo.RESTORED
    assert host.files.read(PATH) == b"theirs\n"
    assert host.systemd.told == RELOADED * 2


def test_a_unit_that_does_not_run_is_not_started(host: Host) -> None:
    host.systemd.running_units.clear()
    apply(host, DROP_IN)
    assert host.systemd.told == ["daemon-reload"]


def test_without_systemd_the_file_alone_is_written(host: Host) -> None:
    host.systemd.runs = False
    before = apply(host, DROP_IN)
    assert undo(host, DROP_IN, before).outcome is Undo.REMOVED
    assert host.systemd.told == []


def test_the_unit_follows_an_undo_that_was_interrupted_after_the_file_was_removed(host: Host) -> None:
    before = apply(host, DROP_IN)
    host.files.remove(PATH)
    host.systemd.told.clear()

    assert undo(host, DROP_IN, before).outcome is Undo.ABSENT
    assert host.systemd.told == RELOADED


def test_an_edit_by_others_is_found_before_it_is_overwritten(host: Host) -> None:
    host.files.write(PATH, b"before us\n")
    before, newer = apply(host, DROP_IN), replace(DROP_IN, text="[Service]\nEnvironment=A=1\n")
    record = UndoRecord(before, (DROP_IN, newer))
    for ours in (b"before us\n", DROP_IN.text.encode(), newer.text.encode()):
        host.files.write(PATH, ours)
        assert newer.changed(host, record) == ""
    host.files.write(PATH, b"theirs\n")
    assert PATH in newer.changed(host, record)
    host.files.remove(PATH)
    assert newer.changed(host, record) == ""


def test_a_file_that_others_changed_since_stays_and_nothing_is_restarted(host: Host) -> None:
    before = apply(host, DROP_IN)
    host.files.write(PATH, b"theirs\n")
    host.systemd.told.clear()

    assert undo(host, DROP_IN, before).outcome is Undo.KEPT
    assert host.systemd.told == []
