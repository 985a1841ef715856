"""Image pulls: both engines answer 200 first, then report progress and failure line by line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.containers.engine import ContainerEngine, Image, Progress
from mstunnel_setup.containers.errors import IMAGE_NOT_PULLED, IMAGE_PULL_FAILED, PullError
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.containers.run_arguments import EngineName
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.text import printable, sentence

_ADVICE = {
    "manifest unknown": "Check name and digest of the image.",
    "unauthorized": "Sign in to the registry with `{engine} login`.",
    "denied": "Sign in to the registry with `{engine} login`.",
    "no space left": "Free space below /var/lib/{folder} and run the command again.",
    "x509": "Add the authority of the registry (or of the proxy) to the trust store of the system.",
    "no such host": "Check name resolution and the proxy settings.",
    "connection refused": "Check the network, firewall and proxy settings.",
    "timeout": "Check the network, firewall and proxy settings.",
}
# Reasons for which a retry is pointless.
_PERMANENT = ("manifest unknown", "unauthorized", "denied", "no space left", "x509", "time allowed")
_PAUSES = (1.0, 4.0)
_FOLDERS: Mapping[EngineName, str] = {"podman": "containers", "docker": "docker"}


def fetched(image: Image | None, reference: str) -> Image:
    """The image after a pull. Raises EngineError `image-not-pulled` when there is none."""
    if image is None:
        raise IMAGE_NOT_PULLED(image=reference)
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

    def follow(self, response: Any) -> None:
        """Read the report to the end. Raises EngineError `image-pull-failed`."""
        if not response.ok:
            raise self._failure(response.text)
        for line in self._lines(response):
            report = json.loads(line)
            error = report.get("error") or report.get("errorDetail")
            if error:
                raise self._failure(str(error))
            self._count(report)

    def _lines(self, response: Any) -> Iterator[bytes]:
        lines = response.iter_lines()
        while True:
            self._limit(response)
            line = next(lines, None)
            if line is None:
                return
            if line:
                yield line

    def _limit(self, response: Any) -> None:
        """Limit the next read to the remaining time: requests only limits each single read."""
        left = self._until - self._clock.monotonic()
        if left <= 0:
            raise self._failure("timeout: the time allowed for it is over")
        socket = getattr(getattr(response.raw, "connection", None), "sock", None)
        if socket is not None:
            socket.settimeout(left)

    def _failure(self, reason: str) -> PullError:
        return pull_failure(self._reference, reason, self._engine)

    def _count(self, report: Mapping[str, Any]) -> None:
        layer = str(report.get("id", ""))
        detail = report.get("progressDetail") or {}
        # Docker counts a second time while it extracts.
        if "total" in detail and report.get("status") != "Extracting":
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif report.get("status") == "Download complete" and layer in self._layers:
            total = self._layers[layer][1]
            self._layers[layer] = (total, total)
        else:
            return
        done, known = (sum(numbers) for numbers in zip(*self._layers.values(), strict=True))
        self._progress(done, known)


def pull_failure(reference: str, reason: str, engine: EngineName = "podman") -> PullError:
    """The error for a pull that failed for `reason` (the engine's error text)."""
    lowered = reason.lower()
    hint = next((hint for word, hint in _ADVICE.items() if word in lowered), "Run the command again.")
    advice = sentence(hint, {"engine": engine, "folder": _FOLDERS[engine]})
    own = release_images()
    if own is not None and reference.endswith((own.gateway, own.agent)):
        advice += f" Or copy {own.archive} to {paths.IMAGE_ARCHIVES}, then run the command again."
    failure = IMAGE_PULL_FAILED(image=reference, reason=printable(reason).strip(), advice=advice)
    failure.permanent = any(word in lowered for word in _PERMANENT)
    return failure
