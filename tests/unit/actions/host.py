"""A host below a temporary root whose kernel, SELinux and units obey the programs that actions start."""

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
from tests.unit.fakes import FakeSystemd


class Host(Processes, Any):
    """Ports and programs in one; `in_use` modules cannot be unloaded, `locked` parameters not be set."""

    state_directory = "/var/lib/mstunnel"

    def __init__(self, root: Path) -> None:
        self.files = Files(root)
        self.systemd = FakeSystemd()
        self.modules: set[str] = set()
        self.in_use: set[str] = set()
        self.locked: set[str] = set()
        self.base_ports = {3128: "squid_port_t"}
        self.ports: dict[int, str] = {}
        self.tables: set[str] = set()
        self.asked: list[str] = []
        self.monitor_runs = False
        for directory in ("/proc/sys/net/ipv4", "/var/lib/mstunnel", "/etc"):
            self.files.make_directories(directory)
        self._show()

    @property
    def processes(self) -> Processes:
        return self

    def run(self, arguments: Sequence[str], **options: Any) -> Completed:
        self.asked.append(shlex.join(arguments))
        program, *words = arguments
        method = re.sub(r"\W", "_", program).strip("_")
        code, output = getattr(self, f"_{method}")(words)
        if code and options.get("check", True):
            raise ProcessError("program-failed", f"`{shlex.join(arguments)}` ended with {code}")
        return Completed(code, output, "")

    def set_sysctl(self, name: str, value: str) -> None:
        self.files.write(place(name), f"{value}\n".encode())

    def _rc_update(self, words: list[str]) -> tuple[int, str]:
        do, name, level = words
        place = f"/etc/runlevels/{level}/{name}"
        if do == "del":
            self.files.remove(place)
        else:
            self.files.link(place, f"/etc/init.d/{name}")
        return 0, ""

    def _update_rc_d(self, words: list[str]) -> tuple[int, str]:
        for level in range(2, 6):
            name = next(word for word in words if word.startswith("mstunnel"))
            place = f"/etc/rc{level}.d/S01{name}"
            if "remove" in words:
                self.files.remove(place)
            else:
                self.files.link(place, f"../init.d/{name}")
        return 0, ""

    def _etc_init_d_mstunnel_monitor(self, words: list[str]) -> tuple[int, str]:
        if words == ["status"]:
            return 0 if self.monitor_runs else 3, ""
        self.monitor_runs = words == ["start"]
        return 0, ""

    def _show(self) -> None:
        lines = "".join(f"{name} 16384 0 - Live 0x0\n" for name in sorted(self.modules))
        self.files.write("/proc/modules", lines.encode())

    def _modprobe(self, words: list[str]) -> tuple[int, str]:
        name = words[-1]
        if "-r" in words:
            if name in self.in_use:
                return 1, ""
            self.modules.discard(name)
        elif name == "missing":
            return 1, ""
        else:
            self.modules.add(name)
        self._show()
        return 0, ""

    def _sysctl(self, words: list[str]) -> tuple[int, str]:
        name, _, value = words[-1].partition("=")
        if name in self.locked:
            return 255, ""
        self.set_sysctl(name, value)
        return 0, ""

    def _nft(self, words: list[str]) -> tuple[int, str]:
        """Tables of nft(8), by family and name, as far as files make and commands list or delete them."""
        if words[0] == "--file":
            text = (self.files.read(words[1]) or b"").decode()
            self.tables |= set(re.findall(r"^table (\S+ \S+) \{", text, re.MULTILINE))
            return (0, "") if text else (1, "")
        if words == ["list", "tables"]:
            return 0, "".join(f"table {name}\n" for name in sorted(self.tables))
        if words[:2] == ["delete", "table"] and " ".join(words[2:]) in self.tables:
            self.tables.remove(" ".join(words[2:]))
            return 0, ""
        return 1, ""

    def _ip(self, words: list[str]) -> tuple[int, str]:
        return 1, ""

    def _semanage(self, words: list[str]) -> tuple[int, str]:
        if "-l" in words:
            rows = self.ports if "-C" in words else {**self.base_ports, **self.ports}
            return 0, "".join(f"{kind:30} tcp      {port}\n" for port, kind in rows.items())
        port = int(words[-1])
        known = port in self.ports or port in self.base_ports
        if ("-a" in words and known) or ("-m" in words and not known):
            return 1, ""
        if "-d" in words:
            return (0, "") if self.ports.pop(port, None) else (1, "")
        self.ports[port] = words[words.index("-t") + 1]
        return 0, ""


def apply(host: Host, action: Action) -> JsonObject:
    """Apply once, as the runner does; what undo will need."""
    before = action.capture(host)
    action.apply(host, {})
    assert action.satisfied(host, {})
    return before


def undo(host: Host, action: Action, before: JsonObject) -> Undone:
    return action.undo(host, UndoRecord(before, (action,), {}))
