"""The certificate that the agent signs in with: created, read back, checked for damage."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from mstunnel_setup.actions import certificates as actions
from mstunnel_setup.actions.certificates import CreateAgentCredential
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates.agent_certificate import new_agent_certificate, read_agent_certificate
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.client_credential import read_credential
from tests.refusals import refused
from tests.unit.certificates.pki import NOW, Pki
from tests.unit.certificates.recipes import pfx_bytes
from tests.unit.clocks import FakeClock
from tests.unit.fakes import ports_of

PFX, DER = new_agent_certificate("tunnel-agent", NOW, 365)


def test_agent_certificate_is_self_signed_for_client_auth() -> None:
    certificate = x509.load_der_x509_certificate(DER)
    certificate.verify_directly_issued_by(certificate)
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)


def test_pfx_opens_with_empty_or_no_passphrase() -> None:
    assert pkcs12.load_pkcs12(PFX, b"").cert is not None
    key = pkcs12.load_pkcs12(PFX, None).key
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072
    assert x509.load_der_x509_certificate(DER).public_key() == key.public_key()


def test_same_pfx_is_decrypted_only_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Decrypting is slow, because `cryptography` tests the primes of the key each time."""
    opened: list[bytes] = []
    real = pkcs12.load_pkcs12

    def count(data: bytes, passphrase: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
        opened.append(data)
        return real(data, passphrase)

    monkeypatch.setattr(pkcs12, "load_pkcs12", count)
    pfx, _ = new_agent_certificate("tunnel-agent", NOW, 365)
    (tmp_path / "credential.pfx").write_bytes(pfx)
    read_credential(Files(tmp_path), "/credential.pfx", unencrypted=True)
    read_agent_certificate(pfx)
    assert opened == [pfx]
    read_agent_certificate(PFX)
    assert opened == [pfx, PFX]


def test_unchanged_credential_is_not_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is parsed again only if the agent renewed it or wrote another file."""
    clock = FakeClock(NOW)
    ports = ports_of(tmp_path, clock=clock)
    action = CreateAgentCredential(path="/agent.p12", common_name="tunnel-agent")
    outputs = {action.key: action.apply(ports, {})}
    with monkeypatch.context() as closed:
        closed.setattr(actions, "read_agent_certificate", None)
        assert action.satisfied(ports, outputs)
        clock.sleep(366 * 86400)
        assert not action.satisfied(ports, outputs)
    ports.files.write("/agent.p12", new_agent_certificate("tunnel-agent", clock.now(), 365)[0])
    assert action.satisfied(ports, outputs)
    ports.files.write("/agent.p12", b"anything")
    assert not action.satisfied(ports, outputs)


def test_certificate_is_read_back_from_pfx() -> None:
    assert read_agent_certificate(PFX) == x509.load_der_x509_certificate(DER)


def test_damaged_or_encrypted_credential_is_refused() -> None:
    for pfx in (PFX[:100], pfx_bytes({"passphrase": "", "cipher": "mac-sha384"}, Pki())):
        with refused(CertificateError, "pfx-damaged"):
            read_agent_certificate(pfx)
