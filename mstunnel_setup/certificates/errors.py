"""Errors and findings that several modules of `certificates` raise."""

from mstunnel_setup.base.errors import CertificateError, NetworkError, declare
from mstunnel_setup.base.problem import error

PAGE = "docs/reference/certificates.md"

DEVICE_AUTHORITY_UNUSABLE = declare(
    CertificateError,
    "device-authority-unusable",
    "devices cannot be checked with {path}: {problem}",
    "Give the current certificates of the CAs that issue the devices' certificates: PEM, and nothing else.",
)
DEVICE_REVOCATIONS_UNUSABLE = declare(
    CertificateError,
    "device-revocations-unusable",
    "{path} cannot identify revoked devices: {problem}",
    "Get the current, complete list of that CA (its CRL distribution point has it).",
)
INPUT_TOO_LARGE = declare(
    CertificateError,
    "input-too-large",
    "the file has {size} bytes; a certificate file has a few thousand",
    "Check the path: this is probably another file.",
)
INPUT_EMPTY = declare(
    CertificateError,
    "input-empty",
    "{where} is empty",
    "Copy or export it again; check the free space of both hosts.",
)
PFX_DAMAGED = declare(
    CertificateError,
    "pfx-damaged",
    "the PFX file is damaged or incomplete: {reason}",
    "Copy it again in binary mode, or export it again.",
)
CERTIFICATE_FILE_MISSING = declare(
    CertificateError,
    "certificate-file-missing",
    "the file {path} does not exist",
    "Put it there, or use another path.",
)
CERTIFICATE_SOURCE_CHANGED = declare(
    CertificateError,
    "certificate-source-changed",
    "{files} changed since the check",
    "Run the command again to check the new certificate.",
)
CERTIFICATE_UNREADABLE = declare(
    CertificateError,
    "certificate-unreadable",
    "{problem}",
    "Use the certificate chain as PEM, the leaf first, then the intermediates. If the file is damaged, "
    "ask the certificate authority for it, or export it again.",
)
CRL_UNUSABLE = declare(
    NetworkError,
    "crl-unusable",
    "{reason}",
    "Ask the certificate authority; the certificate may still be valid.",
)
KEY_UNREADABLE = declare(
    CertificateError,
    "key-unreadable",
    "{problem}",
    "Use the private key as PEM, RSA or EC, without a passphrase.",
)
LEAF_AMBIGUOUS = declare(
    CertificateError,
    "leaf-ambiguous",
    "the input has more than one private key with a certificate: {found}",
    "Use only the certificate and the key of this gateway (Java: `keytool -importkeystore -srcalias NAME`).",
)
OCSP_UNUSABLE = declare(
    NetworkError,
    "ocsp-unusable",
    "{reason}",
    "Ask the certificate authority; the certificate may still be valid.",
)
KEY_MODE = declare(
    error,
    "key-mode",
    "{path} has mode {mode:04o}, not {wanted:04o}",
    "Repair it with `mst-cli cert repair`; before the installation: `chmod {wanted:04o} {path}`.",
    PAGE,
)
