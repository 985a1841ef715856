"""Modules, kernel parameters and the SELinux type of a port are set and restored."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.actions import firewall
from mstunnel_setup.actions.firewall import LimitForwarding
from mstunnel_setup.actions.kernel import LabelPort, LoadModule, SetSysctl
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.io.process import Completed
from mstunnel_setup.transaction.action import Action, Undo
from tests.crash import kernel
from tests.refusals import refused
from tests.unit.actions.host import Host, apply, undo

FORWARD = "net.ipv4.ip_forward"
TUN = LoadModule(name="tun")
ON = SetSysctl(name=FORWARD, value="1")
LABEL = LabelPort(port=8888)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.set_sysctl(FORWARD, "0")
    return made


def state(host: Host) -> tuple[set[str], str, dict[int, str]]:
    """Return the loaded modules, the value of the parameter, and the local rules for ports."""
    value = (host.files.read("/proc/sys/net/ipv4/ip_forward") or b"").decode().strip()
    return kernel.modules(host.root), value, kernel.ports(host.root)


@pytest.mark.parametrize(
    ("action", "applied", "outcome"),
    [
        (TUN, ({"tun"}, "0", {}), Undo.REMOVED),
        (ON, (set(), "1", {}), Undo.RESTORED),
        (LABEL, (set(), "0", {8888: "http_port_t"}), Undo.REMOVED),
        # The policy has another type for this port.
        (LabelPort(port=3128), (set(), "0", {3128: "http_port_t"}), Undo.REMOVED),
    ],
    ids=lambda value: value.key if isinstance(value, Action) else "",
)
def test_kernel_settings_are_restored(host: Host, action: Action, applied: object, outcome: Undo) -> None:
    before = state(host)
    assert not action.satisfied(host, {})
    captured = apply(host, action)
    assert state(host) == applied

    assert undo(host, action, captured).outcome is outcome
    assert state(host) == before


def test_modprobe_loads_and_unloads_a_module(host: Host) -> None:
    undo(host, TUN, apply(host, TUN))
    assert host.asked == ["modprobe -- tun", "modprobe -r -- tun"]


CHANGED = f"{FORWARD} was changed outside mstunnel-setup"


@pytest.mark.parametrize(
    ("action", "meanwhile", "outcome", "reason", "left"),
    [
        (TUN, lambda host: kernel.load(host.root, set()), Undo.ABSENT, "", (set(), "0", {})),
        (
            *(TUN, lambda host: host.refused.add("modprobe -r")),
            *(Undo.KEPT, "the kernel module tun is in use", ({"tun"}, "0", {})),
        ),
        (ON, lambda host: host.set_sysctl(FORWARD, "0"), Undo.ABSENT, "", (set(), "0", {})),
        (ON, lambda host: host.set_sysctl(FORWARD, "2"), Undo.KEPT, CHANGED, (set(), "2", {})),
        (
            *(LABEL, lambda host: kernel.label(host.root, {8888: "other_port_t"}), Undo.ABSENT, ""),
            (set(), "0", {8888: "other_port_t"}),
        ),
    ],
    ids=["reboot, module", "module in use", "reboot, parameter", "parameter changed", "rule changed"],
)
def test_later_changes_of_others_are_kept(
    host: Host, *, action: Action, meanwhile: Callable[[Host], None], outcome: Undo, reason: str, left: object
) -> None:
    captured = apply(host, action)
    meanwhile(host)
    undone = undo(host, action, captured)
    assert (undone.outcome, undone.reason, state(host)) == (outcome, reason, left)


def test_module_that_was_loaded_before_is_kept(host: Host) -> None:
    kernel.load(host.root, {"tun"})
    assert TUN.satisfied(host, {})
    assert undo(host, TUN, TUN.capture(host)).outcome is Undo.ABSENT
    assert kernel.modules(host.root) == {"tun"}


@pytest.mark.parametrize(
    ("theirs", "outcome"),
    [
        ({8887: "mine_port_t", 8888: "mine_port_t"}, Undo.RESTORED),
        # semanage lists all ports of a type in one row.
        ({8887: "http_port_t"}, Undo.REMOVED),
        ({8887: "http_port_t", 8888: "http_port_t"}, Undo.ABSENT),
    ],
    ids=["another rule", "a rule beside ours", "the same rule"],
)
def test_selinux_rules_of_others_are_restored(host: Host, theirs: dict[int, str], outcome: Undo) -> None:
    kernel.label(host.root, theirs)
    there = LABEL.satisfied(host, {})
    assert there is (outcome is Undo.ABSENT)
    assert undo(host, LABEL, LABEL.capture(host) if there else apply(host, LABEL)).outcome is outcome
    assert kernel.ports(host.root) == theirs


@pytest.mark.parametrize("row", ["mine_port_t tcp 8880-8890, 88881", "mine_port_t udp 8888"])
def test_rule_for_a_range_or_for_udp_does_not_match(
    host: Host, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    monkeypatch.setattr(kernel, "answer", lambda _arguments, _root: (0, f"{row}\n"))
    assert LABEL.capture(host) == {"type": None}


@pytest.mark.parametrize(
    ("action", "code", "hint"),
    [
        (LoadModule(name="missing"), "module-unavailable", "modules package"),
        (ON, "sysctl-refused", "set it on the host"),
    ],
)
def test_refusal_of_the_kernel_is_an_error_with_a_hint(
    host: Host, action: Action, code: str, hint: str
) -> None:
    host.refused |= {"modprobe -- missing", "sysctl"}
    with refused(StepError, code) as caught:
        action.apply(host, {})
    assert hint in caught.value.hint


@pytest.mark.parametrize("answer", [(1, ""), (0, "garbage")], ids=["missing", "no table"])
def test_unreadable_selinux_rules_are_an_error_with_a_hint(
    host: Host, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str]
) -> None:
    monkeypatch.setattr(kernel, "answer", lambda _arguments, _root: answer)
    with refused(StepError, "selinux-unreadable") as caught:
        LABEL.capture(host)
    assert "policycoreutils" in caught.value.hint


def test_refused_selinux_rule_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "run", lambda _self, _arguments, **_options: Completed(1, "", ""))
    with refused(StepError, "selinux-refused"):
        LABEL.apply(host, {})


def test_selinux_rule_that_cannot_be_removed_is_an_error(host: Host) -> None:
    captured = apply(host, LABEL)
    host.refused.add("semanage port -d")
    with refused(StepError, "selinux-refused") as caught:
        undo(host, LABEL, captured)
    assert "semanage port -d -p tcp 8888" in caught.value.hint


def test_rules_that_cannot_be_removed_are_reported(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "find", lambda name: f"/usr/sbin/{name}")
    host.files.make_directories(firewall.DIRECTORY)
    forwarding = LimitForwarding(text="table inet mstunnel-forwarding {\n}\n")
    before = apply(host, forwarding)
    host.refused.add("nft delete")
    with refused(StepError, "firewall-rules-kept", match="mstunnel-forwarding"):
        undo(host, forwarding, before)

    # A second attempt without the failure, and one after others have flushed all rules.
    host.refused.clear()
    assert undo(host, forwarding, before).outcome is Undo.REMOVED
    assert kernel.tables(host.root) == set()
    before = apply(host, forwarding)
    kernel.keep(host.root, set())
    assert undo(host, forwarding, before).outcome is Undo.REMOVED
