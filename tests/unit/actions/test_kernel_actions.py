"""Modules and kernel parameters: set, and back to what they were."""

from pathlib import Path

import pytest

from mstunnel_setup.actions.kernel import LoadModule, SetSysctl
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.transaction.action import Undo
from tests.unit.actions.host import Host, apply, undo
from tests.unit.results import refused

FORWARD = "net.ipv4.ip_forward"
TUN = LoadModule(name="tun")
ON = SetSysctl(name=FORWARD, value="1")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.set_sysctl(FORWARD, "0")
    return made


def value(host: Host) -> str:
    return (host.files.read("/proc/sys/net/ipv4/ip_forward") or b"").decode().strip()


def test_a_module_is_loaded_and_unloaded_again(host: Host) -> None:
    assert not TUN.satisfied(host, {})
    before = apply(host, TUN)

    assert undo(host, TUN, before).outcome is Undo.REMOVED
    assert host.modules == set()
    assert host.asked == ["modprobe -- tun", "modprobe -r -- tun"]


def test_a_module_that_was_loaded_before_stays(host: Host) -> None:
    host.modules.add("tun")
    host._show()

    assert TUN.satisfied(host, {})
    assert undo(host, TUN, TUN.capture(host)).outcome is Undo.ABSENT
    assert host.modules == {"tun"}


def test_a_module_in_use_by_now_is_kept_and_named(host: Host) -> None:
    before = apply(host, TUN)
    host.in_use.add("tun")

    undone = undo(host, TUN, before)

    assert (undone.outcome, undone.reason) == (Undo.KEPT, "the kernel module tun is in use")


def test_a_module_that_a_reboot_took_away_needs_no_undo(host: Host) -> None:
    before = apply(host, TUN)
    host.modules.clear()
    host._show()

    assert undo(host, TUN, before).outcome is Undo.ABSENT


def test_a_module_that_does_not_exist_is_an_error_with_a_way_out(host: Host) -> None:
    with refused(StepError, "module-unavailable") as caught:
        LoadModule(name="missing").apply(host, {})
    assert "modules package" in caught.value.hint


def test_a_parameter_is_set_and_gets_its_old_value_back(host: Host) -> None:
    assert not ON.satisfied(host, {})
    before = apply(host, ON)
    assert value(host) == "1"

    assert undo(host, ON, before).outcome is Undo.RESTORED
    assert value(host) == "0"


def test_a_parameter_that_others_changed_since_is_kept(host: Host) -> None:
    before = apply(host, ON)
    host.set_sysctl(FORWARD, "2")

    assert undo(host, ON, before).outcome is Undo.KEPT
    assert value(host) == "2"


def test_a_parameter_that_a_reboot_reset_needs_no_undo(host: Host) -> None:
    before = apply(host, ON)
    host.set_sysctl(FORWARD, "0")

    assert undo(host, ON, before).outcome is Undo.ABSENT


def test_a_parameter_that_the_kernel_does_not_let_us_set_is_an_error(host: Host) -> None:
    host.locked.add(FORWARD)
    with refused(StepError, "sysctl-refused"):
        ON.apply(host, {})
