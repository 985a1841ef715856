"""Errors and warnings of `operations` that several places raise."""

from mstunnel_setup.base.errors import (
    CheckError,
    EngineError,
    StepError,
    UsageError,
    declare,
)

ALREADY_INSTALLED = declare(
    UsageError,
    "already-installed",
    "a gateway is already installed on this host",
    "Restore on a host without a gateway.",
)
CONTAINER_MISSING = declare(
    EngineError, "container-missing", "there is no container {container}", "Run mstunnel-setup to create it."
)
SIGNATURE_WRONG = declare(
    CheckError,
    "signature-wrong",
    "{sums} was not signed with the key in {key}, or was changed since",
    "Do not use this program. Download the release again, and compare the key with another source.",
)
UPLINK_REFUSED = declare(
    StepError,
    "uplink-refused",
    "the host did not connect the gateway to the network: {reason}",
    "Run `sudo mstunnel-setup host`; see `journalctl --unit mstunnel-uplink`.",
)
