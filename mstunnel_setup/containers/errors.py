"""Errors of `containers`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import EngineError, declare

CONTAINER_FOREIGN = declare(
    EngineError,
    "container-foreign",
    "there is a container {name} that was not made by mstunnel-setup",
    "Rename it (`podman rename`, `docker rename`) or remove it, and run the command again.",
)
CONTAINER_SPEC = declare(
    EngineError,
    "container-spec",
    "{value!r} cannot be used as {what} of a container",
    "Correct the setting that this value comes from.",
)
ENGINE_UNFIT = declare(
    EngineError,
    "engine-unfit",
    "DOCKER_HOST names {address}, which is another machine",
    "The gateway needs files of this one: unset DOCKER_HOST, or name a unix:// socket.",
)
ENGINE_VERSION = declare(
    EngineError,
    "engine-version",
    "{name} {version} cannot run the gateway: {why}",
    "Update {name} to {least} or later.",
)
IMAGE_LOAD_FAILED = declare(
    EngineError,
    "image-load-failed",
    "cannot load {archive}: {report}",
    "",
)
QUADLET_REFUSED = declare(
    EngineError,
    "quadlet-refused",
    "Podman does not accept the unit file {name}: {reason}",
    "Podman is probably older than 4.9; upgrade it.",
)
SYSTEMD_FAILED = declare(
    EngineError,
    "systemd-failed",
    "systemd does not say whether there is a unit {unit}",
    "Look at `systemctl status {unit}` and run the command again.",
)
