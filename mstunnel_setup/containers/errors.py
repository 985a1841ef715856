"""Errors of `containers`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import EngineError, declare


class PullError(EngineError):
    """An image could not be pulled; `permanent` when another attempt would fail too."""

    permanent = False


CONTAINER_FAILED = declare(
    EngineError,
    "container-failed",
    "the container {name} does not start; it is {state}. Last lines of its log:{log}",
    "Fix what the log reports, then run the command again.",
)
CONTAINER_FOREIGN = declare(
    EngineError,
    "container-foreign",
    "the container {name} was not created by mstunnel-setup",
    "Rename it (`podman rename`, `docker rename`) or remove it, then run the command again.",
)
CONTAINER_SPEC = declare(
    EngineError,
    "container-spec",
    "{value!r} is not a valid {option} of a container",
    "Correct the setting that this value comes from.",
)
CONTAINER_TIMEOUT = declare(
    EngineError, "container-timeout", "{reason}", "Find out what it waits for, then run the command again."
)
ENGINE_ADDRESS_INVALID = declare(
    EngineError,
    "engine-address-invalid",
    "{address} is not the address of a Podman service",
    "Set CONTAINER_HOST to unix:///path or tcp://host:port.",
)
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
ENGINE_NOT_STARTED = declare(
    EngineError,
    "engine-not-started",
    "Podman is installed, but its service does not start",
    "Run `podman info` to find the cause.",
)
ENGINE_UNFIT = declare(
    EngineError,
    "engine-unfit",
    "this Docker cannot run the gateway: {reason}",
    "Use Docker CE on this host, running as root and without userns-remap, or use Podman "
    "(engine: podman; without root, mode: rootless).",
)
ENGINE_VERSION = declare(
    EngineError,
    "engine-version",
    "{engine} {version} cannot run the gateway: {reason}",
    "Update {engine} to {least} or later.",
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
IMAGE_DIGEST_MISMATCH = declare(
    EngineError,
    "image-digest-mismatch",
    "{archive} contains {found}, not {digest}",
    "Copy the archive that belongs to this version, or correct the image reference.",
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
IMAGE_NOT_PULLED = declare(
    EngineError,
    "image-not-pulled",
    "the engine reported a successful pull, but the image {image} is not on this host",
    "Run the command again; if it fails again, check the registry.",
)
IMAGE_PULL_FAILED = declare(PullError, "image-pull-failed", "cannot pull {image}: {reason}", "{advice}")
IMAGE_REMOVE_FAILED = declare(
    EngineError,
    "image-remove-failed",
    "cannot remove the image {image}: {reason}",
    "Fix the cause, then run the command again.",
)
QUADLET_MISSING = declare(
    EngineError,
    "quadlet-missing",
    "Podman's systemd generator (quadlet) is not installed",
    "Install Podman 4.9 or later from the packages of the distribution.",
)
QUADLET_REFUSED = declare(
    EngineError,
    "quadlet-refused",
    "Podman rejects the unit file {name}: {reason}",
    "Podman is probably older than 4.9; update it.",
)
