"""The SELinux type of the proxy's port: set, and restored to the earlier rule."""

from pathlib import Path

import pytest

from mstunnel_setup.actions.kernel import LabelPort
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.io.process import Completed
from mstunnel_setup.transaction.action import Undo
from tests.unit.actions.host import Host, apply, undo
from tests.unit.results import refused


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("port", [8888, 3128], ids=["of no type", "of another type in the policy"])
def test_a_port_without_a_local_rule_gets_one_and_loses_it(host: Host, port: int) -> None:
    action = LabelPort(port=port)
    assert not action.satisfied(host, {})
    before = apply(host, action)
    assert host.ports == {port: "http_port_t"}

    assert undo(host, action, before).outcome is Undo.REMOVED
    assert host.ports == {}


def test_an_earlier_local_rule_comes_back(host: Host) -> None:
    host.ports[8888] = "mine_port_t"
    action = LabelPort(port=8888)
    before = apply(host, action)

    assert undo(host, action, before).outcome is Undo.RESTORED
    assert host.ports == {8888: "mine_port_t"}


def test_a_rule_that_others_changed_since_stays(host: Host) -> None:
    action = LabelPort(port=8888)
    before = apply(host, action)
    host.ports[8888] = "other_port_t"

    assert undo(host, action, before).outcome is Undo.ABSENT
    assert host.ports == {8888: "other_port_t"}


def test_without_semanage_it_says_what_to_install(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "_semanage", lambda _self, _words: (1, ""))
    with refused(StepError, "selinux-unreadable") as caught:
        LabelPort(port=8888).capture(host)
    assert "policycoreutils" in caught.value.hint


def test_a_refusal_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "run", lambda _self, _arguments, **_options: Completed(1, "", ""))
    with refused(StepError, "selinux-refused"):
        LabelPort(port=8888).apply(host, {})


def test_a_rule_that_cannot_be_removed_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    action = LabelPort(port=8888)
    before = apply(host, action)
    real = Host._semanage
    monkeypatch.setattr(
        Host, "_semanage", lambda self, words: (1, "") if "-d" in words else real(self, words)
    )

    with refused(StepError, "selinux-refused") as caught:
        undo(host, action, before)
    assert "semanage port -d -p tcp 8888" in caught.value.hint


def test_an_answer_that_is_no_table_is_not_taken_for_no_rule(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Host, "_semanage", lambda _self, _words: (0, "garbage"))
    with refused(StepError, "selinux-unreadable"):
        LabelPort(port=8888).capture(host)
