"""A testbed whose server is a whole machine; lab and client run beside it, in the same network namespace."""

import shutil
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.machines import qemu
from tests.machines.guest import PROGRAMS, Guest, Neighbour
from tests.machines.image import Disk
from tests.machines.qemu import Qemu
from tests.testbed.images import ImageSet
from tests.testbed.kinds import Kind
from tests.testbed.paths import ROOT
from tests.testbed.process import TestbedError, progress, run
from tests.testbed.release import Release
from tests.testbed.testbed import DOMAIN, Testbed

MACHINE = Kind("machine")
MEDIA = "/media"
READY = "ready"
BOOT_SECONDS = 400.0
# Copies that commands beside the machine may change; the real directories stay as they are.
_COPIED = ("/etc", "/root", "/opt", "/var/lib")
_VERSIONS = """
uname -r
podman version --format '{{.Client.Version}}'
systemctl --version | awk 'NR == 1 { print $2 }'
"""
_HOSTS = f"127.0.0.1 localhost lab.{DOMAIN} vpn.{DOMAIN}\n10.99.0.80 intranet.{DOMAIN}\n"
_LAB = f"""#!/bin/sh
cd {ROOT} && exec {sys.executable} -c 'from mstunnel_setup.cli.lab import main; main()' "$@"
"""
_PYTHON = f"""#!/bin/sh
PYTHONPATH={ROOT} exec {sys.executable} "$@"
"""


class MachineBed(Testbed):
    """Nothing runs in the machine until `boot` or `resume`; one machine at a time.

    `release` is what it finds at `/media`, as on a medium that an administrator brings.
    """

    def __init__(self, disk: Disk, release: Release, built: ImageSet) -> None:
        super().__init__(kind=MACHINE, built=built)
        self.disk = disk
        self.release = release
        self.overlay = self.state / "disk.qcow2"
        self.server: Guest = Guest(self.namespace, "machine", disk.key)
        self.client = self.lab = self.intranet = Neighbour(self.namespace, "beside")
        self.qemu: Qemu | None = None
        self.versions: dict[str, str] = {}

    def boot(self) -> None:
        """Prepare the places beside the machine, then go on from the state of one that is ready."""
        self._copy_places()
        self._media = self._medium()
        shutil.copyfile(self._ready(), self.overlay)
        self.reset()
        kernel, podman, systemd = self.server.shell(_VERSIONS).stdout.split()
        self.versions = {"kernel": kernel, "podman": podman, "systemd": systemd}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut the power first: a machine takes minutes to shut down."""
        self.cut()
        super().__exit__(kind, error, trace)

    def save(self, name: str) -> None:
        """Keep the running machine as it is, on its own disk, for `reset`; it goes on running."""
        # The kernel line has freed pages cleared, and empty ones take no place.
        self.server.shell("echo 3 >/proc/sys/vm/drop_caches")
        self._running().monitor(f"savevm {name}")

    def reset(self, name: str = READY) -> None:
        """Go on with a machine as it was kept; `ready` is one that has booted and has no gateway."""
        self.cut()
        self._power_on(name)
        self.server.wait_for_ssh(120)
        self.server.set_clock()

    def switch_on(self) -> float:
        """Boot it from what is on its disk; returns the seconds until it answers over ssh."""
        self._power_on()
        try:
            return self.server.wait_for_ssh(BOOT_SECONDS)
        except TestbedError as error:
            raise TestbedError(f"{error}\n{self._running().last_words()}") from error

    def cut(self, seconds: float = 0) -> None:
        """Cut the power, if it has any, in so many seconds."""
        time.sleep(seconds)
        if self.qemu and self.qemu.running:
            self.qemu.cut()
        self.qemu = None

    def switch_off(self) -> None:
        """Have it shut down. Raises TestbedError when it has not after five minutes."""
        self.server.run(["systemctl", "poweroff"], check=False)
        self._running().wait_for_end()
        self.qemu = None

    def restart_server(self) -> None:
        """Reboot, and wait until it answers."""
        self.switch_off()
        self.switch_on()

    def check_file_system(self) -> list[str]:
        """What the checker of its file system finds on the disk of a machine without power."""
        raw = self.state / "check.img"
        run(["qemu-img", "convert", "-O", "raw", str(self.overlay), str(raw)], timeout=300)
        command = ["xfs_repair", "-n", "-f"] if self.disk.file_system == "xfs" else ["e2fsck", "-f", "-n"]
        found = run([*command, str(raw)], timeout=300, check=False)
        raw.unlink()
        return [] if found.code == 0 else [found.describe()]

    def _running(self) -> Qemu:
        assert self.qemu is not None, "the machine has no power"
        return self.qemu

    def _power_on(self, saved: str = "") -> None:
        disks = {"disk": self.overlay, "more": self._media}
        self.qemu = Qemu(self.namespace, self.state, self.disk, **disks, saved=saved)

    def _copy_places(self) -> None:
        """Where commands beside the machine write: copies in memory, below /run of the namespace."""
        for place in _COPIED:
            work = f"/run/copies{place}"
            layers = f"lowerdir={place},upperdir={work}/upper,workdir={work}/work"
            self.namespace.run("mkdir", "-p", f"{work}/upper", f"{work}/work")
            self.namespace.run("mount", "-t", "overlay", "-o", layers, "overlay", place)
        self.client.write("/etc/hosts", _HOSTS)
        self.client.write(f"{PROGRAMS}/mstunnel-lab", _LAB, 0o755)
        self.client.write(f"{PROGRAMS}/python", _PYTHON, 0o755)

    def _medium(self) -> Path:
        """A disk with program and images of the release."""
        path = self.disk.path.with_name(f"{self.release.program.parent.name}.media")
        if not path.exists():
            folder = self.state / "media"
            folder.mkdir()
            for file in (self.release.program, self.release.archive):
                (folder / file.name).hardlink_to(file)
            partial = path.with_suffix(".partial")
            with partial.open("wb") as disk:
                disk.truncate(2**30)
            run(["mkfs.ext4", "-q", "-F", "-d", str(folder), str(partial)], timeout=120)
            _replace(path, partial, "*.media")
        return path

    def _ready(self) -> Path:
        """The disk with the saved state of a machine that has booted; made when it is not there yet."""
        path = self.disk.path.with_name(f"{self.disk.file_system}-{self.release.program.parent.name}.qcow2")
        if path.exists():
            return path
        begin = time.monotonic()
        qemu.overlay(self.disk.path, self.overlay)
        self.switch_on()
        self.server.run(["systemctl", "is-system-running", "--wait"], check=False)
        # What an administrator does first: copy the program. Podman makes its own directories.
        self.server.shell(f"cp {MEDIA}/mstunnel-setup /root/ && podman info >/dev/null && sync")
        self.save(READY)
        progress(
            f"machine {self.disk.suite}, {self.disk.file_system}: ready in {time.monotonic() - begin:.0f} s"
        )
        self.cut()
        _replace(path, self.overlay, f"{self.disk.file_system}-*.qcow2")
        return path


def _replace(path: Path, made: Path, pattern: str) -> None:
    """Put what was made in the place of what earlier releases left."""
    for old in path.parent.glob(pattern):
        old.unlink()
    made.rename(path)
