"""Errors of `operations.certificate`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CertificateError, CheckError, UsageError, declare
from mstunnel_setup.result import declare_notice

CERTIFICATE_OLDER = declare(
    CertificateError,
    "certificate-older",
    "the certificate in {files} is older than the one in use (it ends on {ends})",
    "To use it anyway, add --yes; to import another file, name it with --cert and --key or --pfx.",
)
DELAY_NEEDS_HOST = declare(
    CheckError,
    "delay-needs-host",
    "a delayed import cannot be combined with --root",
    "Run `mst-cli import_cert` on the host itself.",
)
DELAY_TOO_LONG = declare(
    UsageError,
    "delay-too-long",
    "a delay of {delay} minutes is longer than ten years",
    "Give a shorter delay.",
)
IMPORT_OLDER = declare(
    CertificateError,
    "import-older",
    "the delayed certificate {name} is older than the one that is now in use",
    "Cancel it: `mst-cli import_cert --cancel {name}`.",
)
IMPORT_REFUSED = declare(
    CertificateError,
    "import-refused",
    "the gateway cannot load the certificate, so the one in use stays: {reason}",
    "Request a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or P-384.",
)
IMPORT_TAKEN_BACK = declare(
    CertificateError, "import-taken-back", "{reason}; {outcome}", "See why with `mst-cli server logs`."
)
IMPORT_UNCLEAR = declare(UsageError, "import-unclear", "{asked} cannot be combined", "Give one of them.")
IMPORT_UNKNOWN = declare(
    UsageError,
    "import-unknown",
    "there is no pending import {name}",
    "List them with `mst-cli import_cert --list`.",
)
IMPORT_UNPROVEN = declare(
    CertificateError,
    "import-unproven",
    "{reason}; there is no earlier certificate to restore",
    "See why with `mst-cli server logs`.",
)
LINK_BLOCKED = declare(
    CertificateError,
    "link-blocked",
    "{path} is a directory that contains other files: {files}",
    "Move these files elsewhere, then run the command again.",
)
LINK_FLATTENED = declare(
    CertificateError,
    "link-flattened",
    "{path} is a {kind}; expected a symbolic link",
    "Repair it with `mst-cli cert repair`, then run the command again.",
)
REPAIR_IMPOSSIBLE = declare(
    CertificateError,
    "repair-impossible",
    "no intact copy of a certificate is left",
    "Import one: `mst-cli import_cert --cert PATH --key PATH`, or `--pfx PATH` with its passphrase.",
)
REPAIR_UNSURE = declare(
    CertificateError,
    "repair-unsure",
    "the certificate that was in use is lost; the newest other one ends on {ends} ({place})",
    "Use that one with --yes, or import the right one with `mst-cli import_cert`.",
)
ROOT_EXPIRED = declare(
    CertificateError,
    "root-expired",
    "the certificate of {certificate} expired on {ended:%Y-%m-%d}",
    "Get the authority's current certificate.",
)
ROOT_FILE_EMPTY = declare(
    CertificateError, "root-file-empty", "{path} contains no certificate", "Give a file in PEM or DER."
)
ROOT_FILE_UNREADABLE = declare(
    CertificateError,
    "root-file-unreadable",
    "{path} cannot be read: {reason}",
    "Give a file that contains CA certificates in PEM or DER.",
)
ROOT_NOT_CA = declare(
    CertificateError,
    "root-not-ca",
    "the certificate of {certificate} is not a CA certificate",
    "Give the certificate of the authority, not one that it issued.",
)
ROOT_UNKNOWN = declare(
    UsageError, "root-unknown", "there is no file {path}", "List the names with `mst-cli ca-trust list`."
)
ROOT_WITH_KEY = declare(
    CertificateError,
    "root-with-key",
    "{path} contains a private key",
    "Give a file that contains certificates only.",
)
TIME_PAST = declare(
    UsageError, "time-past", "{due:%Y-%m-%d %H:%M} UTC is in the past", "Give a later time, or none."
)
TIME_TWICE = declare(UsageError, "time-twice", "both a delay and a time are given", "Give one of them.")
TIME_UNCLEAR = declare(
    UsageError,
    "time-unclear",
    "`{text}` is not a time",
    "Write it as 2026-12-31T03:00; add an offset such as +02:00 unless it is local time.",
)
CERTIFICATE_EXPIRED = declare_notice(
    "certificate-expired",
    "the certificate expired on {date}",
    "Renew it and run `mst-cli import_cert`; `mst-cli help certificates` has a hook that does both.",
)
CERTIFICATE_EXPIRES_SOON = declare_notice(
    "certificate-expires-soon",
    "the certificate expires on {date}, in {days} days",
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
DELAY_NEEDS_MONITOR = declare_notice(
    "delay-needs-monitor",
    "systemd does not run here, so the monitor activates the certificate",
    "Check that the monitor runs: see `mst-cli help without-systemd`.",
)
IMPORT_OVERDUE = declare_notice(
    "import-overdue",
    "the delayed import {name} did not run at its time",
    "The monitor retries it every hour; `journalctl -t mstunnel_monitor` shows why it fails, "
    "`mst-cli import_cert --cancel {name}` cancels it.",
)
REVOCATION_UNDETERMINED = declare_notice(
    "revocation-undetermined",
    "cannot determine whether the certificate is revoked{why}",
    "Run `mst-cli cert check`.",
)
