"""A host below a temporary root: programs that actions start change its kernel, SELinux and units."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mstunnel_setup.actions.kernel import place
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.transaction.action import Action, Undone, UndoRecord
from tests.crash import kernel
from tests.unit.fakes import FakeSystemd


class Host(Processes, Any):
    """Ports and programs in one; a command that begins with one of `refused` fails."""

    state_directory = "/var/lib/mstunnel"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Files(root)
        self.systemd = FakeSystemd()
        self.refused: set[str] = set()
        self.asked: list[str] = []
        for directory in ("proc/net", "proc/sys/net/ipv4", "var/lib/mstunnel", "etc/selinux"):
            (root / directory).mkdir(parents=True, exist_ok=True)
        kernel.load(root, set())
        kernel.keep(root, set())
        kernel.label(root, {})
        kernel.label(root, {3128: "squid_port_t"}, kernel.POLICY)

    @property
    def processes(self) -> Processes:
        return self

    def run(self, arguments: Sequence[str], **options: Any) -> Completed:
        line = shlex.join(arguments)
        self.asked.append(line)
        program, *words = arguments
        if line.startswith(tuple(self.refused)):
            code, output = 1, ""
        elif program in ("modprobe", "sysctl", "nft", "rc-update", "semanage"):
            code, output = kernel.answer(arguments, self.root)
        else:
            method = re.sub(r"\W", "_", program).strip("_")
            code, output = getattr(self, f"_{method}")(words)
        if code and options.get("check", True):
            raise ProcessError("program-failed", f"`{line}` ended with {code}")
        return Completed(code, output, output if code else "")

    def set_sysctl(self, name: str, value: str) -> None:
        self.files.write(place(name), f"{value}\n".encode())

    def _ip(self, words: list[str]) -> tuple[int, str]:
        return 1, ""


def apply(host: Host, action: Action) -> JsonObject:
    """Apply once, as the runner does, and return the captured state for the undo."""
    before = action.capture(host)
    action.apply(host, {})
    assert action.satisfied(host, {})
    return before


def undo(host: Host, action: Action, before: JsonObject) -> Undone:
    return action.undo(host, UndoRecord(before, (action,), {}))
