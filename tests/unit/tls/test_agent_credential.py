"""The agent's own certificate: made, read back, used for client assertions."""

import base64
import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from mstunnel_setup.errors import CertificateError
from mstunnel_setup.tls.agent_credential import new_agent_credential, read_agent_credential
from tests.unit.tls.pki import NOW

PFX, DER = new_agent_credential("tunnel-agent", NOW, 365)


def test_certificate_is_self_signed_for_clients() -> None:
    certificate = x509.load_der_x509_certificate(DER)
    certificate.verify_directly_issued_by(certificate)
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)


def test_pfx_opens_with_the_empty_passphrase_everywhere() -> None:
    assert pkcs12.load_pkcs12(PFX, b"").cert is not None
    assert pkcs12.load_pkcs12(PFX, None).key is not None


def test_read_back_gives_key_certificate_and_thumbprints() -> None:
    credential = read_agent_credential(PFX)
    key = load_pem_private_key(credential.private_key_pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072
    assert credential.certificate_der == DER
    assert x509.load_pem_x509_certificate(credential.certificate_pem).public_key() == key.public_key()
    assert credential.thumbprint_sha1_hex == hashlib.sha1(DER).hexdigest().upper()
    padded = credential.thumbprint_sha256_b64url + "="
    assert base64.urlsafe_b64decode(padded) == hashlib.sha256(DER).digest()
    assert credential.not_after == NOW + timedelta(days=365)


def test_private_key_is_not_in_repr() -> None:
    text = repr(read_agent_credential(PFX))
    assert "PRIVATE" not in text
    assert "private_key" not in text


def test_damaged_file_is_named() -> None:
    with pytest.raises(CertificateError) as caught:
        read_agent_credential(PFX[:100])
    assert caught.value.code == "pfx-damaged"
