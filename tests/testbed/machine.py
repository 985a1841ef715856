"""One container of a testbed, used like a machine."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.namespace import Namespace
from tests.testbed.process import Completed, run

TREES = (
    "/etc",
    "/home",
    "/opt",
    "/root",
    "/usr/local",
    "/usr/lib/systemd/catalog",
    "/usr/sbin",
    "/var/lib/mstunnel",
    "/var/log/mstunnel",
)
# What a running system changes automatically.
UNSTABLE = (
    "/etc/mtab",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/machine-id",
    "/etc/.updated",
    # What useradd(8) and its kin leave of the files before their last change.
    *(f"/etc/{name}-" for name in ("group", "gshadow", "passwd", "shadow", "subgid", "subuid")),
)


@dataclass(frozen=True)
class Entry:
    """What a path is: `kind` is file, directory, link or other; `content` a SHA-256 or the link's target."""

    kind: str
    mode: int
    owner: int
    group: int
    content: str
    modified: int


@dataclass(frozen=True)
class Machine:
    """A running container called `name`."""

    namespace: Namespace
    name: str

    def argv(
        self, command: Sequence[str], *, tty: bool = False, env: dict[str, str] | None = None
    ) -> list[str]:
        """Command line that runs `command` on this machine; with `tty` for a program that asks a person."""
        variables = [f"--env={key}={value}" for key, value in (env or {}).items()]
        options = ["--interactive", *(["--tty"] if tty else []), *variables]
        return self.namespace.argv("podman", "exec", *options, self.name, *command)

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | bytes = "",
        timeout: float = 60,
        check: bool = True,
        env: dict[str, str] | None = None,
    ) -> Completed:
        """Run `command` as root on this machine; errors as `process.run`."""
        return run(self.argv(command, env=env), stdin=stdin, timeout=timeout, check=check)

    def shell(self, script: str, *, timeout: float = 60, check: bool = True) -> Completed:
        """Run a shell script given as text."""
        return self.run(["sh", "-c", script], timeout=timeout, check=check)

    def start(self, command: Sequence[str]) -> None:
        """Start `command` in the background; it ends with the machine."""
        self.namespace.podman("exec", "--detach", self.name, *command)

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Create or replace a file, and the directories above it."""
        quoted = shlex.quote(path)
        script = (
            f'mkdir -p "$(dirname {quoted})" && rm -f {quoted} && cat >{quoted} && chmod {mode:o} {quoted}'
        )
        self.run(["sh", "-c", script], stdin=content)

    def copy(self, files: Sequence[Path], directory: str) -> None:
        """Copy files of the machine below into a directory, as `scp` does."""
        for path in files:
            self.namespace.podman("cp", str(path), f"{self.name}:{directory}/{path.name}")

    def read(self, path: str) -> str:
        """Content of a text file."""
        return self.run(["cat", path]).stdout

    def logs(self) -> str:
        """What the container's first process wrote."""
        result = self.namespace.podman("logs", self.name, check=False)
        return result.stdout + result.stderr

    def snapshot(self, trees: Sequence[str] = TREES) -> dict[str, Entry]:
        """Every path below `trees`, except those that a running system changes."""
        script = (Path(__file__).with_name("walk.py")).read_text()
        output = self.run(["python3", "-", *trees], stdin=script, timeout=120).stdout
        return {path: Entry(*fields) for path, fields in json.loads(output).items() if path not in UNSTABLE}
