"""The interface of a container engine, and the common part of Podman and Docker."""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, Field, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import Declared, EngineError, declare
from mstunnel_setup.base.parsing import json_value, moment, whole_number
from mstunnel_setup.base.text import joined, plain, printable, sentence, text
from mstunnel_setup.containers.container_spec import (
    MANAGED_LABEL,
    ContainerSpec,
    Progress,
    Volume,
    digest_tag,
    split_reference,
)
from mstunnel_setup.containers.engine_options import EngineName, mount_words
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.io.threads import DaemonPool, LateError, result_within

if TYPE_CHECKING:
    from mstunnel_setup.containers import archive as archives


class PullError(EngineError):
    """An image could not be pulled; `permanent` if another attempt would fail too."""

    permanent = False


ENGINE_FAILED = declare(
    EngineError, "engine-failed", "cannot {operation}: {reason}", "Fix the cause, then run the command again."
)
ENGINE_MISSING = declare(
    EngineError,
    "engine-missing",
    "not installed: {engine}",
    "Install Podman from the packages of the distribution, or Docker CE.",
)
ENGINE_NOT_RUNNING = declare(
    EngineError,
    "engine-not-running",
    "{engine} does not answer at {address}",
    "Start it (`systemctl start {unit}`), or correct {variable}.",
)
IMAGE_LOAD_FAILED = declare(
    EngineError,
    "image-load-failed",
    "cannot load {archive}: {reason}",
    "Fix the cause, then run the command again.",
)
IMAGE_REMOVE_FAILED = declare(
    EngineError,
    "image-remove-failed",
    "cannot remove the image {image}: {reason}",
    "Fix the cause, then run the command again.",
)

LOAD_SECONDS = 3600
"""The time limit in seconds for loading an archive, after it was sent."""

# podman-run(1), `docker run`: the engine itself failed.
_ENGINE_FAILED = 125

_ADVICE = {
    "manifest unknown": text("Check name and digest of the image."),
    "unauthorized": text("Sign in to the registry with `{engine} login`."),
    "denied": text("Sign in to the registry with `{engine} login`."),
    "no space left": text("Free space below /var/lib/{directory} and run the command again."),
    "x509": text("Add the authority of the registry (or of the proxy) to the trust store of the system."),
    "no such host": text("Check name resolution and the proxy settings."),
    "connection refused": text("Check the network, firewall and proxy settings."),
    "timeout": text("Check the network, firewall and proxy settings."),
}
# Reasons for which a retry is pointless.
_PERMANENT = ("manifest unknown", "unauthorized", "denied", "no space left", "x509", "time allowed")


Health: TypeAlias = Literal["starting", "healthy", "unhealthy"]


@dataclass(frozen=True)
class Image:
    """An image on this host: its name, manifest digest (`sha256:...`), engine's id and build time."""

    name: str
    digest: str
    id: str
    created: datetime | None = None


@dataclass(frozen=True)
class ContainerState:
    """The state of a container: `status` is the engine's (`running`, `created`, `exited`).

    `health` is None without a health check; `image_digest` is the requested digest; `started_at` is None if
    it has never run; `process_id` of its first process is None unless it runs; `restarts` counts those by the
    engine.
    """

    status: str
    health: Health | None
    labels: dict[str, str] = field(default_factory=dict)
    image_digest: str = ""
    started_at: datetime | None = None
    process_id: int | None = None
    restarts: int = 0

    @property
    def ours(self) -> bool:
        """True if this program created it."""
        return self.labels.get(MANAGED_LABEL) == "1"


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """The part of a log to show: `lines` None is all of it, `since` is a time in the engine's format."""

    follow: bool = False
    lines: int | None = None
    since: str | None = None
    timestamps: bool = False


