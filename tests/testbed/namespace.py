"""Network, mounts, processes and Podman storage of one testbed, apart from the machine's own."""

import shutil
import subprocess
import time
from pathlib import Path

from tests.testbed.paths import IN_TESTBED, STORE
from tests.testbed.process import Completed, TestbedError, run


class Namespace:
    """Namespaces held open by one process; everything started inside ends with it.

    They end with this program, even if it is killed; with `keep` they stay until the process `pid` is ended.
    `store` is a directory of images that may be used inside without being copied. What lies in a `lasting`
    state is there before and stays; its processes have the network of the machine.
    """

    def __init__(
        self, state: Path, *, keep: bool = False, store: Path | None = STORE, lasting: bool = False
    ) -> None:
        self.state = state
        self.keep = keep
        self.lasting = lasting
        if not lasting:
            shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True, exist_ok=True)
        (state / "pid").unlink(missing_ok=True)
        self._process = self._start(store)
        self.pid = self._wait_for_pid()

    def _start(self, store: Path | None) -> subprocess.Popen[bytes]:
        # `cat` ends when our end of the pipe is closed, by us or by the kernel.
        holder = ["sleep", "infinity"] if self.keep else ["cat"]
        shared = ["--store", str(store)] if store else []
        shared += ["--network", "host"] if self.lasting else []
        with (self.state / "in-testbed.log").open("w") as log:
            return subprocess.Popen(
                [IN_TESTBED, "--state", self.state, *shared, "--", *holder],
                stdin=subprocess.DEVNULL if self.keep else subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_for_pid(self) -> int:
        deadline = time.monotonic() + 20
        path = self.state / "pid"
        while time.monotonic() < deadline and self._process.poll() is None:
            if path.exists() and path.read_text().strip():
                return int(path.read_text())
            time.sleep(0.02)
        said = (self.state / "in-testbed.log").read_text()
        self.close()
        raise TestbedError(f"in-testbed did not start:\n{said}")

    def argv(self, *command: str) -> list[str]:
        """Command line that runs `command` inside, from anywhere on the machine."""
        return [str(IN_TESTBED), "--enter", str(self.pid), "--", *command]

    def run(
        self, *command: str, stdin: str | bytes = "", timeout: float = 60, check: bool = True
    ) -> Completed:
        """Run `command` inside; errors as `process.run`."""
        return run(self.argv(*command), stdin=stdin, timeout=timeout, check=check)

    def podman(self, *arguments: str, timeout: float = 60, check: bool = True) -> Completed:
        """Run the outer Podman."""
        return self.run("podman", *arguments, timeout=timeout, check=check)

    def close(self) -> None:
        """End everything inside and remove what it stored, unless that is to last."""
        if self._process.stdin:
            self._process.stdin.close()
        else:
            self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=5)
        if not self.lasting:
            shutil.rmtree(self.state)
