"""Load a kernel module."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.ports import HasProcesses
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_SECONDS = 180.0
_LOADED = "/proc/modules"


@dataclass(frozen=True, kw_only=True)
class LoadModule(Action[HasProcesses]):
    """Load a kernel module. Undo unloads it, unless it is in use."""

    kind: ClassVar[str] = "load-module"
    name: str

    @property
    @override
    def key(self) -> str:
        return f"module:{self.name}"

    @override
    def describe(self) -> str:
        return text("load kernel module {name}", name=self.name)

    @override
    def satisfied(self, ports: HasProcesses, outputs: Outputs) -> bool:
        return self._loaded(ports)

    def capture(self, ports: HasProcesses) -> JsonObject:
        """Whether it was loaded before."""
        return {"loaded": self._loaded(ports)}

    @override
    def apply(self, ports: HasProcesses, outputs: Outputs) -> JsonObject:
        """Load it with its dependencies (modprobe(8)). Raises StepError `module-unavailable`."""
        try:
            ports.processes.run(["modprobe", "--", self.name], timeout=_SECONDS)
        except ProcessError as error:
            raise StepError(
                "module-unavailable",
                "cannot load the kernel module {name}: {reason}",
                hint=(
                    "Install the modules package of the kernel and reboot; in a container, load the "
                    "module on the host."
                ),
                name=self.name,
                reason=error.message,
            ) from error
        return {}

    def undo(self, ports: HasProcesses, record: UndoRecord[HasProcesses]) -> Undone:
        """Unload it if we loaded it; the kernel refuses to unload a module in use."""
        if record.before["loaded"] or not self._loaded(ports):
            return Undone(Undo.ABSENT)
        done = ports.processes.run(["modprobe", "-r", "--", self.name], timeout=_SECONDS, check=False)
        if done.code != 0:
            return Undone(Undo.KEPT, f"the kernel module {self.name} is in use")
        return Undone(Undo.REMOVED)

    def _loaded(self, ports: HasProcesses) -> bool:
        lines = (ports.files.read(_LOADED) or b"").decode("ascii", errors="replace").splitlines()
        return self.name in {line.partition(" ")[0] for line in lines}
