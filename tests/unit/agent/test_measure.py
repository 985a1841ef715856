"""Figures of the machine, from the kernel's files in /proc."""

import sys
from pathlib import Path

import pytest

from mstunnel_setup.agent.health_watch import Measure
from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files
from tests.unit.clocks import FakeClock
from tests.unit.present import present

MEMORY = "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable: {} kB\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for directory in ("proc", paths.CONFIGURATION.lstrip("/")):
        (tmp_path / directory).mkdir(parents=True)
    kernel(tmp_path, busy=0, idle=0, available=500)
    return tmp_path


def kernel(root: Path, *, busy: int, idle: int, available: int) -> None:
    # user nice system idle iowait irq softirq steal guest guest_nice
    line = f"{busy} 0 0 {idle} 0 0 0 0 999 999"
    (root / "proc/stat").write_text(f"cpu  {line}\ncpu0 {line}\ncpu1 {line}\nintr 1\n")
    (root / "proc/meminfo").write_text(MEMORY.format(available))


def test_cpu_usage_is_an_average_of_five_minutes(root: Path) -> None:
    clock = FakeClock()
    measure = Measure(Files(root), clock)
    found = measure.take(None)
    assert (found.cores, found.cpu_percent, found.memory_percent) == (2, None, 50)

    # Four idle minutes are followed by one at half load.
    for minute in range(1, 6):
        clock.sleep(60)
        last = minute == 5
        kernel(root, busy=500 if last else 0, idle=1000 * minute - (500 if last else 0), available=1000)
        found = measure.take(None)

    assert found.cpu_percent == pytest.approx(10)
    assert found.memory_percent == pytest.approx((50 + 5 * 0) / 6)

    # After six more minutes, none of these samples is left.
    for minute in range(6, 12):
        clock.sleep(60)
        kernel(root, busy=500, idle=1000 * minute - 500, available=1000)
        found = measure.take(None)
    assert (found.cpu_percent, found.memory_percent) == (0, 0)


def test_throughput_is_measured_between_two_samples(root: Path) -> None:
    clock = FakeClock()
    measure = Measure(Files(root), clock)
    assert measure.take(1000).throughput_bits is None
    clock.sleep(10)
    assert measure.take(2_501_000).throughput_bits == pytest.approx(2_000_000)
    clock.sleep(10)
    assert measure.take(5).throughput_bits is None, "a gateway that was restarted counts from zero"
    clock.sleep(10)
    assert measure.take(None).throughput_bits is None


def test_free_space_is_that_of_the_file_system(root: Path) -> None:
    files = Files(root)
    free = present(Measure(files, FakeClock()).take(None).disk_free_bytes)
    assert abs(free - files.free_bytes(paths.CONFIGURATION)) < 1 << 30


def test_a_quiet_gateway_has_a_throughput_of_zero(root: Path) -> None:
    clock = FakeClock()
    measure = Measure(Files(root), clock)
    measure.take(1000)
    clock.sleep(10)
    assert measure.take(1000).throughput_bits == 0


@pytest.mark.parametrize(
    "content",
    [
        "MemAvailable: 3 kB\n",
        "MemTotal: x kB\nMemAvailable: 3 kB\n",
        "MemTotal: 100 kB\n",
        "MemTotal: 0 kB\nMemAvailable: 0 kB\n",
    ],
)
def test_memory_without_a_readable_total_is_unknown(root: Path, content: str) -> None:
    (root / "proc/meminfo").write_text(content)
    assert Measure(Files(root), FakeClock()).take(None).memory_percent is None


@pytest.mark.parametrize("content", ["", "nonsense", "cpu\n", "cpu a b c\n"])
def test_unreadable_kernel_figures_are_unknown(root: Path, content: str) -> None:
    (root / "proc/stat").write_text(content)
    (root / "proc/meminfo").write_text(content)
    found = Measure(Files(root), FakeClock()).take(None)
    assert (found.cores, found.cpu_percent, found.memory_percent) == (None, None, None)


def test_number_of_samples_is_limited(root: Path) -> None:
    clock = FakeClock()
    measure = Measure(Files(root), clock)
    for _ in range(1000):
        clock.sleep(0.1)
        measure.take(None)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        clock.sleep(0.1)
        measure.take(None)
    assert sys.getallocatedblocks() - before < 500
