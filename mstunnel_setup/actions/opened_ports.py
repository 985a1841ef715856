"""Ports that `mst-readiness --fix` opened at the firewall of the host; an uninstallation closes them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias

from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import Undo, Undone
from mstunnel_setup.transaction.runner import Removal

Frontend: TypeAlias = Literal["firewalld", "ufw"]

# Beside the state of an installation, which may belong to an account and comes later.
RECORD: Final = "/var/lib/mstunnel-opened-ports.json"


@dataclass(frozen=True)
class OpenedPort:
    """A port that a frontend lets in, or `forwarded` through to a container (firewall-cmd(1), ufw(8))."""

    frontend: Frontend
    port: int
    protocol: str
    forwarded: bool = False

    @property
    def opening(self) -> tuple[tuple[str, ...], ...]:
        """The commands that open it, now and at boot.

        firewalld is not reloaded: that drops what others added at run time, such as published ports.
        """
        return self._commands("--add-port", "allow")

    @property
    def closing(self) -> tuple[tuple[str, ...], ...]:
        """The commands that close it."""
        return self._commands("--remove-port", "delete", "allow")

    def _commands(self, option: str, *verb: str) -> tuple[tuple[str, ...], ...]:
        port = f"{self.port}/{self.protocol}"
        if self.frontend == "ufw" and self.forwarded:
            return (("ufw", "route", *verb, "proto", self.protocol, "to", "any", "port", str(self.port)),)
        if self.frontend == "ufw":
            return (("ufw", *verb, port),)
        return ("firewall-cmd", "--permanent", f"{option}={port}"), ("firewall-cmd", f"{option}={port}")


def put_on_record(files: Files, opened: OpenedPort) -> None:
    """Note that a port is about to be opened."""
    every = dict.fromkeys((*(recorded(files) or ()), opened))
    files.write(RECORD, json.dumps([asdict(each) for each in every]).encode(), 0o600)


def recorded(files: Files) -> tuple[OpenedPort, ...] | None:
    """The ports on record; None when it cannot be read."""
    try:
        items = json_value((files.read(RECORD) or b"[]").decode())
        return tuple(OpenedPort(**item) for item in items)
    except (ValueError, TypeError):
        return None


def close(files: Files, processes: Processes) -> Iterator[Removal]:
    """Close every port on record. What cannot be closed is kept, with the reason, and forgotten."""
    every = recorded(files)
    if every is None:
        kept = Undone(Undo.KEPT, f"the open ports in {RECORD}, which cannot be read")
        yield Removal("opened-ports", f"close the ports in {RECORD}", kept)
        return
    for opened in every:
        port = f"{opened.port}/{opened.protocol}"
        undone = Undone(Undo.REMOVED)
        try:
            for command in opened.closing:
                processes.run(command, timeout=60)
        except ProcessError as error:
            undone = Undone(Undo.KEPT, f"{port} open at {opened.frontend}: {error.message}")
        yield Removal(f"opened-port:{port}", f"close {port} at {opened.frontend}", undone)
    files.remove(RECORD)
