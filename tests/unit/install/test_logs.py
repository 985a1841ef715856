"""Step `logs`: the catalogue of the journal and the rotation of `setup.log`."""

import pytest

from mstunnel_setup.actions.units import CATALOGUES
from mstunnel_setup.install.steps import program
from tests.unit.actions.host import Host
from tests.unit.install.machines import Machine

UPDATED = "journalctl --update-catalog"


class JournalHost(Host):
    """A host with a journal that has a catalogue."""

    def find(self, program: str) -> str | None:
        return f"/usr/bin/{program}"

    def _journalctl(self, words: list[str]) -> tuple[int, str]:
        return 0, ""


@pytest.fixture
def journaled(machine: Machine) -> Machine:
    machine.host = JournalHost(machine.scene.root)
    machine.scene.processes, machine.scene.systemd = machine.host, machine.host.systemd
    for directory in (CATALOGUES, "/etc/logrotate.d"):
        machine.scene.files.make_directories(directory)
    return machine


def test_the_journal_explains_our_messages_until_the_uninstall(journaled: Machine) -> None:
    assert len(journaled.run(program.LOGS)) == 2
    assert "Subject: restart: " in journaled.text(program.CATALOGUE)
    assert '"/var/log/mstunnel/setup.log" {' in journaled.text(program.ROTATION)
    assert journaled.run(program.LOGS) == []
    assert journaled.host.asked == [UPDATED]
    journaled.uninstall()
    assert (journaled.text(program.CATALOGUE), journaled.text(program.ROTATION)) == ("", "")
    assert journaled.host.asked == [UPDATED] * 2


def test_without_a_catalogue_and_logrotate_nothing_is_done(machine: Machine) -> None:
    assert machine.run(program.LOGS) == []


def test_a_log_that_a_package_has_rotated_is_not_named_twice(journaled: Machine) -> None:
    """With two entries for one file logrotate ends with an error."""
    journaled.scene.files.write(program.OF_PACKAGE, b"/var/log/mstunnel/*.log {}\n")
    journaled.run(program.LOGS)
    assert journaled.text(program.ROTATION) == ""
    assert journaled.text(program.CATALOGUE) != ""
