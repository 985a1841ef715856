"""What a round of the monitor does about lost kernel modules, and a tunnel device that came too late."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions import tunnel_device
from mstunnel_setup.base import paths
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations.monitor import monitor_context
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeSystemd, ports_of
from tests.unit.install.scenes import container
from tests.unit.operations.monitor.conftest import Watched, WatchedEngine

RELEASE = "6.12.0"
ON_DISK = "kernel/drivers/net/tun.ko.xz:\nkernel/net/ipv4/netfilter/ip_tables.ko.xz:\n"


@dataclass
class Kernel(Watched, Processes):
    """A host whose kernel has its modules on disk and loaded; `modprobe` is what its programs do."""

    loads: list[str] = field(default_factory=list)
    refuses: bool = False
    helps: bool = True

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def has(self, *modules: str, device: bool = True) -> None:
        self.write("proc/modules", "".join(f"{name} 1 0 - Live 0x0\n" for name in modules))
        self.write("dev/net/tun", "")
        if not device:
            (self.root / "dev/net/tun").unlink()

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        self.loads.append(arguments[-1])
        if self.refuses:
            raise ProcessError("program-failed", f"`{' '.join(arguments)}` ended with 1: no such module")
        if self.helps:
            self.has(*{"tun", "ip_tables"})
        return Completed(0, "", "")


def keep_tasks(kernel: Kernel, *names: str) -> None:
    """Have the monitor do these tasks only."""
    tasks = kernel.monitor.tasks
    kernel.monitor.tasks = [task for task in tasks if getattr(task.work, "__name__", "") in names]
    assert len(kernel.monitor.tasks) == len(names)


@pytest.fixture
def kernel(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel(tmp_path, clock, WatchedEngine(), FakeSystemd())
    kernel.write("proc/sys/kernel/osrelease", f"{RELEASE}\n")
    kernel.write(f"lib/modules/{RELEASE}/modules.dep", ON_DISK)
    kernel.has("tun", "ip_tables")
    monkeypatch.setattr(tunnel_device, "DEVICE", str(tmp_path / "dev/net/tun"))
    monkeypatch.setattr(Files, "given", property(lambda _files: Files(tmp_path)))
    monkeypatch.setattr(Files, "live", True)
    host = ports_of(tmp_path, engine=kernel.engine, processes=kernel, systemd=kernel.systemd)
    monkeypatch.setattr(monitor_context, "open_host", lambda _operator: nullcontext(host))
    keep_tasks(kernel, "load_lost", "restart_without_device")
    return kernel


@pytest.mark.parametrize(
    ("left", "device", "loaded"),
    [
        (("ip_tables",), False, ["tun"]),
        (("ip_tables",), True, ["tun"]),
        (("tun",), True, ["ip_tables"]),
        ((), False, ["ip_tables", "tun"]),
    ],
)
def test_what_is_lost_is_loaded_and_the_server_restarted_once(
    kernel: Kernel, left: tuple[str, ...], device: bool, loaded: list[str]
) -> None:
    kernel.has(*left, device=device)
    for _ in range(3):
        kernel.monitor.round()
    assert kernel.loads == loaded
    assert kernel.engine.restarts == [paths.SERVER]
    assert kernel.said == [f"modules: {', '.join(loaded)} was not loaded; loaded it again"]


def test_loaded_module_does_not_start_a_stopped_server(kernel: Kernel) -> None:
    kernel.has("tun")
    kernel.systemd.units.add(f"{paths.SERVER}.service")
    for _ in range(3):
        kernel.monitor.round()
    assert (kernel.loads, kernel.engine.restarts, kernel.systemd.told) == (["ip_tables"], [], [])
    assert kernel.said == ["modules: ip_tables was not loaded; loaded it again"]


@pytest.mark.parametrize(
    ("on_disk", "loaded"), [(ON_DISK, ("tun", "ip_tables")), (ON_DISK.splitlines()[0], ("tun",))]
)
def test_loaded_or_unavailable_module_is_not_lost(
    kernel: Kernel, on_disk: str, loaded: tuple[str, ...]
) -> None:
    kernel.write(f"lib/modules/{RELEASE}/modules.dep", f"{on_disk}\n")
    kernel.has(*loaded)
    kernel.monitor.round()
    assert (kernel.loads, kernel.engine.restarts, kernel.said) == ([], [], [])


def test_a_device_that_stays_away_restarts_nothing(kernel: Kernel) -> None:
    kernel.has("tun", "ip_tables", device=False)
    kernel.helps = False
    kernel.rounds(1000, 1008, 1016, 1599, 1600, 1608)
    assert kernel.engine.restarts == []
    assert kernel.loads == ["tun", "tun"]
    (line,) = kernel.said
    assert line.startswith("module-lost: kernel module missing: tun: loading it did not help. ")


def test_a_module_that_cannot_be_loaded_is_complained_of_once(kernel: Kernel) -> None:
    kernel.has("tun")
    kernel.refuses = True
    for _ in range(5):
        kernel.monitor.round()
    assert (kernel.loads, kernel.engine.restarts) == (["ip_tables"], [])
    assert len(kernel.said) == 1
    assert "no such module" in kernel.said[0]


def test_account_asks_root_to_load_and_then_restarts(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "ROOTLESS", True)
    kernel.has(device=False)
    for _ in range(3):
        kernel.monitor.round()
    assert kernel.loads == []
    assert len(kernel.said) == 1
    assert "`modprobe --all ip_tables tun` as root" in kernel.said[0]

    kernel.has("tun", "ip_tables")
    for _ in range(3):
        kernel.monitor.round()
    assert kernel.engine.restarts == [paths.SERVER]


NOW = datetime(2026, 1, 1, tzinfo=UTC)
DENIED = Completed(2, "", "cannot open: No such device")
OPENED = Completed(0, "", "")


@pytest.fixture
def early(kernel: Kernel) -> Kernel:
    """Its gateway was started before the device could be used; no module is lost."""
    keep_tasks(kernel, "restart_without_device")
    kernel.engine.containers[paths.SERVER] = container()
    kernel.engine.answer = lambda _command: DENIED
    return kernel


def test_gateway_started_too_early_is_restarted_and_logged(early: Kernel) -> None:
    early.engine.answer = lambda _command: OPENED if early.engine.restarts else DENIED
    early.rounds(1000, 1008, 1060, 1700)
    assert early.engine.restarts == [paths.SERVER]
    assert len(early.said) == 1
    assert early.said[0].startswith("tunnel: restarting mstunnel-server, which cannot open ")
    assert early.said[0].endswith(": cannot open: No such device")


def test_restart_without_effect_is_retried_after_ten_minutes(early: Kernel) -> None:
    early.rounds(1000, 1008, 1100, 1599)
    assert early.engine.restarts == [paths.SERVER]
    early.rounds(1600, 1608, 2199)
    assert early.engine.restarts == [paths.SERVER] * 2


def test_nothing_is_restarted_before_the_host_has_the_device(early: Kernel) -> None:
    early.has(device=False)
    early.rounds(1000, 1060, 1120)
    assert early.engine.restarts == []
    early.has()
    early.rounds(1180, 1188)
    assert early.engine.restarts == [paths.SERVER]


@pytest.mark.parametrize(
    ("seconds", "line", "tried"),
    [
        (1, "tunnel-device open", False),
        (1, "tunnel-device closed", True),
        (-1, "tunnel-device open", True),
        (1, "of a gateway that does not report it", True),
    ],
)
def test_device_opened_since_the_start_needs_no_restart(
    *, early: Kernel, seconds: int, line: str, tried: bool
) -> None:
    asked: list[Sequence[str]] = []

    def answer(command: Sequence[str]) -> Completed:
        asked.append(command)
        return DENIED

    early.engine.answer = answer
    early.engine.containers[paths.SERVER] = replace(container(), started_at=NOW)
    early.write(REPORT.removeprefix("/"), f"time {int(NOW.timestamp()) + seconds}\n{line}\n")
    early.monitor.round()
    assert bool(asked) == tried
    assert bool(early.engine.restarts) == tried


def test_a_gateway_that_is_stopped_stays_stopped(early: Kernel) -> None:
    early.engine.containers[paths.SERVER] = container("exited", None)
    early.rounds(1000, 1060)
    assert early.engine.restarts == []