class ContainerEngine(ABC):
    """A container engine. Every method raises EngineError `engine-failed`, or the codes it names.

    The library of the engine queries, pulls, loads, starts and stops. The command line (`command` is the
    program with its global options) does the rest: it creates containers, so that they get the options of a
    unit file; it runs programs, because no library limits their time; it shows logs on our own streams.
    """

    name: ClassVar[EngineName]
    failures: ClassVar[tuple[type[Exception], ...]]
    """The library's exceptions."""

    def __init__(self, processes: Processes, clock: Clock, command: tuple[str, ...]) -> None:
        self._processes = processes
        self._clock = clock
        self._command = command

    @abstractmethod
    def version(self) -> str:
        """Return the version of the engine."""

    @abstractmethod
    def image(self, reference: str) -> Image | None:
        """Return the image `name@sha256:...` on this host; None if it is missing or damaged."""

    @abstractmethod
    def remove_image(self, reference: str) -> bool:
        """Remove a name of an image, and with its last name the image. False if a container uses it."""

    @abstractmethod
    def repair_images(self) -> None:
        """Remove damaged images and orphaned layers that a power failure left during a pull or load.

        Images in use are kept.
        """

    @abstractmethod
    def create(self, spec: ContainerSpec) -> None:
        """Create a container that the engine restarts when it ends. Raises `image-missing`."""

    @abstractmethod
    def start(self, name: str) -> None:
        """Start a container."""

    @abstractmethod
    def stop(self, name: str) -> None:
        """Stop a container within its stop timeout."""

    @abstractmethod
    def restart(self, name: str) -> None:
        """Restart a container."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Stop and remove a container, if there is one."""

    @abstractmethod
    def inspect(self, name: str) -> ContainerState | None:
        """Return the state of a container; None if there is none."""

    @abstractmethod
    def probe(self, name: str) -> bool:
        """Run the health check of a running container now: without systemd the engine does not."""

    @abstractmethod
    def _image_to_run(self, image: str, timeout: float) -> tuple[str, Sequence[str]]:
        """Return the name of the image in this engine, and options to run it once. Raises `image-missing`."""

    @abstractmethod
    def _pull_reports(self, reference: str, seconds: float) -> Iterable[object]:
        """Begin to pull an image and yield the reports about its progress."""

    @abstractmethod
    def _send(self, content: Iterator[bytes]) -> str:
        """Have an archive loaded and return the engine's report."""

    @abstractmethod
    def _loaded(self, image: "archives.LoadableImage", name: str) -> Image | None:
        """Return the image called `name`, if it is the one in the archive."""

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        """Pull an image by digest within `deadline` seconds in all; it is on disk when this returns.

        Raises `image-pull-failed`, or `image-not-pulled` if the image is missing afterwards.
        """
        split_reference(reference)
        until = self._clock.monotonic() + deadline
        late = pull_failure(reference, "timeout: the time allowed for it is over", self.name)

        def follow() -> None:
            reports = PullProgress(progress)
            for report in self._pull_reports(reference, deadline):
                if self._clock.monotonic() >= until:
                    raise late
                if reason := reports.add(report):
                    raise pull_failure(reference, reason, self.name)

        try:
            # The libraries limit the time between two reports, but not the total. A thread that can be
            # abandoned does.
            with DaemonPool(1) as pool:
                result_within(pool.submit(follow), deadline)
        except LateError as error:
            raise late from error
        except self.failures as error:
            if self._clock.monotonic() >= until:
                raise late from error
            raise pull_failure(reference, self._reason(error), self.name) from error
        # Engines leave content to the kernel, which writes it half a minute later.
        os.sync()
        image = self.image(reference)
        if image is None:
            raise EngineError(
                "image-not-pulled",
                "the engine reported a successful pull, but the image {image} is not on this host",
                hint="Run the command again; if it fails again, check the registry.",
                image=reference,
            )
        return image

    def load(self, archive: str, reference: str, progress: Progress) -> Image:
        """Load the image `reference` from an OCI archive file; it is named `digest_tag(reference)`.

        It is on disk when this returns. Raises EngineError `image-archive-unusable`, `image-archive-damaged`,
        `image-digest-mismatch` or `image-load-failed`.
        """
        from mstunnel_setup.containers import archive as archives  # noqa: PLC0415 (most commands load none)

        name = digest_tag(reference)
        image = archives.loadable(archive, split_reference(reference)[1])
        size = Path(archive).stat().st_size

        def counted() -> Iterator[bytes]:
            sent = 0
            for piece in archives.packed(archive, image, name, self.name):
                yield piece
                # The headers of the members are counted too.
                sent = min(size, sent + len(piece))
                progress(sent, size)

        with self._explained(IMAGE_LOAD_FAILED, archive=archive):
            report = self._send(counted())
        # Parts of the archive that the engine does not need are not sent.
        progress(size, size)
        os.sync()
        found = self._loaded(image, name)
        if found is None:
            # An image with this name counts as verified.
            self.remove_image(name)
            raise IMAGE_LOAD_FAILED(archive=archive, reason=printable(report).strip())
        return found

    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Completed:
        """Run a program of an image in a container without network that is removed afterwards.

        `arguments` replaces entry point and command. Raises `container-timeout` after `timeout` seconds.
        """
        local_image, options = self._image_to_run(image, timeout)
        name = f"mstunnel-once-{os.getpid()}-{secrets.token_hex(4)}"
        command = (
            *("run", "--rm", "--network=none", f"--name={name}", f"--label={MANAGED_LABEL}=1", *options),
            *("--stop-timeout=0", f"--entrypoint={arguments[0]}"),
            *(f"--volume={mount_words(volume, 'podman')}" for volume in volumes),
            *(local_image, *arguments[1:]),
        )
        try:
            return self._finish(command, timeout)
        except EngineError:
            self.remove(name)
            raise

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        """Run a program in a running container.

        Raises `container-timeout` after `timeout` seconds; the program continues to run there.
        """
        return self._finish(("exec", name, *arguments), timeout)

    def execute_command(self, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return the command that runs a program in a container with the caller's own standard streams."""
        return (*self._command, "exec", "--interactive", name, *arguments)

    def logs_command(self, name: str, options: LogOptions) -> tuple[str, ...]:
        """Return the command that shows the log of a container."""
        flags = {
            "--follow": options.follow,
            f"--tail={options.lines}": options.lines is not None,
            f"--since={options.since}": options.since is not None,
            "--timestamps": options.timestamps,
        }
        return (*self._command, "logs", *(flag for flag, given in flags.items() if given), name)

    def _finish(self, arguments: Sequence[str], timeout: float) -> Completed:
        """Run a program in a container; any exit code is accepted."""
        done = self._run(arguments, timeout, accept_failure=True)
        if done.code == _ENGINE_FAILED:
            raise ENGINE_FAILED(
                operation=text("run {command}", command=self._command[0]),
                reason=printable(done.error).strip(),
            )
        return done

    def _run(self, arguments: Sequence[str], timeout: float, *, accept_failure: bool = False) -> Completed:
        """Run a command of the engine. Raises EngineError `engine-failed` or `container-timeout`."""
        try:
            command = (*self._command, *arguments)
            return self._processes.run(command, timeout=timeout, check=not accept_failure)
        except ProcessError as error:
            if error.code == "program-timeout":
                raise EngineError(
                    "container-timeout",
                    "the container engine takes too long: {reason}",
                    hint="Find out what it waits for, then run the command again.",
                    reason=printable(error.message),
                ) from error
            if error.code == "program-missing":
                raise ENGINE_MISSING(engine=self._command[0]) from error
            raise ENGINE_FAILED(
                operation=text("run {command}", command=self._command[0]), reason=printable(error.message)
            ) from error

    @contextmanager
    def _explained(self, declared: Declared[EngineError], **values: object) -> Iterator[None]:
        """Raise `declared`, with the reason, for a failed call to the engine."""
        try:
            yield
        except self.failures as error:
            raise declared(reason=printable(self._reason(error)).strip(), **values) from error

    def _reason(self, error: BaseException) -> str:
        """Return the engine's message in an error of its library, or else the system's."""
        if getattr(error, "response", None) is None:
            while isinstance(inner := error.__cause__ or error.__context__, self.failures):
                error = inner
            if isinstance(error, TimeoutError):
                return "timeout: no answer in time"
            return getattr(error, "strerror", None) or str(error)
        said = str(getattr(error, "explanation", None) or error)
        try:
            # podman-py does not parse the JSON of a response without a `cause`.
            answer: Any = json_value(said)
            return str(answer["message"])
        except (ValueError, KeyError, TypeError):
            return said


def engine_time(text: str) -> datetime | None:
    """Return a time in an engine's response; both engines write the year 1 for `never`."""
    return None if text.startswith("0001-") else moment(text)


def state_of(inspected: Mapping[str, Any], image_digest: str) -> ContainerState:
    """Return the state in an engine's `inspect` response; engines place the digest differently."""
    state = inspected["State"]
    return ContainerState(
        status=str(state["Status"]),
        health=(state.get("Health") or {}).get("Status") or None,
        labels=dict(inspected["Config"].get("Labels") or {}),
        image_digest=image_digest,
        started_at=engine_time(str(state.get("StartedAt", ""))),
        process_id=whole_number(str(state.get("Pid"))) or None,
        restarts=whole_number(str(inspected.get("RestartCount"))) or 0,
    )


Bytes = Annotated[int, Field(ge=0, lt=2**63)]


class _Detail(BaseModel, defer_build=True):
    current: Bytes = 0
    total: Bytes | None = None


class _Report(BaseModel, defer_build=True):
    """One progress report of an engine."""

    id: str | None = None
    status: str | None = None
    progress: _Detail | None = Field(default=None, alias="progressDetail")
    error: object = None
    detail: object = Field(default=None, alias="errorDetail")
    message: object = None


class PullProgress:
    """Adds up the reports of one pull for a progress listener."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._layers: dict[str, tuple[int, int]] = {}

    def add(self, report: object) -> str:
        """Process one report; return why the pull failed if the report has an error or is unreadable."""
        try:
            read = _Report.model_validate(report)
        except ValidationError:
            return f"unreadable progress report: {plain(str(report), 80)}"
        if read.error or read.detail or read.message:
            return str(read.error or read.detail or read.message)
        layer, detail = read.id or "", read.progress
        # Docker counts a second time while it extracts.
        if detail is not None and detail.total is not None and read.status != "Extracting":
            self._layers[layer] = (detail.current, detail.total)
        elif read.status == "Download complete" and layer in self._layers:
            total = self._layers[layer][1]
            self._layers[layer] = (total, total)
        else:
            return ""
        done, known = (sum(numbers) for numbers in zip(*self._layers.values(), strict=True))
        self._progress(done, known)
        return ""


def pull_failure(reference: str, reason: str, engine: EngineName = "podman") -> PullError:
    """Return the error for a pull that failed for `reason` (the engine's error text)."""
    lowered = reason.lower()
    hint = next((hint for word, hint in _ADVICE.items() if word in lowered), text("Run the command again."))
    advice = sentence(hint, {"engine": engine, "directory": "containers" if engine == "podman" else "docker"})
    own = release_images()
    if own is not None and reference.endswith((own.gateway, own.agent)):
        copy = text(
            "Or copy {archive} to {place}, then run the command again.",
            archive=own.archive,
            place=paths.IMAGE_ARCHIVES,
        )
        advice = joined((advice, copy))
    failure = PullError(
        "image-pull-failed",
        "cannot pull {image}: {reason}",
        hint="{advice}",
        image=reference,
        reason=printable(reason).strip(),
        advice=advice,
    )
    failure.permanent = any(word in lowered for word in _PERMANENT)
    return failure
