"""Errors of `tls`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CertificateError, NetworkError, declare

CERTIFICATE_IS_PFX = declare(
    CertificateError,
    "certificate-is-pfx",
    "{where} is a PFX (PKCS#12) file",
    "Give it as `pfx`, with its passphrase, instead of `chain` and `key`.",
)
CERTIFICATE_UNSUPPORTED = declare(
    CertificateError,
    "certificate-unsupported",
    "{where} uses an unsupported algorithm",
    "Use a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or P-384.",
)
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
GENERATION_INCOMPLETE = declare(
    CertificateError,
    "generation-incomplete",
    "chain.pem or key.pem is missing in {directory}",
    "Run `mst-cli cert repair`.",
)
INPUT_TOO_LARGE = declare(
    CertificateError,
    "input-too-large",
    "the file has {size} bytes; a certificate file has a few thousand",
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
    "the private key does not belong to the certificate of {subject}",
    "Give the key that this certificate was requested with, or request a new certificate for it.",
)
KEY_MISSING = declare(
    CertificateError,
    "key-missing",
    "the input contains no private key",
    "Give the key that the certificate was requested with (`key`, or `--key PATH`); export a PFX "
    "together with its key.",
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
    "the PFX file contains PEM text",
    "Give it as `chain` and `key` instead of `pfx`.",
)
PFX_IS_OTHER = declare(
    CertificateError,
    "pfx-is-other",
    "the PFX file is {kind} in DER, without a private key",
    "Give it as `chain`, with its private key as `key`, instead of `pfx`.",
)
PFX_ROUNDS = declare(
    CertificateError,
    "pfx-rounds",
    "the PFX file takes more than {most} key derivation rounds to open",
    "Export it again with fewer (OpenSSL's default is 2048): `openssl pkcs12 -in FILE -noenc -out site.pem`, "
    "then `openssl pkcs12 -export -in site.pem -out site.pfx`, and delete site.pem.",
)
PFX_PASSPHRASE_MISSING = declare(
    CertificateError,
    "pfx-passphrase-missing",
    "the PFX file is protected by a passphrase, but none was given",
    "Give the passphrase (`passphrase: file:PATH`, or `--passphrase-file PATH`).",
)
REVOCATION_REFUSED = declare(NetworkError, "revocation-refused", "the answer has HTTP status {status}", "")
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
INPUT_WITHOUT_CERTIFICATE = declare(
    CertificateError,
    "input-without-certificate",
    "the input contains no certificate",
    "Use the certificate that the authority issued; a request (CSR) or a key alone is not enough.",
)
INPUT_EMPTY = declare(
    CertificateError,
    "input-empty",
    "{where} is empty",
    "Copy or export it again; check the free space of both hosts.",
)
INPUT_IS_JKS = declare(
    CertificateError,
    "input-is-jks",
    "{where} is a Java keystore (JKS)",
    "Convert it to a PFX: `keytool -importkeystore -srckeystore FILE -destkeystore site.pfx -deststoretype "
    "PKCS12`; then give site.pfx as `pfx`.",
)
KEY_TOO_LARGE = declare(
    CertificateError,
    "key-too-large",
    "{where} is a private key of {size} bytes, larger than an RSA key of 8192 bits; devices refuse it",
    "Request a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or P-384.",
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
PFX_LEGACY_ALGORITHM = declare(
    CertificateError,
    "pfx-legacy-algorithm",
    "the PFX file uses an outdated algorithm: {algorithms}",
    "Export it again with AES-256 and SHA-256 (`openssl pkcs12 -export`, or the Windows export wizard).",
)
PFX_PASSPHRASE_UNNEEDED = declare(
    CertificateError,
    "pfx-passphrase-unneeded",
    "the PFX file has no passphrase, but one was given",
    "Leave the passphrase out.",
)
PFX_PASSPHRASE_WRONG = declare(
    CertificateError,
    "pfx-passphrase-wrong",
    "the passphrase does not open the PFX file",
    "Check the passphrase: upper case, a line end in its file, characters outside ASCII.",
)
