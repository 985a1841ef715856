"""What the kernel says about this machine: processor, memory, disk. A container sees the host's figures."""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

_AVERAGED_SECONDS: Final = 300.0
_CORE: Final = re.compile(r"^cpu\d+ ", re.MULTILINE)
_IDLE: Final = slice(3, 5)
# proc_stat(5): guest time is counted in user time already.
_COUNTED: Final = slice(0, 8)


@dataclass(frozen=True)
class MachineLoad:
    """Figures of this machine; None is what could not be read. Percentages are averages of five minutes."""

    cores: int | None = None
    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_free_bytes: int | None = None
    throughput_bits: float | None = None


@dataclass(frozen=True)
class _Sample:
    at: float
    busy: int
    total: int
    memory_percent: float | None


@dataclass
class Measure:
    """Takes samples; bounded, whatever the time between two of them."""

    files: Files
    clock: Clock
    _samples: deque[_Sample] = field(default_factory=lambda: deque(maxlen=30), init=False)
    _moved: tuple[float, int] | None = field(default=None, init=False)

    def take(self, transferred: int | None) -> MachineLoad:
        """Look now; `transferred` is the gateway's count of bytes in and out, None when it is not known."""
        text = _text(self.files, "/proc/stat")
        now = self.clock.monotonic()
        busy, total = _processor(text)
        self._samples.append(_Sample(now, busy, total, _memory(_text(self.files, "/proc/meminfo"))))
        while now - self._samples[0].at > _AVERAGED_SECONDS:
            self._samples.popleft()
        known = [sample.memory_percent for sample in self._samples if sample.memory_percent is not None]
        return MachineLoad(
            cores=len(_CORE.findall(text)) or None,
            cpu_percent=self._cpu(),
            memory_percent=sum(known) / len(known) if known else None,
            disk_free_bytes=self.files.free_bytes(paths.CONFIGURATION),
            throughput_bits=self._rate(now, transferred),
        )

    def _cpu(self) -> float | None:
        first, last = self._samples[0], self._samples[-1]
        if last.total <= first.total:
            return None
        return 100.0 * (last.busy - first.busy) / (last.total - first.total)

    def _rate(self, now: float, transferred: int | None) -> float | None:
        """Bits a second since the last sample; None after a restart of the gateway, which starts at zero."""
        before, self._moved = self._moved, None if transferred is None else (now, transferred)
        if before is None or transferred is None or transferred < before[1] or now <= before[0]:
            return None
        return 8.0 * (transferred - before[1]) / (now - before[0])


def _text(files: Files, path: str) -> str:
    return (files.read(path) or b"").decode(errors="replace")


def _processor(stat: str) -> tuple[int, int]:
    """Ticks of all cores since boot: busy and all."""
    line = stat.partition("\n")[0].split()
    if not line or line[0] != "cpu":
        return 0, 0
    ticks = [whole_number(word, 20) or 0 for word in line[1:]][_COUNTED]
    return sum(ticks) - sum(ticks[_IDLE]), sum(ticks)


def _memory(meminfo: str) -> float | None:
    """Percent of the memory that is not available to programs."""
    sizes = {
        line.partition(":")[0]: line.split()[1] for line in meminfo.splitlines() if len(line.split()) > 1
    }
    total, available = (whole_number(sizes.get(name, ""), 20) for name in ("MemTotal", "MemAvailable"))
    if total is None or available is None:
        return None
    return 100.0 * (total - available) / total if total else None
