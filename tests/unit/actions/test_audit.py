"""Audit rules: written, loaded, and loaded again without them."""

from pathlib import Path

import pytest

from mstunnel_setup.actions.units import WriteAuditRules
from mstunnel_setup.install.steps.program import RULES
from mstunnel_setup.transaction.action import Undo, UndoRecord
from tests.unit.actions.host import Host, apply, undo

ACTION = WriteAuditRules(path=RULES, text="-w /etc/mstunnel -p wa -k mst\n")
LOADED = "augenrules --load"


class Audited(Host):
    """A host with auditd; `code` is that of augenrules(8)."""

    code = 0
    has_auditd = True

    def find(self, program: str) -> str | None:
        return "/usr/sbin/augenrules" if self.has_auditd and program == "augenrules" else None

    def _augenrules(self, words: list[str]) -> tuple[int, str]:
        return self.code, ""


@pytest.fixture
def host(tmp_path: Path) -> Audited:
    made = Audited(tmp_path)
    made.files.make_directories(RULES.rpartition("/")[0])
    return made


def test_rules_are_loaded_and_no_longer_once_they_are_undone(host: Audited) -> None:
    before = apply(host, ACTION)
    assert host.files.read(RULES) == ACTION.text.encode()
    assert host.asked == [LOADED]
    assert undo(host, ACTION, before).outcome is Undo.REMOVED
    assert host.files.read(RULES) is None
    assert host.asked == [LOADED] * 2


def test_rules_are_loaded_after_an_undo_that_was_interrupted_before_that(host: Audited) -> None:
    before = apply(host, ACTION)
    host.files.remove(RULES)
    assert undo(host, ACTION, before).outcome is Undo.ABSENT
    assert host.asked == [LOADED] * 2


def test_rules_that_are_refused_now_count_at_the_next_boot(host: Audited) -> None:
    host.code = 1
    apply(host, ACTION)
    assert host.files.read(RULES) == ACTION.text.encode()


def test_rules_that_others_changed_since_stay(host: Audited) -> None:
    before = apply(host, ACTION)
    record = UndoRecord(before, (ACTION,))
    assert ACTION.changed(host, record) == ""
    host.files.write(RULES, b"theirs\n")
    assert RULES in ACTION.changed(host, record)
    assert undo(host, ACTION, before).outcome is Undo.KEPT
    assert host.asked == [LOADED]


def test_rules_are_removed_where_auditd_was_uninstalled_meanwhile(host: Audited) -> None:
    before = apply(host, ACTION)
    host.has_auditd = False
    assert undo(host, ACTION, before).outcome is Undo.REMOVED
    assert host.asked == [LOADED]
