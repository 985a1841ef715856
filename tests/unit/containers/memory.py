"""An engine and a systemd in memory, for actions that run containers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mstunnel_setup.containers.container_spec import ContainerSpec, Progress, digest_tag
from mstunnel_setup.containers.engine import ContainerState, Health, Image
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.io.systemd import Systemd
from mstunnel_setup.transaction.action import Action, Undone, UndoRecord
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeEngine

DIGEST = "sha256:" + "ab" * 32
UNIT = "gateway.service"
OLD_LABELS = {"org.mstunnel.managed": "1", "org.mstunnel.configuration": "old"}


class Installed(Processes):
    """A host on which only these programs are installed."""

    def __init__(self, *programs: str) -> None:
        self.programs = programs

    def find(self, program: str) -> str | None:
        return program if program in self.programs else None


@dataclass
class Engine(FakeEngine):
    """An engine that also applies changes; a started container gets the next of `healths`."""

    in_use: bool = False
    probes: int = 0
    healths: list[Health | None] = field(default_factory=lambda: [None])

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        progress(1, 1)
        self.images[reference] = Image(reference, DIGEST, "id")
        return self.images[reference]

    def load(self, archive: str, reference: str, progress: Progress) -> Image:
        self.images[digest_tag(reference)] = Image(digest_tag(reference), DIGEST, "id")
        self.images[reference] = self.images[digest_tag(reference)]
        return self.images[reference]

    def remove_image(self, reference: str) -> bool:
        if not self.in_use:
            self.images.pop(reference, None)
        return not self.in_use

    def create(self, spec: ContainerSpec) -> None:
        assert spec.name not in self.containers
        self.containers[spec.name] = ContainerState("created", None, dict(spec.all_labels), DIGEST)

    def start(self, name: str) -> None:
        now = datetime.now(UTC)
        self.containers[name] = replace(self.containers[name], status="running", started_at=now)

    def remove(self, name: str) -> None:
        self.containers.pop(name, None)

    def inspect(self, name: str) -> ContainerState | None:
        state = self.containers.get(name)
        if state is None or state.status != "running":
            return state
        health = self.healths.pop(0) if len(self.healths) > 1 else self.healths[0]
        return replace(state, health=health)

    def probe(self, name: str) -> bool:
        self.probes += 1
        return self.passes


class Host(Processes):
    """systemctl, journalctl and the engine's log in memory; Quadlet's generator is the real one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.calls: list[str] = []
        self.active: set[str] = set()
        self.known = {UNIT}
        self.refused = ""
        self.crashes = False
        self.labels = {"org.mstunnel.managed": "1", "org.mstunnel.configuration": "new"}

    def run(self, arguments: Sequence[str], **options: Any) -> Completed:
        if arguments[0].endswith("quadlet"):
            return super().run(arguments, **options)
        self.calls.append(" ".join(arguments))
        if arguments[0] != "systemctl":
            return Completed(0, "first\nlast \x1b[1mwords\n", "")
        # Several units are only started; the result is that of the last one.
        return [self._systemctl(arguments[1], unit) for unit in _units(arguments)][-1]

    def _systemctl(self, verb: str, unit: str) -> Completed:
        if self.refused in (verb, f"{verb} {unit}"):
            raise ProcessError("program-failed", f"Job for {unit} failed")
        if verb == "is-active":
            return Completed(0 if unit in self.active else 3, "", "")
        if verb == "show" and self.crashes:
            return Completed(0, "3\n", "")
        if verb == "show":
            return Completed(0, "loaded\n" if unit in self.known else "not-found\n", "")
        if verb in ("start", "restart"):
            self.active.add(unit)
            started = datetime.now(UTC)
            state = ContainerState("running", None, self.labels, DIGEST, started)
            if not self.crashes:
                self.engine.containers[unit.removesuffix(".service")] = state
        if verb == "stop":
            self.active.discard(unit)
            self.engine.containers.pop(unit.removesuffix(".service"), None)
        return Completed(0, "", "")


def _units(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[arguments.index("--") + 1 :] if "--" in arguments else arguments[-1:]


class Ports(Any):
    def __init__(self, root: Path) -> None:
        self.files = Files(root)
        self.files.make_directories("/etc/containers/systemd")
        self.state_directory = "/var/lib/mstunnel"
        self.engine = Engine()
        self.processes = Host(self.engine)
        self.clock = FakeClock()
        self.systemd = Systemd(self.processes)
        self.fetched: list[tuple[int, int]] = []

    def progress(self, done: int, known: int) -> None:
        self.fetched.append((done, known))


def undo(ports: Ports, action: Action, before: Any = None) -> Undone:
    """Undo an action that was applied once."""
    return action.undo(ports, UndoRecord({} if before is None else before, (action,), {}))
