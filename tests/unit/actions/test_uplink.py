"""The socket for the uplink is opened, and removed with everything made through it."""

from pathlib import Path

import pytest

from mstunnel_setup.actions import uplink
from mstunnel_setup.actions.uplink import InstallUplink
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.install.steps import host_part as step
from mstunnel_setup.transaction.action import Undo
from tests.crash import kernel
from tests.refusals import refused
from tests.unit.actions.host import Host, apply, undo
from tests.unit.install.scenes import Scene

ACTION = InstallUplink(unit=uplink.SOCKET_UNIT, text="[Socket]\n")
LINK = f"{paths.UNITS}/sockets.target.wants/{uplink.SOCKET_UNIT}"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.files.make_directories(LINK.rpartition("/")[0])
    made.systemd.running_units.add(uplink.SOCKET_UNIT)
    return made


def test_uplink_socket_is_opened_at_every_boot(host: Host) -> None:
    apply(host, ACTION)
    assert host.files.state(LINK) is not None
    assert host.systemd.told == ["daemon-reload", f"restart {uplink.SOCKET_UNIT}"]


def test_uplink_rules_are_loaded_after_those_of_nftables(host: Host) -> None:
    host.systemd.running_units.add("nftables.service")
    apply(host, ACTION)
    assert host.systemd.told[-1] == f"start {uplink.RULES_UNIT}"


def test_uplink_units_are_units_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "UNITS", "/home/mstunnel/.config/systemd/user")
    wanted = step.Uplink("mstunnel", 443, "/usr/sbin/mstunnel_uplink")
    assert "/home" not in " ".join(action.describe() for action in step.UPLINK.decide(wanted))
    assert [part.key for part in ACTION.parts.values()] == [
        f"file:/etc/systemd/system/{uplink.SOCKET_UNIT}",
        f"link:{LINK}",
    ]


def test_undo_removes_device_and_rules(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "find", lambda name: f"/usr/sbin/{name}")
    host.files.make_directories(uplink_address.SOCKETS)
    before = apply(host, ACTION)
    host.systemd.running_units.clear()
    kernel.keep(host.root, {f"inet {uplink.TABLE}"})
    host.asked.clear()
    assert undo(host, ACTION, before).outcome is Undo.REMOVED
    assert host.asked == ["nft delete table inet mstunnel-uplink", "ip link delete mstunnel0"]
    assert host.files.state(LINK) is None
    assert host.files.state(uplink_address.SOCKETS) is None


def test_uplink_rules_that_cannot_be_removed_are_reported(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "find", lambda name: f"/usr/sbin/{name}")
    before = apply(host, ACTION)
    host.systemd.running_units.clear()
    kernel.keep(host.root, {f"inet {uplink.TABLE}"})
    host.refused.add("nft delete")
    with refused(StepError, "firewall-rules-kept", match=uplink.TABLE):
        undo(host, ACTION, before)


def test_uplink_is_ready_for_its_port_only(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.files.make_directories(uplink_address.SOCKETS)
    host.files.make_directories(uplink_address.DIRECTORY)
    host.files.write(f"{uplink_address.SOCKETS}/443", b"")
    assert not uplink_address.ready(host.files, 443)
    host.files.write(uplink_address.HOOK, b"{}")
    assert uplink_address.ready(host.files, 443)
    assert not uplink_address.ready(host.files, 8443)
    assert uplink_address.gateway_address(host.files, 443) == "127.0.0.1"
    monkeypatch.setattr(paths, "ROOTLESS", True)
    assert uplink_address.gateway_address(host.files, 443) == uplink_address.GATEWAY_END
    assert uplink_address.gateway_address(host.files, 8443) == "127.0.0.1"


def test_missing_uplink_is_explained_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "obstacle", lambda _files, _processes: "firewalld filters forwarded packets")
    scene = Scene(tmp_path)
    assert step.UPLINK.decide(step.UPLINK.gather(scene.opened())) == ()
    (said,) = scene.prompter.said
    assert said.startswith(
        "No uplink for the gateway: firewalld filters forwarded packets. Its packets go through "
    )
