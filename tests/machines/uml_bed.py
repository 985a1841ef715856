"""A testbed whose server is a machine in user mode; its states are disks, from which it boots."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.machines.bed import READY, MachineBed, replace
from tests.machines.image import Disk
from tests.machines.kernel import Kernel
from tests.machines.uml import ADDRESS, NETWORK, Uml
from tests.testbed.images import ImageSet
from tests.testbed.process import TestbedError, run
from tests.testbed.release import Release

# Whatever was written is on the disk, and nothing is written meanwhile.
_FREEZE = "sync && fsfreeze --freeze / && echo && read -r _; fsfreeze --unfreeze /"


class UmlBed(MachineBed):
    """A kernel with options of our own, on one processor of the computer; `program` is what boots next."""

    runs = "user mode"
    address = ADDRESS

    def __init__(
        self, disk: Disk, kernel: Kernel, release: Release, built: ImageSet, line: Sequence[str]
    ) -> None:
        super().__init__(disk, release, built)
        self._line = line
        self.kernel = kernel
        self.program = kernel.program
        self._changes = self.state / "disk.cow"

    def save(self, name: str) -> None:
        """Keep its disk."""
        command = self.server.argv(["sh", "-c", _FREEZE])
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as guest:
            assert guest.stdout is not None
            if not guest.stdout.readline():
                raise TestbedError("the file system of the machine does not stand still")
            _copy(self._changes, self._kept(name))
            guest.communicate("\n", timeout=60)

    def reset(self, name: str = READY) -> None:
        """Boot from a disk."""
        self.cut()
        _copy(self._kept(name), self._changes)
        self.switch_on()
        self.wait_until_up(self.server)

    def _prepare(self) -> None:
        self.namespace.run("sh", "-ec", NETWORK)
        kept = self.disk.path.with_name(f"{self.disk.path.stem}-{self.release.program.parent.name}.cow")
        if not kept.exists():
            self.switch_on()
            self._settle()
            self.switch_off()
            replace(kept, self._changes, f"{self.disk.path.stem}-*.cow")
        _copy(kept, self._kept(READY))

    def _power_on(self) -> Uml:
        disks = {"base": self.disk.path, "changes": self._changes, "more": self._media}
        return Uml(self.namespace, self.state, self.program, **disks, line=self._line)

    def _write_raw_disk(self, path: Path) -> None:
        # The program wants the time that the changes were made for.
        _copy(self.disk.path, path, "--preserve=timestamps")
        run(["uml_moo", "-d", "-b", str(path), str(self._changes)], timeout=300)

    def _kept(self, name: str) -> Path:
        return self.state / f"{name}.cow"


def _copy(disk: Path, path: Path, *options: str) -> None:
    """Copy a disk without what it has no content for."""
    run(["cp", "--sparse=always", *options, str(disk), str(path)], timeout=300)
