"""Image pulls: both engines answer 200 first, then report progress and failure piece by piece."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import plain, printable, sentence, text
from mstunnel_setup.containers.errors import PullError
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.containers.run_arguments import EngineName
from mstunnel_setup.containers.spec import Progress

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
    "manifest unknown",
    "unauthorized",
    "denied",
    "no space left",
    "x509",
    "time allowed",
)
_DIRECTORIES: Mapping[EngineName, str] = {"podman": "containers", "docker": "docker"}

Bytes = Annotated[int, Field(ge=0, lt=2**63)]


class _Detail(BaseModel):
    current: Bytes = 0
    total: Bytes | None = None


class _Report(BaseModel):
    """One report of an engine."""

    id: str | None = None
    status: str | None = None
    progress: _Detail | None = Field(default=None, alias="progressDetail")
    error: object = None
    detail: object = Field(default=None, alias="errorDetail")
    message: object = None


class Counter:
    """Adds up the reports of one pull for a progress listener."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._layers: dict[str, tuple[int, int]] = {}

    def add(self, report: object) -> str:
        """Take one report; why the pull failed, if it says so or is unreadable."""
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
