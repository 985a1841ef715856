"""A throwaway client certificate for probes."""

import os
import ssl
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Valid even when the clock of this host is wrong.
_FROM, _UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def show_unknown_certificate(context: ssl.SSLContext) -> None:
    """Make `context` send a self-signed certificate when asked, also post-handshake (RFC 8446)."""
    context.post_handshake_auth = True
    # OpenSSL loads keys from a path only; this file is in memory and gone when it is closed.
    handle = os.memfd_create("client-certificate")
    try:
        view = memoryview(_pem())
        while view:
            view = view[os.write(handle, view) :]
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


@cache
def _pem() -> bytes:
    """Key and certificate in PEM; one is enough for a run."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mst-readiness")])
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
