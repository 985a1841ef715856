"""systemd: units, service notifications (sd_notify(3)), and the journal with its fields.

Source of the journal protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/; systemd.exec(5) for
`JOURNAL_STREAM`.
"""

import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.io.errors import SYSTEMD_FAILED, ProcessError
from mstunnel_setup.io.process import Completed, Processes

# Exists if and only if systemd is process 1: sd_booted(3).
_MARKER = "/run/systemd/system"
# Longer than systemd's own limit of 90 s for the start or stop of a unit.
_UNIT_TIMEOUT = 900.0
_QUERY_TIMEOUT = 180.0
# systemctl(1): there is no such unit.
_NO_SYSTEMD = 4


def trusted_writers() -> tuple[str, ...]:
    """Return journalctl matches for entries that root or this user wrote.

    Every user can write to the journal, under any tag and container name; the kernel adds the user id.
    """
    return tuple(f"_UID={number}" for number in sorted({0, os.geteuid()}))


class Systemd:
    """The service manager of this host, or with `user` that of this process's account.

    Methods raise EngineError `systemd-failed` if it refuses or does not respond.
    """

    def __init__(self, processes: Processes, marker: str = _MARKER, *, user: bool = False) -> None:
        self._processes = processes
        self._marker = marker
        self._scope = ("--user",) if user else ()

    def running(self) -> bool:
        """Return whether systemd is process 1 here."""
        return Path(self._marker).is_dir()

    def daemon_reload(self) -> None:
        """Reload unit files and run generators."""
        self._systemctl("daemon-reload")

    def reload_if_changed(self, unit: str) -> None:
        """Reload unit files if those of `unit` have changed or systemd does not know the unit.

        A unit that is not loaded yet needs no reload: systemd reads its files when it loads it.
        """
        shown = self._query("show", "--property=LoadState,NeedDaemonReload", "--", unit).output
        if "NeedDaemonReload=no" not in shown or "LoadState=not-found" in shown:
            self.daemon_reload()

    def start(self, *units: str) -> None:
        """Start units at the same time, even after too many failed starts; start as many as possible."""
        self.forget_failure(*units)
        self._systemctl("start", "--", *units)

    def stop(self, unit: str) -> None:
        """Stop a unit; it does not count as failed afterwards, however its process ended."""
        self._systemctl("stop", "--", unit)
        self.forget_failure(unit)

    def forget_failure(self, *units: str) -> None:
        """Reset the failed state of units, even if their files are gone."""
        self._query("reset-failed", "--", *units)

    def restart(self, unit: str) -> None:
        """Restart a unit, even after too many failed starts."""
        self.forget_failure(unit)
        self._systemctl("restart", "--", unit)

    def active(self, unit: str) -> bool:
        """Return whether a unit is running."""
        return self._query("is-active", "--quiet", "--", unit).code == 0

    def stopped(self, unit: str) -> bool:
        """Return whether a unit is inactive: neither running, failed nor about to restart."""
        return self._query("is-active", "--", unit).output.strip() == "inactive"

    def failed(self, unit: str) -> bool:
        """Return whether a unit is in the failed state."""
        return self._query("is-failed", "--quiet", "--", unit).code == 0

    def restarts(self, unit: str) -> int:
        """Return how often systemd has automatically restarted a unit since its last start."""
        return whole_number(self._property("NRestarts", unit).output.strip()) or 0

    def known(self, unit: str) -> bool:
        """Return whether the unit exists. Raises EngineError if systemd runs and does not respond.

        The units of an account disappear with its service manager.
        """
        answer = self._property("LoadState", unit)
        if answer.code and self.running() and not self._scope:
            reason = text("cannot query the unit {unit}", unit=unit)
            raise SYSTEMD_FAILED(reason=reason, command=f"systemctl status {unit}")
        return answer.output.strip() not in ("", "not-found")

    def environment(self, unit: str) -> str:
        """Return the environment variables of a unit, quoted for a shell."""
        return self._property("Environment", unit).output

    def _property(self, name: str, unit: str) -> Completed:
        return self._query("show", f"--property={name}", "--value", "--", unit)

    def log(self, unit: str, lines: int) -> str:
        """Return the last lines that a container service logged; empty without a journal.

        The journald log drivers of both engines set CONTAINER_NAME, whatever the tag; our units log under
        their name. Messages of systemd and the engine about starts and stops are left out.
        """
        return self._run(self.log_command(unit, lines=lines), timeout=_QUERY_TIMEOUT, check=False).output

    def log_command(
        self,
        unit: str,
        *,
        lines: int,
        since: datetime | None = None,
        follow: bool = False,
        timestamps: bool = False,
    ) -> tuple[str, ...]:
        """Return the command that shows the lines of `log`."""
        name = unit.removesuffix(".service")
        return (
            *("journalctl", f"CONTAINER_NAME={name}", *trusted_writers()),
            *("+", f"SYSLOG_IDENTIFIER={name}", *trusted_writers()),
            f"--lines={lines}",
            "--output=short-iso" if timestamps else "--output=cat",
            "--no-pager",
            *([f"--since=@{since.timestamp():.0f}"] if since is not None else []),
            *(["--follow"] if follow else []),
        )

    def _systemctl(self, *arguments: str) -> None:
        self._run(("systemctl", *self._scope, *arguments), timeout=_UNIT_TIMEOUT, check=True)

    def _query(self, *arguments: str) -> Completed:
        if self._processes.find("systemctl") is None:
            return Completed(_NO_SYSTEMD, "", "")
        return self._run(("systemctl", *self._scope, *arguments), timeout=_QUERY_TIMEOUT, check=False)

    def _run(self, arguments: Sequence[str], *, timeout: float, check: bool) -> Completed:
        try:
            return self._processes.run(arguments, timeout=timeout, check=check)
        except ProcessError as error:
            units = arguments[arguments.index("--") + 1 :] if "--" in arguments else ()
            status = " ".join(("systemctl", *self._scope, "status", *units))
            raise SYSTEMD_FAILED(reason=error.message, command=status) from error


