"""Set a kernel parameter now; a file in /etc/sysctl.d makes it persistent."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_SECONDS = 180.0


def place(name: str) -> str:
    """The file of the kernel parameter `name`; a slash in it is a dot there (sysctl.d(5))."""
    return f"/proc/sys/{name.translate(str.maketrans('./', '/.'))}"


@dataclass(frozen=True, kw_only=True)
class SetSysctl(Action):
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
        return f"set {self.name} to {self.value}"

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self._now(host) == self.value

    def capture(self, host: Host) -> JsonObject:
        """The value it has."""
        return {"value": self._now(host)}

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Set it (sysctl(8)). Raises StepError `sysctl-refused`."""
        self._set(host, self.value)
        return {}

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Restore the earlier value, unless others have changed it since."""
        before, now = record.before["value"], self._now(host)
        ours = {version.value for version in record.versions if isinstance(version, SetSysctl)}
        if before is None or now in (None, before):
            return Undone(Undo.ABSENT)
        if now not in ours:
            return Undone(Undo.KEPT, f"{self.name} was changed outside mstunnel-setup")
        self._set(host, str(before))
        return Undone(Undo.RESTORED)

    def _now(self, host: Host) -> str | None:
        content = host.files.read(place(self.name))
        return None if content is None else " ".join(content.decode("ascii", errors="replace").split())

    def _set(self, host: Host, value: str) -> None:
        try:
            host.processes.run(["sysctl", "--quiet", "--write", f"{self.name}={value}"], timeout=_SECONDS)
        except ProcessError as error:
            raise StepError(
                "sysctl-refused",
                "cannot set {name} to {value}: {reason}",
                hint="In a container, set it on the host; then run the command again.",
                name=self.name,
                value=value,
                reason=error.message,
            ) from error
