"""Systemd: its units, what a service reports to it (sd_notify(3)), and the journal with its fields.

Source of the journal: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/; systemd.exec(5) for `JOURNAL_STREAM`.
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
    """Matches of journalctl for what root or this user wrote: an engine, a unit or a program of ours.

    Every user can write to the journal, under any tag and container name; the kernel states who it was.
    """
    return tuple(f"_UID={number}" for number in sorted({0, os.geteuid()}))


class Systemd:
    """The service manager of this host, or with `user` that of the account that runs this process.

    Methods raise EngineError `systemd-failed` when it refuses or does not answer.
    """

    def __init__(self, processes: Processes, marker: str = _MARKER, *, user: bool = False) -> None:
        self._processes = processes
        self._marker = marker
        self._scope = ("--user",) if user else ()

    def running(self) -> bool:
        """Whether systemd is process 1 here."""
        return Path(self._marker).is_dir()

    def daemon_reload(self) -> None:
        """Read unit files again, generators included."""
        self._systemctl("daemon-reload")

    def reload_if_changed(self, unit: str) -> None:
        """Read unit files again if systemd knows `unit` with other files, or not at all.

        One that it has not loaded yet needs no reload: systemd reads its files when it loads it.
        """
        shown = self._query("show", "--property=LoadState,NeedDaemonReload", "--", unit).output
        if "NeedDaemonReload=no" not in shown or "LoadState=not-found" in shown:
            self.daemon_reload()

    def start(self, *units: str) -> None:
        """Start units at the same time, also after too many failed starts; those that can start do."""
        self.forget_failure(*units)
        self._systemctl("start", "--", *units)

    def stop(self, unit: str) -> None:
        """Stop a unit; it does not count as failed afterwards, however its process ended."""
        self._systemctl("stop", "--", unit)
        self.forget_failure(unit)

    def forget_failure(self, *units: str) -> None:
        """Have failed units count as ones that were never started; also when their files are gone."""
        self._query("reset-failed", "--", *units)

    def restart(self, unit: str) -> None:
        """Restart a unit, also after too many failed starts."""
        self.forget_failure(unit)
        self._systemctl("restart", "--", unit)

    def active(self, unit: str) -> bool:
        """Whether a unit is running."""
        return self._query("is-active", "--quiet", "--", unit).code == 0

    def stopped(self, unit: str) -> bool:
        """Whether a unit neither runs nor has failed nor is about to start again."""
        return self._query("is-active", "--", unit).output.strip() == "inactive"

    def failed(self, unit: str) -> bool:
        """Whether a unit is in the failed state."""
        return self._query("is-failed", "--quiet", "--", unit).code == 0

    def restarts(self, unit: str) -> int:
        """How often systemd automatically restarted a unit since it was last started."""
        return whole_number(self._property("NRestarts", unit).output.strip()) or 0

    def known(self, unit: str) -> bool:
        """Whether the unit exists. Raises EngineError when systemd runs and does not answer.

        The units of an account are gone together with its service manager.
        """
        answer = self._property("LoadState", unit)
        if answer.code and self.running() and not self._scope:
            reason = text("cannot query the unit {unit}", unit=unit)
            raise SYSTEMD_FAILED(reason=reason, command=f"systemctl status {unit}")
        return answer.output.strip() not in ("", "not-found")

    def environment(self, unit: str) -> str:
        """The environment variables of a unit, quoted for a shell."""
        return self._property("Environment", unit).output

    def _property(self, name: str, unit: str) -> Completed:
        return self._query("show", f"--property={name}", "--value", "--", unit)

    def log(self, unit: str, lines: int) -> str:
        """The last lines that a container service logged; empty when there is no journal.

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
        """The command that shows what `log` returns."""
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
    """The service manager at a datagram socket; without an address there is none, and nothing is sent.

    A report that cannot be delivered is dropped: only systemd reads it.
    """

    def __init__(self, address: str = "") -> None:
        # Linux's abstract names begin with a zero byte, which an environment cannot contain.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> Self:
        """That of this process; taken out of the environment, or Podman would report in its place."""
        return cls(environment.pop(_ADDRESS, ""))

    def ready(self) -> None:
        """The service has started."""
        self._send("READY=1")

    def alive(self, seconds: float) -> None:
        """The service works, and will say so again within so many seconds; else it is to be restarted."""
        self._send(f"WATCHDOG_USEC={int(seconds * _MICROSECONDS)}\nWATCHDOG=1")

    def status(self, text: str) -> None:
        """What the service is doing, for `systemctl status`."""
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
    """The journal that listens at a datagram socket."""

    def __init__(self, address: str = _SOCKET) -> None:
        self._address = address

    @classmethod
    def of(cls, environment: Mapping[str, str], stream: int) -> Self | None:
        """The journal, where the open file `stream` leads to it anyway; None elsewhere."""
        state = os.fstat(stream)
        return cls() if environment.get(_STREAM) == f"{state.st_dev}:{state.st_ino}" else None

    def send(self, fields: Mapping[str, str]) -> bool:
        """Add an entry; whether the journal took it."""
        message = b""
        for name, value in fields.items():
            # By its length, which no value can leave.
            content = value.encode(errors="replace")
            message += b"%s\n%s%s\n" % (name.encode(), len(content).to_bytes(_SIZE_BYTES, "little"), content)
        try:
            _send_datagram(self._address, message)
        except OSError:
            return False
        return True
