"""What runs inside a machine and beside it: commands over ssh, and commands in its network."""

import os
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.machine import Machine
from tests.testbed.process import Completed, TestbedError, run

# As in the image of the lab.
PROGRAMS = "/opt/mstunnel-setup/bin"
# What the lab beside a machine is started from, and found by.
LAB_MODULE = "mstunnel_lab.cli"
_SSH = (
    *("ssh", "-F", "none", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=30"),
)
_SLOWER = 5


@dataclass(frozen=True)
class Guest(Machine):
    """The machine, as root over ssh with `key`."""

    key: Path
    address: str
    port: int

    def argv(
        self, command: Sequence[str], *, tty: bool = False, env: dict[str, str] | None = None
    ) -> list[str]:
        """Command line that runs `command` in the machine."""
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        remote = shlex.join(["env", *variables, *command] if variables else command)
        return self._ssh("-i", str(self.key), *(["-tt"] if tty else []), command=remote)

    def hang_up(self) -> None:
        """End the connection to a machine that is gone, and the commands that wait for it."""
        run(self._ssh("-O", "exit"), check=False)

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | bytes = "",
        timeout: float = 60,
        check: bool = True,
        env: dict[str, str] | None = None,
    ) -> Completed:
        """As on other machines, with time for an emulated processor."""
        return super().run(command, stdin=stdin, timeout=timeout * _SLOWER, check=check, env=env)

    def start(self, command: Sequence[str]) -> None:
        """Start `command` in the background; it ends with the machine."""
        self.shell(f"setsid {shlex.join(command)} >/dev/null 2>&1 </dev/null &")

    def copy(self, files: Sequence[Path], directory: str) -> None:
        """Copy files of the machine below into a directory."""
        for path in files:
            self.write(f"{directory}/{path.name}", path.read_bytes(), path.stat().st_mode & 0o777)

    def wait_for_ssh(self, seconds: float) -> float:
        """Return once it answers, with the seconds that took; TestbedError when it does not."""
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            with suppress(TestbedError):
                run(self.argv(["true"]), timeout=30)
                return time.monotonic() - begin
            time.sleep(0.5)
        raise TestbedError(f"no answer over ssh within {seconds:.0f} s")

    def _ssh(self, *options: str, command: str = "") -> list[str]:
        # One sign-in for each boot: an emulated processor takes seconds for it.
        socket = f"ControlPath={self.namespace.state}/ssh"
        shared = ("-o", "ControlMaster=auto", "-o", "ControlPersist=yes", "-o", socket, "-p", str(self.port))
        target = f"root@{self.address}"
        return self.namespace.argv(*_SSH, *shared, *options, target, *([command] if command else []))


@dataclass(frozen=True)
class Neighbour(Machine):
    """Commands beside the machine, in its network; of /etc, /root and the like they change copies only."""

    def argv(
        self, command: Sequence[str], *, tty: bool = False, env: dict[str, str] | None = None
    ) -> list[str]:
        """Command line that runs `command` there."""
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        return self.namespace.argv(
            "env", "--chdir=/root", f"PATH={PROGRAMS}:{os.environ['PATH']}", *variables, *command
        )

    def start(self, command: Sequence[str]) -> None:
        """Start `command` in the background; it ends with the namespace."""
        self.shell(f"setsid {shlex.join(command)} >/dev/null 2>&1 </dev/null &")
