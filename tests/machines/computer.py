"""A machine with power on, as a process of this computer; how it ends."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.testbed.namespace import Namespace
from tests.testbed.process import TestbedError


class Computer:
    """A machine that `command` runs in the network of `namespace`; `directory` gets its log."""

    kill: ClassVar[Sequence[str]] = ("kill", "-KILL")
    """Ends the machine at once, given the process id of `command`."""

    def __init__(self, namespace: Namespace, directory: Path, command: Sequence[str | Path]) -> None:
        self._namespace = namespace
        self._pid = directory / "machine.pid"
        self._log = directory / "machine.log"
        self._pid.unlink(missing_ok=True)
        # The shell becomes the command, which has its process id then.
        begin = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self._pid, *command]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                namespace.argv(*map(str, begin)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def running(self) -> bool:
        """Whether it has power."""
        return self._process.poll() is None

    def cut(self) -> None:
        """Cut the power: what the machine had not written to its disk is lost."""
        self._namespace.run(*self.kill, self._pid.read_text().strip())
        self._process.wait(20)

    def wait_for_end(self) -> None:
        """Return when it has switched itself off. Raises TestbedError with the end of its console."""
        try:
            self._process.wait(300)
        except subprocess.TimeoutExpired as error:
            raise TestbedError(f"still running: {self.last_words()}") from error

    def last_words(self) -> str:
        """The end of what it and its kernel wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])
