"""Typed stand-ins behind the ports: what a test does not set up fails when it is used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate

from mstunnel_setup.actions.host import Host
from mstunnel_setup.containers.choice import EngineChoice
from mstunnel_setup.containers.engine import ContainerEngine, ContainerState, Image, LogOptions
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.io.systemd import Systemd
from tests.unit.clocks import FakeClock

PODMAN = EngineChoice("podman", "5.4.2", "the only engine installed")


@dataclass
class FakeEngine(Any):
    """Containers by name and images by reference; `answers` what programs print, one after the other."""

    containers: dict[str, ContainerState] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    passes: bool = False
    answer: Callable[[Sequence[str]], Completed] | None = None
    restarts: list[str] = field(default_factory=list)

    def version(self) -> str:
        return PODMAN.version

    def image(self, reference: str) -> Image | None:
        return self.images.get(reference)

    def restart(self, name: str) -> None:
        self.restarts.append(name)

    def inspect(self, name: str) -> ContainerState | None:
        return self.containers.get(name)

    def probe(self, name: str) -> bool:
        return self.passes

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        assert self.answer is not None, arguments
        return self.answer(arguments)

    def execute_command(self, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        return ("podman", "exec", name, *arguments)

    def logs_command(self, name: str, options: LogOptions) -> tuple[str, ...]:
        return ("podman", "logs", name)


class Forgetful(FakeEngine):
    """An engine that checks health only when it is asked to, as Podman does without systemd."""

    def probe(self, name: str) -> bool:
        self.containers[name] = replace(self.containers[name], health="unhealthy")
        return False


@dataclass
class FakeSystemd(Systemd):
    """Whether systemd is PID 1, which units it has, and what was asked of them."""

    runs: bool = True
    units: set[str] = field(default_factory=set)
    running_units: set[str] = field(default_factory=set)
    failed_units: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    environments: dict[str, str] = field(default_factory=dict)

    def running(self) -> bool:
        return self.runs

    def daemon_reload(self) -> None:
        self.told.append("daemon-reload")

    def reload_if_changed(self, unit: str) -> None:
        self.daemon_reload()

    def active(self, unit: str) -> bool:
        return unit in self.running_units

    def stopped(self, unit: str) -> bool:
        return self.known(unit) and not self.active(unit) and not self.failed(unit)

    def failed(self, unit: str) -> bool:
        return unit in self.failed_units

    def known(self, unit: str) -> bool:
        return unit in self.units or unit in self.running_units

    def environment(self, unit: str) -> str:
        return self.environments.get(unit, "")

    def start(self, *units: str) -> None:
        self.told.append(f"start {' '.join(units)}")
        self.running_units.update(units)

    def stop(self, unit: str) -> None:
        self.told.append(f"stop {unit}")
        self.running_units.discard(unit)

    def restart(self, unit: str) -> None:
        self.told.append(f"restart {unit}")


@dataclass
class Printing(Processes):
    """Every program prints `output` and ends well."""

    output: str = ""

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        return Completed(0, self.output, "")


@dataclass(frozen=True)
class FakePorts(Host):
    """Host on a machine that trusts the authorities `trusted`."""

    trusted: tuple[Certificate, ...] = ()

    @cached_property
    def system_roots(self) -> tuple[Certificate, ...]:
        return self.trusted


def ports_of(
    root: Path,
    *,
    engine: ContainerEngine | None = None,
    clock: Clock | None = None,
    processes: Processes | None = None,
    systemd: Systemd | None = None,
) -> Host:
    """Host on the files below `root`; what is not given is empty."""
    engine = engine or FakeEngine()
    return FakePorts(
        Files(root),
        processes or Processes(),
        clock or FakeClock(),
        systemd or FakeSystemd(),
        lambda: (engine, PODMAN),
    )


def no_progress(_fetched: int, _known: int) -> None:
    """Nobody watches a pull or a load."""
