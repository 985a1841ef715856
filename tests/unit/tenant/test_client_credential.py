"""The credential of an application: PFX or PEM, with or without a passphrase; others are refused."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.client_credential import read_credential
from tests.refusals import refused
from tests.unit.certificates.pki import Pki
from tests.unit.certificates.recipes import pfx_bytes, with_mac_rounds
from tests.unit.tenant.credentials import certificate, rsa_key, write_pem, write_pfx

# The openssl command encrypts with an empty passphrase, too.
ENCRYPTED = {"passphrase": "", "cipher": "mac-sha384"}


@pytest.mark.parametrize("write", [write_pfx, write_pem])
@pytest.mark.parametrize("passphrase", ["", "pass phrase"])
def test_both_formats_are_read(write: Callable[..., None], passphrase: str, tmp_path: Path) -> None:
    write(tmp_path / "agent", passphrase=passphrase.encode())

    credential = read_credential(Files(tmp_path), "/agent", passphrase)

    assert credential.key.public_key() == rsa_key().public_key() == credential.certificate.public_key()
    assert "key" not in repr(credential).lower().replace("keyusage", "")


def test_certificate_and_key_may_be_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "leaf.pem").write_bytes(certificate(rsa_key()).public_bytes(Encoding.PEM))
    write_pem(tmp_path / "key.pem")

    credential = read_credential(Files(tmp_path), "/leaf.pem", key_path="/key.pem")

    assert credential.certificate.public_key() == credential.key.public_key()


def write_strangers(path: Path) -> None:
    write_pem(path)
    path.write_bytes(certificate(rsa_key(1)).public_bytes(Encoding.PEM) + path.read_bytes())


def test_only_the_certificate_is_sent_to_the_tenant(tmp_path: Path) -> None:
    write_pfx(tmp_path / "agent")
    credential = read_credential(Files(tmp_path), "/agent")

    sent: dict[str, Any] = credential.key_credential("agent of gw1").to_wire()

    assert (sent["displayName"], sent["type"], sent["usage"]) == (
        "agent of gw1",
        "AsymmetricX509Cert",
        "Verify",
    )
    assert sent["endDateTime"].endswith("Z")
    assert len(sent["customKeyIdentifier"]) == 44


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (lambda _path: None, "credential-missing"),
        (lambda path: path.write_bytes(b""), "credential-unreadable"),
        (lambda path: path.write_bytes(b"-----BEGIN NOTHING-----"), "credential-unreadable"),
        (lambda path: write_pfx(path, passphrase=b"another"), "credential-unreadable"),
        (lambda path: write_pem(path, b"another"), "credential-unreadable"),
        (lambda path: write_pfx(path, ec.generate_private_key(ec.SECP256R1())), "credential-unsuitable"),
        (lambda path: write_pfx(path, with_key=False), "credential-unsuitable"),
        (write_strangers, "credential-unsuitable"),
    ],
    ids=[
        "missing",
        "empty",
        "no PEM",
        "PFX passphrase",
        "PEM passphrase",
        "elliptic curve",
        "no key",
        "strangers",
    ],
)
def test_unusable_credential_is_reported(write: Callable[[Path], object], code: str, tmp_path: Path) -> None:
    write(tmp_path / "agent")

    with refused(SignInError, code) as caught:
        read_credential(Files(tmp_path), "/agent")
    assert "/agent" in caught.value.message


def test_encrypted_file_of_the_agent_is_refused(tmp_path: Path) -> None:
    """Check the encrypted part, which may hold a key that takes hours to decrypt."""
    write_pfx(tmp_path / "ours")
    (tmp_path / "theirs").write_bytes(pfx_bytes(ENCRYPTED, Pki({"leaf": {"key": "rsa2048"}})))

    read_credential(Files(tmp_path), "/ours", unencrypted=True)
    read_credential(Files(tmp_path), "/theirs")
    with refused(SignInError, "credential-unreadable"):
        read_credential(Files(tmp_path), "/theirs", unencrypted=True)


def test_only_a_file_with_a_known_digest_is_not_tested_again(tmp_path: Path) -> None:
    """Check the digest: the agent may replace the file by one with an invalid key."""
    for name, key in (("ours", rsa_key()), ("theirs", _untrue())):
        write_pfx(tmp_path / name, key)
    digests = {name: sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("ours", "theirs")}

    read = read_credential(Files(tmp_path), "/ours", unencrypted=True, tested=digests["ours"])
    assert read.key.private_numbers() == rsa_key().private_numbers()
    assert read.certificate == read_credential(Files(tmp_path), "/ours").certificate
    # That this invalid key is accepted shows that it was not tested.
    read_credential(Files(tmp_path), "/theirs", unencrypted=True, tested=digests["theirs"])
    for tested in ("", digests["ours"]):
        with refused(SignInError, "credential-unreadable"):
            read_credential(Files(tmp_path), "/theirs", unencrypted=True, tested=tested)


def _untrue() -> rsa.RSAPrivateKey:
    """Return a key whose second factor is not a prime."""
    own = rsa_key().private_numbers()
    p, q, e = own.p, own.q + 2, own.public_numbers.e
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@pytest.mark.timeout(10)
def test_file_with_excessive_iterations_is_refused_at_once(tmp_path: Path) -> None:
    write_pfx(tmp_path / "agent")
    (tmp_path / "agent").write_bytes(with_mac_rounds((tmp_path / "agent").read_bytes(), 2**31 - 1))

    with refused(SignInError, "credential-unreadable"):
        read_credential(Files(tmp_path), "/agent")
