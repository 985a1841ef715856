"""A testbed whose server is an emulated machine; its states are those of a machine that runs."""

import shutil
import time
from pathlib import Path

from tests.machines.bed import READY, MachineBed, replace
from tests.machines.image import Disk
from tests.machines.qemu import SSH_PORT, Qemu
from tests.testbed.images import ImageSet
from tests.testbed.process import run
from tests.testbed.release import Release


class QemuBed(MachineBed):
    """Any distribution's own kernel, on two emulated processors."""

    runs = "QEMU"
    address = "127.0.0.1"
    ssh_port = SSH_PORT

    def __init__(self, disk: Disk, release: Release, built: ImageSet) -> None:
        super().__init__(disk, release, built)
        # It has what the raw disk has, and keeps its own changes.
        self._overlay = self.state / "disk.qcow2"

    def save(self, name: str) -> None:
        """Keep disk, memory and processor, on its own disk."""
        # The kernel line has freed pages cleared, and empty ones take no place.
        self.server.shell("echo 3 >/proc/sys/vm/drop_caches")
        assert isinstance(self.computer, Qemu)
        self.computer.monitor(f"savevm {name}")

    def reset(self, name: str = READY) -> None:
        """Go on where it was."""
        self.cut()
        self.computer = self._power_on(name)
        self.server.wait_for_ssh(120)
        # Its clock stood still in the saved state.
        self.server.run(["date", "--set", f"@{time.time():.0f}"])

    def _prepare(self) -> None:
        name = f"{self.disk.file_system}-{self.release.program.parent.name}.qcow2"
        kept = self.disk.path.with_name(name)
        if not kept.exists():
            base = ("-b", str(self.disk.path), "-F", "raw")
            run(["qemu-img", "create", "-q", "-f", "qcow2", *base, str(self._overlay)])
            self.switch_on()
            self._settle()
            self.save(READY)
            self.cut()
            replace(kept, self._overlay, f"{self.disk.file_system}-*.qcow2")
        shutil.copyfile(kept, self._overlay)

    def _power_on(self, saved: str = "") -> Qemu:
        disks = {"disk": self._overlay, "more": self._media}
        return Qemu(self.namespace, self.state, self.disk, **disks, saved=saved)

    def _write_raw_disk(self, path: Path) -> None:
        run(["qemu-img", "convert", "-O", "raw", str(self._overlay), str(path)], timeout=300)
