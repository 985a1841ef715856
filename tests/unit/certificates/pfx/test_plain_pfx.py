"""A PFX without protection, taken apart: the encodings in it, or an error for any other file."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)

from mstunnel_setup.certificates.der import DerError
from mstunnel_setup.certificates.pfx import plain_parts
from tests.unit.certificates.pki import Pki
from tests.unit.certificates.recipes import pfx_bytes
from tests.unit.tenant.credentials import certificate, rsa_key

CERTIFICATE = certificate(rsa_key())


def made(*, with_key: bool = True, others: int = 0) -> bytes:
    key = rsa_key() if with_key else None
    more = [CERTIFICATE] * others
    return pkcs12.serialize_key_and_certificates(b"agent", key, CERTIFICATE, more, NoEncryption())


def test_key_and_certificate_are_what_was_put_in() -> None:
    key, leaf = plain_parts(made())
    encoded = rsa_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert (
        load_der_private_key(key, None).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        == encoded
    )
    assert x509.load_der_x509_certificate(leaf) == CERTIFICATE


@pytest.mark.parametrize(
    "pfx",
    [
        made(with_key=False),
        made(others=1),
        pfx_bytes({"passphrase": "", "cipher": "mac-sha384"}, Pki({"leaf": {"key": "rsa2048"}})),
        made()[:-1],
        b"",
    ],
    ids=["no key", "two certificates", "encrypted", "cut off", "empty"],
)
def test_anything_else_is_refused(pfx: bytes) -> None:
    with pytest.raises(DerError):
        plain_parts(pfx)
