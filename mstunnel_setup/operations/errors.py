"""Errors and warnings of `operations` that several places raise."""

from mstunnel_setup.base.errors import (
    CheckError,
    EngineError,
    StepError,
    UsageError,
    declare,
    declare_warning,
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
CERTIFICATE_EXPIRED = declare_warning(
    "certificate-expired",
    "the certificate expired on {date}",
    "Renew it and run `mst-cli import_cert`; `mst-cli help certificates` has a hook that does both.",
)
CERTIFICATE_NOT_IN_USE = declare_warning(
    "certificate-not-in-use", "no usable certificate is in use", "Run `mst-cli cert check`."
)
CERTIFICATE_REVOKED = declare_warning(
    "certificate-revoked",
    "the authority has revoked the certificate",
    "Import a new one with `mst-cli import_cert`.",
)
NO_RELEASES = declare(
    UsageError,
    "no-releases",
    "no release is offered to this server",
    "List releases in {catalogue}, then run the command again.",
)
UPGRADE_FAILED = declare(
    EngineError,
    "upgrade-failed",
    "the upgrade to {release} failed: {reason}; {kept}",
    "Fix the cause, then run `mst-cli upgrade apply` again. See `mst-cli upgrade history`.",
)
