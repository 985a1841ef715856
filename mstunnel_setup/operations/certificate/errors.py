"""Errors of `operations.certificate` that several places raise."""

from mstunnel_setup.base.errors import declare_warning

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
