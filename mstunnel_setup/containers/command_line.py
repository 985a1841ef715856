"""The command line of an engine, for what its library lacks; Podman and Docker take the same options."""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mstunnel_setup.containers.engine import Finished, LogOptions
from mstunnel_setup.containers.errors import CONTAINER_TIMEOUT, ENGINE_FAILED, ENGINE_MISSING
from mstunnel_setup.containers.run_arguments import volume_arguments
from mstunnel_setup.containers.spec import MANAGED_LABEL, Volume
from mstunnel_setup.host.errors import ProcessError
from mstunnel_setup.host.process import Completed, Processes
from mstunnel_setup.text import printable

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
                raise CONTAINER_TIMEOUT(reason=printable(error.message)) from error
            if error.code == "program-missing":
                raise ENGINE_MISSING(engine=self.command[0]) from error
            raise ENGINE_FAILED(
                operation=f"run {self.command[0]}", reason=printable(error.message)
            ) from error

    def finish(self, arguments: Sequence[str], timeout: float) -> Finished:
        """Run a program in a container; any exit code is accepted."""
        done = self.run(arguments, timeout, accept_failure=True)
        if done.code == _ENGINE_FAILED:
            raise ENGINE_FAILED(operation=f"run {self.command[0]}", reason=printable(done.error).strip())
        return Finished(done.code, done.output, done.error)


class CommandEngine(ABC):
    """What both engines have in common, most of all the part that uses the command line."""

    def __init__(self, command: CommandLine) -> None:
        self._command = command

    @abstractmethod
    def _switch(self, name: str, verb: Literal["start", "stop", "restart"]) -> None:
        """Start, stop or restart a container."""

    def start(self, name: str) -> None:
        """Start a container."""
        self._switch(name, "start")

    def stop(self, name: str) -> None:
        """Stop a container."""
        self._switch(name, "stop")

    def restart(self, name: str) -> None:
        """Stop and start a container."""
        self._switch(name, "restart")

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Finished:
        """Run a program in a running container; after a timeout it goes on running there."""
        return self._command.finish(("exec", name, *arguments), timeout)

    def execute_command(self, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        """The command that runs a program in a container with our own standard streams."""
        return (*self._command.command, "exec", "--interactive", name, *arguments)

    def logs_command(self, name: str, options: LogOptions) -> tuple[str, ...]:
        """The command that shows the log of a container."""
        flags = (
            *(["--follow"] if options.follow else []),
            *([f"--tail={options.lines}"] if options.lines is not None else []),
            *([f"--since={options.since}"] if options.since is not None else []),
            *(["--timestamps"] if options.timestamps else []),
        )
        return (*self._command.command, "logs", *flags, name)


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
