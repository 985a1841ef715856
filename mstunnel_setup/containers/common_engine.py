"""What Podman and Docker do alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Literal

from mstunnel_setup.base.errors import Declared, EngineError
from mstunnel_setup.base.text import printable
from mstunnel_setup.containers.command_line import CommandLine
from mstunnel_setup.containers.engine import Finished, LogOptions
from mstunnel_setup.containers.errors import ENGINE_FAILED, IMAGE_REMOVE_FAILED
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http_service import HttpService
from mstunnel_setup.io.process import Processes


class CommonEngine:
    """The common part of a `ContainerEngine`.

    `service` is for queries and life cycle. The command line, called as `command`, creates containers, so
    that they get the options of a unit file, and runs programs in them (no service has a timeout there).
    """

    def __init__(
        self, service: HttpService, processes: Processes, clock: Clock, command: tuple[str, ...]
    ) -> None:
        self._service = service
        self._command = CommandLine(processes, command)
        self._clock = clock

    def remove_image(self, reference: str) -> bool:
        """Remove an image by one of its names."""
        with explained(IMAGE_REMOVE_FAILED, image=reference):
            answer = self._service.delete(f"/images/{reference}")
            answer.checked(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
            return answer.status != HTTPStatus.CONFLICT

    def start(self, name: str) -> None:
        """Start a container."""
        self._switch(name, "start")

    def stop(self, name: str) -> None:
        """Stop a container."""
        self._switch(name, "stop")

    def restart(self, name: str) -> None:
        """Stop and start a container."""
        self._switch(name, "restart")

    def _switch(self, name: str, verb: Literal["start", "stop", "restart"]) -> None:
        with explained(ENGINE_FAILED, operation=f"{verb} the container {name}"):
            self._service.post(f"/containers/{name}/{verb}").checked()

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


@contextmanager
def explained(declared: Declared[EngineError], **values: object) -> Iterator[None]:
    """Raise `declared`, with the reason, for what goes wrong between us and the service."""
    try:
        yield
    except OSError as error:
        raise declared(reason=printable(reason_of(error)).strip(), **values) from error


def reason_of(error: OSError) -> str:
    """The words of the service, or of the system."""
    return error.strerror or str(error)
