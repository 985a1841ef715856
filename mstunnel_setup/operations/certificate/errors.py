"""Errors of `operations.certificate` that several places raise."""

from mstunnel_setup.base.result import declare_notice

CERTIFICATE_EXPIRED = declare_notice(
    "certificate-expired",
    "the certificate expired on {date}",
    "Renew it and run `mst-cli import_cert`; `mst-cli help certificates` has a hook that does both.",
)
CERTIFICATE_NOT_IN_USE = declare_notice(
    "certificate-not-in-use", "no usable certificate is in use", "Run `mst-cli cert check`."
)
CERTIFICATE_REVOKED = declare_notice(
    "certificate-revoked",
    "the authority has revoked the certificate",
    "Import a new one with `mst-cli import_cert`.",
)
