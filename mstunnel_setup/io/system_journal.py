"""The system's journal, which keeps the fields of an entry apart.

Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/; systemd.exec(5) for `JOURNAL_STREAM`.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final, Self

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
        message = b"".join(_field(name, value.encode(errors="replace")) for name, value in fields.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.connect(self._address)
                sender.send(message)
            except OSError:
                return False
        return True


def _field(name: str, value: bytes) -> bytes:
    """A field by its length, which no value can leave."""
    return b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(_SIZE_BYTES, "little"), value)
