"""Errors of `tls`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CertificateError, NetworkError, declare

CERTIFICATE_FILE_MISSING = declare(
    CertificateError,
    "certificate-file-missing",
    "there is no file {path}",
    "Copy the certificate there, or give another path.",
)
CERTIFICATE_IS_PFX = declare(
    CertificateError,
    "certificate-is-pfx",
    "{where} is a PFX (PKCS#12) file",
    "Give it as `pfx`, with its passphrase, instead of `chain` and `key`.",
)
CERTIFICATE_UNSUPPORTED = declare(
    CertificateError,
    "certificate-unsupported",
    "{where} uses an algorithm that is not supported: {error}",
    "Use a certificate with an RSA key (2048 bits or more) or an EC key (P-256, P-384 or P-521).",
)
GENERATION_INCOMPLETE = declare(
    CertificateError,
    "generation-incomplete",
    "chain.pem or key.pem is missing in {directory}",
    "Put it right with `mst-cli cert repair`.",
)
INPUT_TOO_LARGE = declare(
    CertificateError,
    "input-too-large",
    "the file has {count} bytes; a certificate file has a few thousand",
    "Check the path: this is probably another file.",
)
KEY_ENCRYPTED = declare(
    CertificateError,
    "key-encrypted",
    "the private key is protected by a passphrase",
    "Remove it (`openssl pkey -in KEY -out site.key`), or give a PFX and its passphrase.",
)
KEY_MISMATCH = declare(
    CertificateError,
    "key-mismatch",
    "the private key does not belong to the certificate of {first}",
    "Give the key that this certificate was requested with, or request a new certificate for it.",
)
KEY_MISSING = declare(
    CertificateError,
    "key-missing",
    "no private key was found in the input",
    "Give the key that the certificate was requested with; export a PFX together with its key.",
)
PFX_DAMAGED = declare(
    CertificateError,
    "pfx-damaged",
    "the PFX file is damaged or incomplete: {reason}",
    "Copy it again in binary mode, or export it again.",
)
PFX_IS_PEM = declare(
    CertificateError,
    "pfx-is-pem",
    "the PFX file holds PEM text",
    "Give it as `chain` and `key` instead of `pfx`.",
)
PFX_PASSPHRASE_MISSING = declare(
    CertificateError,
    "pfx-passphrase-missing",
    "the PFX file is protected by a passphrase and none was given",
    "Give the passphrase (`passphrase: file:PATH`).",
)
REVOCATION_REFUSED = declare(
    NetworkError,
    "revocation-refused",
    "it answered with status {status_code}",
    "",
)
