"""One emulated machine: QEMU without hardware virtualisation, and its monitor."""

import json
import shutil
import socket
from pathlib import Path
from typing import IO

from tests.machines.computer import Computer
from tests.machines.image import Disk
from tests.testbed.namespace import Namespace
from tests.testbed.process import TestbedError

PROGRAM = "qemu-system-x86_64"
MEMORY_MIB = 3072
SSH_PORT = 2222
# With `max` SHA instructions are emulated, four times slower than code without them.
_PROCESSOR = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64", "-smp", "2", "-m", str(MEMORY_MIB)]
_KERNEL_LINE = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off init_on_free=1"
_FORWARDED = (f"tcp:127.0.0.1:{SSH_PORT}-:22", "tcp:127.0.0.1:443-:443", "udp:127.0.0.1:443-:443")
_DEVICES = [
    *("-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-rng-pci"),
    *("-display", "none", "-vga", "none", "-nodefaults"),
]
_MONITOR_SECONDS = 120


def missing() -> str:
    """Why no machine can run here; "" when one can."""
    for program in (PROGRAM, "qemu-img", "mkfs.ext4", "mkfs.xfs", "mmdebstrap", "ssh"):
        if shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin") is None:
            return f"{program} is not installed"
    (line,) = (found for found in Path("/proc/meminfo").read_text().splitlines() if "MemAvailable" in found)
    free = int(line.split()[1]) // 1024
    return (
        ""
        if free > MEMORY_MIB + 1024
        else f"{free} MiB of memory are available, a machine needs {MEMORY_MIB + 1024}"
    )


class Qemu(Computer):
    """An emulated machine in the network of `namespace`.

    `disk` is a qcow2 overlay, `more` a raw disk that is only read. It boots, or goes on from a state `saved`.
    """

    def __init__(
        self, namespace: Namespace, directory: Path, system: Disk, *, disk: Path, more: Path, saved: str
    ) -> None:
        self._socket = directory / "qmp"
        self._socket.unlink(missing_ok=True)
        network = ",".join(["user,id=n0,ipv6=off", *(f"hostfwd={port}" for port in _FORWARDED)])
        drive = "if=virtio,cache=writeback,discard=unmap"
        command: list[str | Path] = [
            *("nice", "-n3", PROGRAM, *_PROCESSOR),
            *("-kernel", system.directory / "vmlinuz", "-initrd", system.directory / "initrd"),
            *("-append", _KERNEL_LINE),
            *("-drive", f"file={disk},format=qcow2,{drive}"),
            *("-drive", f"file={more},format=raw,if=virtio,readonly=on"),
            *("-netdev", network, *_DEVICES, "-serial", "stdio"),
            *("-qmp", f"unix:{self._socket},server=on,wait=off"),
            *(["-loadvm", saved] if saved else []),
        ]
        super().__init__(namespace, directory, command)

    def monitor(self, line: str) -> str:
        """What the monitor answers to a command for people, such as `savevm NAME`; "" when all is well."""
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rw") as stream:
            connection.settimeout(_MONITOR_SECONDS)
            connection.connect(str(self._socket))
            stream.readline()
            for name, arguments in (
                ("qmp_capabilities", {}),
                ("human-monitor-command", {"command-line": line}),
            ):
                stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                stream.flush()
                answer = _answer(stream)
        return answer


def _answer(stream: IO[str]) -> str:
    """The answer to the last command; what happened meanwhile comes before it."""
    for line in stream:
        message = json.loads(line)
        if "error" in message:
            raise TestbedError(message["error"]["desc"])
        if "return" in message:
            return str(message["return"] or "").strip()
    raise TestbedError("the monitor is gone")
