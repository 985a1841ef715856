"""Errors of `containers` that several places raise."""

from mstunnel_setup.base.errors import EngineError, declare


class PullError(EngineError):
    """An image could not be pulled; `permanent` when another attempt would fail too."""

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
ENGINE_UNFIT = declare(
    EngineError,
    "engine-unfit",
    "this Docker cannot run the gateway: {reason}",
    "Use Docker CE on this host, running as root and without userns-remap, or use Podman "
    "(engine: podman; without root, mode: rootless).",
)
IMAGE_ARCHIVE_DAMAGED = declare(
    EngineError,
    "image-archive-damaged",
    "the image archive is damaged: {problem}",
    "Copy the archive here again.",
)
IMAGE_ARCHIVE_UNUSABLE = declare(
    EngineError,
    "image-archive-unusable",
    "{archive} {problem}",
    "Create it with `podman save --format oci-archive --output FILE NAME@DIGEST`, or with `docker save` of "
    "Docker 25 or later, and copy it here again.",
)
IMAGE_LOAD_FAILED = declare(
    EngineError,
    "image-load-failed",
    "cannot load {archive}: {reason}",
    "Fix the cause, then run the command again.",
)
IMAGE_MISSING = declare(
    EngineError,
    "image-missing",
    "the image {image} is not on this host",
    "Run mstunnel-setup to pull or load it.",
)
IMAGE_REMOVE_FAILED = declare(
    EngineError,
    "image-remove-failed",
    "cannot remove the image {image}: {reason}",
    "Fix the cause, then run the command again.",
)
