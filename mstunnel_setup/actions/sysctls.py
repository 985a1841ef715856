"""Set a kernel parameter now; a file in /etc/sysctl.d makes it persistent."""

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


def place(name: str) -> str:
    """The file of the kernel parameter `name`; a slash in it is a dot there (sysctl.d(5))."""
    return f"/proc/sys/{name.translate(str.maketrans('./', '/.'))}"


@dataclass(frozen=True, kw_only=True)
class SetSysctl(Action[HasProcesses]):
    """Set the kernel parameter `name` (with dots). Undo restores its earlier value."""

    kind: ClassVar[str] = "set-sysctl"
    name: str
    value: str

    @property
    @override
    def key(self) -> str:
        return f"sysctl:{self.name}"

    @override
    def describe(self) -> str:
        return text("set {name} to {value}", name=self.name, value=self.value)

    @override
    def satisfied(self, ports: HasProcesses, outputs: Outputs) -> bool:
        return self._now(ports) == self.value

    def capture(self, ports: HasProcesses) -> JsonObject:
        """The value it has."""
        return {"value": self._now(ports)}

    @override
    def apply(self, ports: HasProcesses, outputs: Outputs) -> JsonObject:
        """Set it (sysctl(8)). Raises StepError `sysctl-refused`."""
        self._set(ports, self.value)
        return {}

    def undo(self, ports: HasProcesses, record: UndoRecord[HasProcesses]) -> Undone:
        """Restore the earlier value, unless others have changed it since."""
        before, now = record.before["value"], self._now(ports)
        ours = {version.value for version in record.versions if isinstance(version, SetSysctl)}
        if before is None or now in (None, before):
            return Undone(Undo.ABSENT)
        if now not in ours:
            return Undone(Undo.KEPT, text("{name} was changed outside mstunnel-setup", name=self.name))
        self._set(ports, str(before))
        return Undone(Undo.RESTORED)

    def _now(self, ports: HasProcesses) -> str | None:
        content = ports.files.read(place(self.name))
        return None if content is None else " ".join(content.decode("ascii", errors="replace").split())

    def _set(self, ports: HasProcesses, value: str) -> None:
        try:
            ports.processes.run(["sysctl", "--quiet", "--write", f"{self.name}={value}"], timeout=_SECONDS)
        except ProcessError as error:
            raise StepError(
                "sysctl-refused",
                "cannot set {name} to {value}: {reason}",
                hint="In a container, set it on the host; then run the command again.",
                name=self.name,
                value=value,
                reason=error.message,
            ) from error
