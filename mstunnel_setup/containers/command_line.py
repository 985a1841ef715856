"""The command line of an engine, for what its library lacks; Podman and Docker take the same options."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.containers.engine import Finished
from mstunnel_setup.containers.errors import ENGINE_FAILED, ENGINE_MISSING
from mstunnel_setup.containers.run_arguments import volume_arguments
from mstunnel_setup.containers.spec import MANAGED_LABEL, Volume
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Completed, Processes

# podman-run(1), `docker run`: the engine itself failed.
_ENGINE_FAILED = 125


@dataclass(frozen=True)
class CommandLine:
    """How the command line of an engine is called: `command` is the program with its global options."""

    processes: Processes
    command: tuple[str, ...]

    def run(self, arguments: Sequence[str], timeout: float, *, accept_failure: bool = False) -> Completed:
        """Run a command of the engine. Raises EngineError `engine-failed` or `container-timeout`."""
        try:
            return self.processes.run((*self.command, *arguments), timeout=timeout, check=not accept_failure)
        except ProcessError as error:
            if error.code == "program-timeout":
                raise EngineError(
                    "container-timeout",
                    "{reason}",
                    hint="Find out what it waits for, then run the command again.",
                    reason=printable(error.message),
                ) from error
            if error.code == "program-missing":
                raise ENGINE_MISSING(engine=self.command[0]) from error
            raise ENGINE_FAILED(
                operation=text("run {command}", command=self.command[0]), reason=printable(error.message)
            ) from error

    def finish(self, arguments: Sequence[str], timeout: float) -> Finished:
        """Run a program in a container; any exit code is accepted."""
        done = self.run(arguments, timeout, accept_failure=True)
        if done.code == _ENGINE_FAILED:
            raise ENGINE_FAILED(
                operation=text("run {command}", command=self.command[0]), reason=printable(done.error).strip()
            )
        return Finished(done.code, done.output, done.error)


def once_name() -> str:
    """A name for a container that runs one command."""
    return f"mstunnel-once-{os.getpid()}-{secrets.token_hex(4)}"


def once_arguments(
    name: str, image: str, arguments: Sequence[str], volumes: Sequence[Volume], *options: str
) -> tuple[str, ...]:
    """`run` for one program of an image, without network, in a container that is removed afterwards."""
    return (
        *("run", "--rm", "--network=none", f"--name={name}", f"--label={MANAGED_LABEL}=1", *options),
        "--stop-timeout=0",
        f"--entrypoint={arguments[0]}",
        *volume_arguments(volumes),
        image,
        *arguments[1:],
    )
