"""Step `audit`: auditd watches the files of the gateway."""

import pytest

from mstunnel_setup.install.steps import program
from tests.unit.actions.host import Host
from tests.unit.install.machines import Machine


class AuditedHost(Host):
    """A host with auditd, and what auditctl(8) says of its rules: 2 where they are locked."""

    enabled = 1

    def find(self, program: str) -> str | None:
        return f"/usr/sbin/{program}"

    def _auditctl(self, words: list[str]) -> tuple[int, str]:
        return 0, f"enabled {self.enabled}\nfailure 1\n"

    def _augenrules(self, words: list[str]) -> tuple[int, str]:
        return 0, ""


@pytest.fixture
def audited(machine: Machine) -> Machine:
    machine.host = AuditedHost(machine.scene.root)
    machine.scene.processes, machine.scene.systemd = machine.host, machine.host.systemd
    machine.host.systemd.running_units.add("auditd.service")
    machine.scene.files.make_directories(program.RULES.rpartition("/")[0])
    return machine


def test_auditd_watches_the_files_of_the_gateway_until_the_uninstall(audited: Machine) -> None:
    assert audited.run(program.AUDIT) == [f"write the audit rules {program.RULES} and load them"]
    assert "\n-w /etc/mstunnel -p wa -k mst\n" in audited.text(program.RULES)
    assert audited.run(program.AUDIT) == []
    audited.uninstall()
    assert audited.text(program.RULES) == ""
    assert audited.host.asked.count("augenrules --load") == 2


def test_where_auditd_does_not_run_there_are_no_audit_rules(audited: Machine) -> None:
    audited.host.systemd.running_units.clear()
    assert audited.run(program.AUDIT) == []


def test_without_systemd_there_are_no_audit_rules(audited: Machine) -> None:
    audited.host.systemd.runs = False
    assert audited.run(program.AUDIT) == []


def test_audit_rules_of_others_at_the_same_place_stay(audited: Machine) -> None:
    audited.scene.write(program.RULES, "-w /etc/mstunnel -p wa -k vendor\n")
    assert audited.run(program.AUDIT) == []


def test_locked_audit_rules_are_said_to_count_from_the_next_boot(audited: Machine) -> None:
    audited.host.enabled = 2
    audited.run(program.AUDIT)
    assert any("count from the next boot" in text for text in audited.scene.prompter.said)