_ADDRESS: Final = "NOTIFY_SOCKET"
_MICROSECONDS: Final = 1_000_000


class ServiceManager:
    """The service manager at a datagram socket; without an address nothing is sent.

    A report that cannot be delivered is dropped: only systemd reads it.
    """

    def __init__(self, address: str = "") -> None:
        # Linux's abstract names begin with a zero byte, which an environment cannot contain.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> Self:
        """Return this process's service manager; remove its address, or Podman would report there."""
        return cls(environment.pop(_ADDRESS, ""))

    def ready(self) -> None:
        """Report that the service has started."""
        self._send("READY=1")

    def alive(self, seconds: float) -> None:
        """Report that the service works; systemd restarts it without another report within `seconds`."""
        self._send(f"WATCHDOG_USEC={int(seconds * _MICROSECONDS)}\nWATCHDOG=1")

    def status(self, text: str) -> None:
        """Report the current activity, for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError):
            _send_datagram(self._address, message.encode())


def _send_datagram(address: str, message: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(address)
        sender.send(message)


_SOCKET: Final = "/run/systemd/journal/socket"
_STREAM: Final = "JOURNAL_STREAM"
_SIZE_BYTES: Final = 8


class SystemJournal:
    """The journal at a datagram socket."""

    def __init__(self, address: str = _SOCKET) -> None:
        self._address = address

    @classmethod
    def of(cls, environment: Mapping[str, str], stream: int) -> Self | None:
        """Return the journal if the open file `stream` is connected to it; otherwise None."""
        state = os.fstat(stream)
        return cls() if environment.get(_STREAM) == f"{state.st_dev}:{state.st_ino}" else None

    def send(self, fields: Mapping[str, str]) -> bool:
        """Add an entry; return whether the journal accepted it."""
        message = b""
        for name, value in fields.items():
            # Each value is sent with its length, so that its content cannot add a field.
            content = value.encode(errors="replace")
            message += b"%s\n%s%s\n" % (name.encode(), len(content).to_bytes(_SIZE_BYTES, "little"), content)
        try:
            _send_datagram(self._address, message)
        except OSError:
            return False
        return True
