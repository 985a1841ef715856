"""The interface of a container engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from mstunnel_setup.base.parsing import moment, whole_number
from mstunnel_setup.containers.spec import MANAGED_LABEL, ContainerSpec, Volume

Health: TypeAlias = Literal["starting", "healthy", "unhealthy"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes fetched so far and the total so far (it grows as layers are found)."""


@dataclass(frozen=True)
class Image:
    """An image on this host: a name, its manifest digest (`sha256:...`), the engine's id, its build time."""

    name: str
    digest: str
    id: str
    created: datetime | None = None


@dataclass(frozen=True)
class ContainerState:
    """The state of a container: `status` is the engine's (`running`, `created`, `exited`).

    `health` is None without a health check; `image_digest` is the requested digest;
    `started_at` is None when it has never run; `process_id` of its first process is None unless it runs;
    `restarts` counts those by the engine.
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
        """Whether this program made it."""
        return self.labels.get(MANAGED_LABEL) == "1"


@dataclass(frozen=True)
class Finished:
    """A finished command in a container: exit code and output."""

    code: int
    output: str
    error: str


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """Which part of a log to show: `lines` None is all of it, `since` is a time as the engine reads it."""

    follow: bool = False
    lines: int | None = None
    since: str | None = None
    timestamps: bool = False


class ContainerEngine(Protocol):
    """A container engine. Every method raises EngineError `engine-failed`, or the codes it names."""

    def version(self) -> str:
        """The version of the engine."""
        ...

    def image(self, reference: str) -> Image | None:
        """The image `name@sha256:...` on this host; None when it is missing or damaged."""
        ...

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        """Fetch an image by digest within `deadline` seconds in all; it is on the disk when this returns.

        Raises `image-pull-failed`, or `image-not-pulled` when the image is missing afterwards.
        """
        ...

    def load(self, archive: str, reference: str, progress: Progress) -> Image:
        """Load the image `reference` from an archive file (OCI format); it is named `digest_tag(reference)`.

        It is on the disk when this returns. Raises EngineError `image-archive-unusable`,
        `image-archive-damaged`, `image-digest-mismatch` or `image-load-failed`.
        """
        ...

    def remove_image(self, reference: str) -> bool:
        """Remove a name of an image, and the image with its last name. False when a container uses it."""
        ...

    def repair_images(self) -> None:
        """Remove what a power failure left while images were brought: damaged ones, and layers of none.

        What a container uses stays.
        """
        ...

    def create(self, spec: ContainerSpec) -> None:
        """Create a container that the engine restarts when it ends. Raises `image-missing`."""
        ...

    def start(self, name: str) -> None:
        """Start a container."""
        ...

    def stop(self, name: str) -> None:
        """Stop a container within its stop timeout."""
        ...

    def restart(self, name: str) -> None:
        """Restart a container."""
        ...

    def remove(self, name: str) -> None:
        """Stop and remove a container; nothing happens when there is none."""
        ...

    def inspect(self, name: str) -> ContainerState | None:
        """The state of a container; None when there is none."""
        ...

    def probe(self, name: str) -> bool:
        """Run the health check of a running container now: without systemd the engine does not."""
        ...

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Finished:
        """Run a program in a running container. Raises `container-timeout` after `timeout` seconds."""
        ...

    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Finished:
        """Run a program of an image in a container without network that is removed afterwards.

        `arguments` replaces entry point and command. Raises `container-timeout` after `timeout` seconds.
        """
        ...

    def execute_command(self, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        """The command that runs a program in a container with the caller's own standard streams."""
        ...

    def logs_command(self, name: str, options: LogOptions) -> tuple[str, ...]:
        """The command that shows the log of a container."""
        ...


def engine_time(text: str) -> datetime | None:
    """A time in the answer of an engine; both write the year 1 for `never`."""
    return None if text.startswith("0001-") else moment(text)


def state_of(inspected: Mapping[str, Any], image_digest: str) -> ContainerState:
    """The state in the answer of an engine's `inspect`; where the digest is, engines differ."""
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


def no_progress(_fetched: int, _known: int) -> None:
    """A progress listener that does nothing."""
