"""Kernel modules, kernel parameters, and the SELinux type of a port."""

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_SECONDS = 180.0
_LOADED = "/proc/modules"


def load_module(processes: Processes, name: str) -> None:
    """Load a kernel module with its dependencies (modprobe(8)). Raises StepError `module-unavailable`."""
    try:
        processes.run(["modprobe", "--", name], timeout=_SECONDS)
    except ProcessError as error:
        raise StepError(
            "module-unavailable",
            "cannot load the kernel module {name}: {reason}",
            hint=(
                "Install the modules package of the kernel and reboot; in a container, load the "
                "module on the host."
            ),
            name=name,
            reason=error.message,
        ) from error


class LoadModule(Action):
    """Load a kernel module. Undo unloads it, unless it is in use."""

    kind = "load-module"
    key_template = "module:{name}"
    description = text("load kernel module {name}")
    name: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self._loaded(host)

    def capture(self, host: Host) -> JsonObject:
        """Return whether the module was loaded before."""
        return {"loaded": self._loaded(host)}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Load it. Raises StepError `module-unavailable`."""
        load_module(host.processes, self.name)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Unload the module if we loaded it; the kernel refuses to unload a module in use."""
        if record.before["loaded"] or not self._loaded(host):
            return Undone(Undo.ABSENT)
        done = host.processes.run(["modprobe", "-r", "--", self.name], timeout=_SECONDS, check=False)
        if done.code != 0:
            return Undone(Undo.KEPT, f"the kernel module {self.name} is in use")
        return Undone(Undo.REMOVED)

    def _loaded(self, host: Host) -> bool:
        lines = (host.files.read(_LOADED) or b"").decode("ascii", errors="replace").splitlines()
        return self.name in {line.partition(" ")[0] for line in lines}


def place(name: str) -> str:
    """Return the file of the kernel parameter `name`, in which a slash stands for a dot (sysctl.d(5))."""
    return f"/proc/sys/{name.translate(str.maketrans('./', '/.'))}"


class SetSysctl(Action):
    """Set the kernel parameter `name` (with dots). Undo restores its earlier value."""

    kind = "set-sysctl"
    key_template = "sysctl:{name}"
    description = text("set {name} to {value}")
    name: str
    value: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self._now(host) == self.value

    def capture(self, host: Host) -> JsonObject:
        """Return the current value."""
        return {"value": self._now(host)}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Set it (sysctl(8)). Raises StepError `sysctl-refused`."""
        self._set(host, self.value)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Restore the earlier value, unless others have changed it since."""
        before, now = record.before["value"], self._now(host)
        ours = {version.value for version in record.versions if isinstance(version, SetSysctl)}
        if before is None or now in (None, before):
            return Undone(Undo.ABSENT)
        if now not in ours:
            return Undone(Undo.KEPT, text("{name} was changed outside mstunnel-setup", name=self.name))
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


PROXY_TYPE = "http_port_t"
_SEMANAGE_SECONDS = 600.0


class LabelPort(Action):
    """Set the SELinux type of a TCP port to that of web servers; undo restores it (semanage-port(8))."""

    kind = "label-port"
    key_template = "selinux-port:{port}"
    description = text("set the SELinux type of TCP port {port} to {proxy_type}")
    proxy_type = PROXY_TYPE
    port: int

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self._local_type(host) == PROXY_TYPE

    def capture(self, host: Host) -> JsonObject:
        """Return the type in a local rule for the port, if there is one."""
        return {"type": self._local_type(host)}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Add a local rule, or change the existing one. Raises StepError `selinux-refused`."""
        if not self._semanage(host, "-a", "-t", PROXY_TYPE, check=False):
            self._semanage(host, "-m", "-t", PROXY_TYPE)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove our rule, or restore the earlier local one; the policy's rules apply again.

        Raises StepError `selinux-refused`.
        """
        before = record.before["type"]
        if self._local_type(host) != PROXY_TYPE or before == PROXY_TYPE:
            return Undone(Undo.ABSENT)
        if isinstance(before, str):
            self._semanage(host, "-m", "-t", before)
            return Undone(Undo.RESTORED)
        self._semanage(host, "-d")
        return Undone(Undo.REMOVED)

    def _semanage(self, host: Host, *options: str, check: bool = True) -> bool:
        command = ["semanage", "port", *options, "-p", "tcp", str(self.port)]
        done = host.processes.run(command, timeout=_SEMANAGE_SECONDS, check=False)
        if check and done.code != 0:
            raise StepError(
                "selinux-refused",
                "cannot change the SELinux type of port {port}",
                hint="Run `{command}` to find the cause.",
                port=self.port,
                command=" ".join(command),
            )
        return done.code == 0

    def _local_type(self, host: Host) -> str | None:
        """Return the type in the local rule for exactly this port; None without one.

        Raises StepError `selinux-unreadable`.
        """
        try:
            listed = host.processes.run(["semanage", "port", "-l", "-C"], timeout=_SEMANAGE_SECONDS)
        except ProcessError as error:
            raise _unreadable(error.message) from error
        # Each row has a type, a protocol, and all ports and ranges of the type. A table with rows begins with
        # a header.
        rows = [line.replace(",", " ").split() for line in listed.output.splitlines() if line.strip()]
        if any(len(row) < 3 for row in rows):  # noqa: PLR2004 (the columns)
            raise _unreadable(text("`semanage port -l -C` printed an unknown format"))
        ours = str(self.port)
        return next((kind for kind, protocol, *ports in rows if protocol == "tcp" and ours in ports), None)


def _unreadable(reason: str) -> StepError:
    return StepError(
        "selinux-unreadable",
        "cannot read the SELinux port types: {reason}",
        hint="Check `semanage port -l -C`; semanage is part of policycoreutils-python-utils.",
        reason=reason,
    )
