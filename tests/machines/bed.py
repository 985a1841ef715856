"""A testbed whose server is a whole machine; lab and client run beside it, in the same network namespace."""

import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from tests.machines.computer import Computer
from tests.machines.guest import LAB_MODULE, PROGRAMS, Guest, Neighbour
from tests.machines.image import Disk
from tests.testbed import cache
from tests.testbed.images import ImageSet
from tests.testbed.paths import ROOT
from tests.testbed.process import TestbedError, progress, run
from tests.testbed.release import Release
from tests.testbed.testbed import DOMAIN, Testbed

MEDIA = "/media"
READY = "ready"
BOOT_SECONDS = 400.0
# Copies that commands beside the machine may change; the real directories stay as they are.
_COPIED = ("/etc", "/root", "/opt", "/var/lib")
_VERSIONS = """
uname -r
{engine} --version | grep --only-matching '[0-9][0-9.]*' | head -n 1
test -d /run/systemd/system && systemctl --version | head -n 1 | cut -d ' ' -f 1,2 || echo 'System V init'
test -f /sys/fs/cgroup/cgroup.controllers && echo v2 || echo v1
"""
_HOSTS = f"127.0.0.1 localhost lab.{DOMAIN}\n{{}} vpn.{DOMAIN}\n10.99.0.80 intranet.{DOMAIN}\n"
_LAB = f"""#!/bin/sh
cd {ROOT} && exec {sys.executable} -c 'from {LAB_MODULE} import main; main()' "$@"
"""
_PYTHON = f"""#!/bin/sh
PYTHONPATH={ROOT} exec {sys.executable} "$@"
"""


class MachineBed(Testbed, ABC):
    """Nothing runs in the machine until `boot` or `reset`.

    `release` is what it finds at `/media`, as on a medium that an administrator brings.
    """

    runs: ClassVar[str]
    """What the processor of the machine is."""

    address: ClassVar[str]
    """Where the machine is reached from beside it."""

    ssh_port: ClassVar[int] = 22

    def __init__(self, disk: Disk, release: Release, built: ImageSet) -> None:
        super().__init__(kind=disk.suite.kind, built=built)
        self.disk = disk
        self.release = release
        self.server: Guest = Guest(self.namespace, "machine", disk.key, self.address, self.ssh_port)
        self.client = self.lab = self.intranet = Neighbour(self.namespace, "beside")
        self.computer: Computer | None = None
        self.versions: dict[str, str] = {}

    @abstractmethod
    def save(self, name: str) -> None:
        """Keep the running machine as it is for `reset`; it goes on running."""

    @abstractmethod
    def reset(self, name: str = READY) -> None:
        """Go on with a machine as it was kept; `ready` is one that has booted and has no gateway."""

    @abstractmethod
    def _prepare(self) -> None:
        """Have the state `ready`, from an earlier testbed when there was one."""

    @abstractmethod
    def _power_on(self) -> Computer:
        """Boot from what is on the disk."""

    @abstractmethod
    def _write_raw_disk(self, path: Path) -> None:
        """Write the disk as the machine left it."""

    def boot(self) -> None:
        """Prepare the places beside the machine, then go on from the state of one that is ready."""
        self._copy_places()
        self._media = self._medium()
        self._prepare()
        self.reset()
        engine = self.kind.engine
        seen = self.server.shell(_VERSIONS.format(engine=engine)).stdout
        kernel, version, init, groups = seen.splitlines()
        name = f"{engine.capitalize()} {version}"
        self.versions = {"kernel": kernel, "engine": name, "init": init, "groups": groups}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut the power first: a machine takes minutes to shut down."""
        self.cut()
        super().__exit__(kind, error, trace)

    def switch_on(self) -> float:
        """Boot it from what is on its disk; returns the seconds until it answers over ssh."""
        self.computer = self._power_on()
        try:
            return self.server.wait_for_ssh(BOOT_SECONDS)
        except TestbedError as error:
            raise TestbedError(f"{error}\n{self.computer.last_words()}") from error

    def cut(self, seconds: float = 0) -> None:
        """Cut the power, if it has any, in so many seconds."""
        time.sleep(seconds)
        if self.computer and self.computer.running:
            self.computer.cut()
            self.server.hang_up()
        self.computer = None

    def switch_off(self) -> None:
        """Have it shut down. Raises TestbedError when it has not after five minutes."""
        assert self.computer is not None, "the machine has no power"
        self.server.run(["poweroff"], check=False)
        self.computer.wait_for_end()
        self.server.hang_up()
        self.computer = None

    def restart_server(self) -> None:
        """Reboot, and wait until it answers."""
        self.switch_off()
        self.switch_on()

    def check_file_system(self) -> list[str]:
        """What the checker of its file system finds on the disk of a machine without power."""
        raw = self.state / "check.img"
        self._write_raw_disk(raw)
        command = ["xfs_repair", "-n", "-f"] if self.disk.file_system == "xfs" else ["e2fsck", "-f", "-n"]
        found = run([*command, str(raw)], timeout=300, check=False)
        raw.unlink()
        return [] if found.code == 0 else [found.describe()]

    def _settle(self) -> None:
        """Have a machine that has booted do what an administrator does first: copy the program.

        The engine makes its own directories, so that they are there before any comparison.
        """
        begin = time.monotonic()
        self.wait_until_up(self.server)
        engine = self.kind.engine
        self.server.shell(f"cp {MEDIA}/mstunnel-setup /root/ && {engine} info >/dev/null && sync")
        seconds = f"{time.monotonic() - begin:.0f} s"
        progress(f"machine {self.disk.suite.name}, {self.disk.file_system}: settled in {seconds}")

    def _copy_places(self) -> None:
        """Where commands beside the machine write: copies in memory, below /run of the namespace."""
        for place in _COPIED:
            work = f"/run/copies{place}"
            layers = f"lowerdir={place},upperdir={work}/upper,workdir={work}/work"
            self.namespace.run("mkdir", "-p", f"{work}/upper", f"{work}/work")
            self.namespace.run("mount", "-t", "overlay", "-o", layers, "overlay", place)
        self.client.write("/etc/hosts", _HOSTS.format(self.address))
        self.client.write(f"{PROGRAMS}/mstunnel-lab", _LAB, 0o755)
        self.client.write(f"{PROGRAMS}/python", _PYTHON, 0o755)

    def _medium(self) -> Path:
        """A disk with program and images of the release."""
        path = self.disk.path.with_name(f"{self.release.program.parent.name}.media")
        # Another worker may need the same.
        with cache.writing():
            if not path.exists():
                folder = self.state / "media"
                folder.mkdir()
                for file in (self.release.program, self.release.archive):
                    (folder / file.name).hardlink_to(file)
                partial = path.with_suffix(".partial")
                with partial.open("wb") as disk:
                    disk.truncate(2**30)
                run(["mkfs.ext4", "-q", "-F", "-L", "media", "-d", str(folder), str(partial)], timeout=120)
                replace(path, partial, "*.media")
        return path


def replace(path: Path, made: Path, pattern: str) -> None:
    """Put what was made in the place of what earlier releases left."""
    for old in path.parent.glob(pattern):
        if old != path:
            old.unlink(missing_ok=True)
    made.rename(path)
