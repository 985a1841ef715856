"""Files of units and programs: they are loaded when written, and again when the write is undone."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from mstunnel_setup.actions.units import ConfigureUnit, EnableInitScript, WriteAuditRules
from mstunnel_setup.install.steps.program import RULES
from mstunnel_setup.transaction.action import Undo, UndoRecord
from tests.unit.actions.host import Host, apply, undo

PATH = "/etc/systemd/system/docker.service.d/http-proxy.conf"
DROP_IN = ConfigureUnit(unit="docker.service", path=PATH, text="[Service]\n")
AUDIT = WriteAuditRules(path=RULES, text="-w /etc/mstunnel -p wa -k mst\n")
TAKEN_UP = {PATH: ["daemon-reload", "restart docker.service"], RULES: ["augenrules --load"]}
"""What is done for each of the files."""


class Audited(Host):
    """A host with auditd, whose augenrules(8) exits with `code`."""

    code = 0
    has_auditd = True

    def find(self, program: str) -> str | None:
        return "/usr/sbin/augenrules" if self.has_auditd and program == "augenrules" else None

    def _augenrules(self, words: list[str]) -> tuple[int, str]:
        return self.code, ""

    def done(self) -> list[str]:
        """Return the requests to systemd and programs."""
        return [*self.systemd.told, *self.asked]


@pytest.fixture
def host(tmp_path: Path) -> Audited:
    made = Audited(tmp_path)
    for path in (PATH, RULES):
        made.files.make_directories(path.rpartition("/")[0])
    made.systemd.running_units.add("docker.service")
    return made


BOTH = pytest.mark.parametrize("action", [DROP_IN, AUDIT], ids=["unit", "audit rules"])


@BOTH
def test_file_is_loaded_when_written_and_when_undone(
    host: Audited, action: ConfigureUnit | WriteAuditRules
) -> None:
    before = apply(host, action)
    assert host.files.read(action.path) == action.text.encode()
    assert host.done() == TAKEN_UP[action.path]

    assert undo(host, action, before).outcome is Undo.REMOVED
    assert host.files.read(action.path) is None
    assert host.done() == TAKEN_UP[action.path] * 2


@BOTH
def test_undo_interrupted_after_the_removal_is_completed(
    host: Audited, action: ConfigureUnit | WriteAuditRules
) -> None:
    before = apply(host, action)
    host.files.remove(action.path)
    assert undo(host, action, before).outcome is Undo.ABSENT
    assert host.done() == TAKEN_UP[action.path] * 2


@BOTH
def test_file_changed_by_others_is_kept_without_a_restart(
    host: Audited, action: ConfigureUnit | WriteAuditRules
) -> None:
    before = apply(host, action)
    record = UndoRecord(before, (action,))
    assert action.changed(host, record) == ""
    host.files.write(action.path, b"theirs\n")
    assert action.path in action.changed(host, record)
    assert undo(host, action, before).outcome is Undo.KEPT
    assert host.done() == TAKEN_UP[action.path]


def test_undo_restores_the_earlier_file(host: Audited) -> None:
    host.files.write(PATH, b"theirs\n")
    assert undo(host, DROP_IN, apply(host, DROP_IN)).outcome is Undo.RESTORED
    assert host.files.read(PATH) == b"theirs\n"


def test_stopped_unit_is_not_started(host: Audited) -> None:
    host.systemd.running_units.clear()
    apply(host, DROP_IN)
    assert host.systemd.told == ["daemon-reload"]


def test_only_the_file_is_written_without_systemd(host: Audited) -> None:
    host.systemd.runs = False
    assert undo(host, DROP_IN, apply(host, DROP_IN)).outcome is Undo.REMOVED
    assert host.systemd.told == []


def test_edit_by_others_is_detected_before_it_is_overwritten(host: Audited) -> None:
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


def test_audit_rules_refused_now_apply_at_the_next_boot(host: Audited) -> None:
    host.code = 1
    apply(host, AUDIT)
    assert host.files.read(RULES) == AUDIT.text.encode()


def test_audit_rules_are_removed_without_auditd(host: Audited) -> None:
    before = apply(host, AUDIT)
    host.has_auditd = False
    assert undo(host, AUDIT, before).outcome is Undo.REMOVED
    assert host.asked == TAKEN_UP[RULES]


class Initialised(Host):
    """A host with the programs of both init systems."""

    def _rc_update(self, words: list[str]) -> tuple[int, str]:
        return 0, ""

    def _update_rc_d(self, words: list[str]) -> tuple[int, str]:
        return 0, ""


@pytest.mark.parametrize(
    ("init", "link", "disable"),
    [
        ("openrc", "/etc/runlevels/default/mstunnel", "rc-update del mstunnel default"),
        ("sysv", "/etc/rc2.d/S01mstunnel", "update-rc.d -f mstunnel remove"),
    ],
)
def test_init_script_of_release_0_2_is_disabled_once(
    tmp_path: Path, init: Literal["openrc", "sysv"], link: str, disable: str
) -> None:
    host = Initialised(tmp_path)
    host.files.make_directories(link.rpartition("/")[0])
    host.files.link(link, "../init.d/mstunnel")
    action = EnableInitScript(init=init)
    assert undo(host, action, {}).outcome is Undo.REMOVED
    host.files.remove(link)
    assert undo(host, action, {}).outcome is Undo.ABSENT
    assert host.asked == [disable]
