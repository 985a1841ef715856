"""What a service reports to the service manager that started it (sd_notify(3))."""

import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final, Self

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
        line = text.replace("\n", " ")
        self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.connect(self._address)
            sender.send(message.encode())
