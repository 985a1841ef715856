"""The certificate that the agent signs in to the tenant with: create it, and read it from its PFX."""

from contextlib import suppress
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.der import DerError
from mstunnel_setup.certificates.errors import PFX_DAMAGED
from mstunnel_setup.certificates.load import load_identity_pfx
from mstunnel_setup.certificates.pfx import outline

CREDENTIAL_DAYS = 365
"""Lifetime of a credential in days; the agent renews it in time."""

_KEY_BITS = 3072
# A tenant whose clock is a little behind that of this server must accept a new certificate.
_BACKDATED = timedelta(minutes=5)


def new_agent_certificate(common_name: str, now: datetime, days: int) -> tuple[bytes, bytes]:
    """Create a key and a self-signed certificate for client authentication, valid for `days` from `now`.

    Returns:
        A PFX with an empty passphrase (write it with mode 0600), and the certificate alone as DER.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(now + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    pfx = pkcs12.serialize_key_and_certificates(None, key, certificate, None, NoEncryption())
    return pfx, certificate.public_bytes(Encoding.DER)


def read_agent_certificate(pfx: bytes) -> x509.Certificate:
    """Return the certificate of such a PFX; raise CertificateError as `load_identity_pfx` does.

    The agent may have replaced the file, so an encrypted part is refused as `pfx-damaged`: it may hide a key
    that takes hours to decrypt.
    """
    # If this fails, the reader below names the structural error.
    with suppress(DerError):
        if outline(pfx).is_encrypted:
            raise PFX_DAMAGED(reason=text("a part of it is encrypted"))
    return load_identity_pfx(pfx).leaf
