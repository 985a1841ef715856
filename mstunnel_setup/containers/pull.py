"""Image pulls: both engines answer 200 first, then report progress and failure line by line."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import plain, printable, sentence, text
from mstunnel_setup.containers.engine import ContainerEngine, Image, Progress
from mstunnel_setup.containers.errors import PullError
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.containers.run_arguments import EngineName
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http_service import Streamed

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
_PERMANENT = (
    text("manifest unknown"),
    "unauthorized",
    "denied",
    text("no space left"),
    "x509",
    text("time allowed"),
)
_PAUSES = (1.0, 4.0)
# Bytes; a line holds the progress of one layer, or the words of a registry.
_LONGEST_LINE = 1024 * 1024
_DIRECTORIES: Mapping[EngineName, str] = {"podman": "containers", "docker": "docker"}


Bytes = Annotated[int, Field(ge=0, lt=2**63)]


class _Detail(BaseModel):
    current: Bytes = 0
    total: Bytes | None = None


class _Report(BaseModel):
    """One line of the report."""

    id: str | None = None
    status: str | None = None
    progress: _Detail | None = Field(default=None, alias="progressDetail")
    error: object = None
    detail: object = Field(default=None, alias="errorDetail")


def fetched(image: Image | None, reference: str) -> Image:
    """The image after a pull. Raises EngineError `image-not-pulled` when there is none."""
    if image is None:
        raise EngineError(
            "image-not-pulled",
            "the engine reported a successful pull, but the image {image} is not on this host",
            hint="Run the command again; if it fails again, check the registry.",
            image=reference,
        )
    return image


def pull_patiently(
    engine: ContainerEngine, clock: Clock, reference: str, deadline: float, progress: Progress
) -> Image:
    """Pull within `deadline` seconds in all, with retries after transient failures. Raises as `pull`."""
    until = clock.monotonic() + deadline
    for pause in _PAUSES:
        try:
            return engine.pull(reference, until - clock.monotonic(), progress)
        except PullError as failure:
            if failure.permanent or clock.monotonic() + pause >= until:
                raise
        clock.sleep(pause)
    return engine.pull(reference, until - clock.monotonic(), progress)


class Pull:
    """One pull of `reference`, with the deadline `until` (monotonic seconds of `clock`)."""

    def __init__(
        self,
        reference: str,
        clock: Clock,
        until: float,
        progress: Progress,
        engine: EngineName = "podman",
    ) -> None:
        self._reference = reference
        self._clock = clock
        self._until = until
        self._progress = progress
        self._engine: EngineName = engine
        self._layers: dict[str, tuple[int, int]] = {}

    def follow(self, response: Streamed) -> None:
        """Read the report to the end. Raises EngineError `image-pull-failed`, also for an unreadable one."""
        if not response.ok:
            raise self._failure(response.rest().words)
        for line in self._lines(response):
            try:
                report = _Report.model_validate_json(line)
            except ValidationError as error:
                shown = plain(line.decode(errors="replace"), 80)
                raise self._failure(f"unreadable progress report: {shown}") from error
            if report.error or report.detail:
                raise self._failure(str(report.error or report.detail))
            self._count(report)

    def _lines(self, response: Streamed) -> Iterator[bytes]:
        """The lines that are not empty, each read within the time that is left."""
        rest = b""
        while len(rest) <= _LONGEST_LINE:
            chunk = response.read(self._left())
            *lines, rest = (rest + chunk).split(b"\n") if chunk else (rest, b"")
            yield from filter(bytes.strip, lines)
            if not chunk:
                return
        raise self._failure("unreadable progress report: one line is longer than 1 MiB")

    def _left(self) -> float:
        """The seconds that are left for all of it."""
        left = self._until - self._clock.monotonic()
        if left <= 0:
            raise self._failure("timeout: the time allowed for it is over")
        return left

    def _failure(self, reason: str) -> PullError:
        return pull_failure(self._reference, reason, self._engine)

    def _count(self, report: _Report) -> None:
        layer, detail = report.id or "", report.progress
        # Docker counts a second time while it extracts.
        if detail is not None and detail.total is not None and report.status != "Extracting":
            self._layers[layer] = (detail.current, detail.total)
        elif report.status == "Download complete" and layer in self._layers:
            total = self._layers[layer][1]
            self._layers[layer] = (total, total)
        else:
            return
        done, known = (sum(numbers) for numbers in zip(*self._layers.values(), strict=True))
        self._progress(done, known)


def pull_failure(reference: str, reason: str, engine: EngineName = "podman") -> PullError:
    """The error for a pull that failed for `reason` (the engine's error text)."""
    lowered = reason.lower()
    hint = next((hint for word, hint in _ADVICE.items() if word in lowered), text("Run the command again."))
    advice = sentence(hint, {"engine": engine, "directory": _DIRECTORIES[engine]})
    own = release_images()
    if own is not None and reference.endswith((own.gateway, own.agent)):
        advice += f" Or copy {own.archive} to {paths.IMAGE_ARCHIVES}, then run the command again."
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
