"""The lab's own certificate authority and its keys; private files have mode 0600 from their creation."""

import ipaddress
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mstunnel_lab.errors import using

_CA_DAYS: Final = 3650
_SERVER_DAYS: Final = 397
_RENEW_DAYS: Final = 30
_PUBLIC: Final = 0o644


def write_private(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file completely or not at all; by default only its owner can read it."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def signing_key(path: Path) -> rsa.RSAPrivateKey:
    """Return the token signing key at `path`, created if missing. Raises UsageError."""
    with using(path):
        if not path.exists():
            write_private(path, _key_pem(rsa.generate_private_key(65537, 2048)))
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("it is not an RSA key")
        return key


class Authority:
    """A certificate authority in a directory: ca.pem, ca.key. It is created unless both files exist.

    Raises UsageError if the files cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self.certificate_path, key_path = directory / "ca.pem", directory / "ca.key"
        with using(self.certificate_path):
            if not (self.certificate_path.exists() and key_path.exists()):
                root, name = ec.generate_private_key(ec.SECP256R1()), _name("Lab tenant root")
                builder = (
                    _builder(name, name, root.public_key(), _CA_DAYS)
                    .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                    .add_extension(_key_usage(is_authority=True), critical=True)
                )
                write_private(key_path, _key_pem(root))
                write_private(self.certificate_path, _pem(builder.sign(root, hashes.SHA256())), _PUBLIC)
            self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        with using(key_path):
            key = serialization.load_pem_private_key(key_path.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise TypeError("it is not an EC key")
            self._key = key

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the SHA-256 of the root certificate (DER) in hex digits."""
        return f"sha256:{self._certificate.fingerprint(hashes.SHA256()).hex()}"

    def server_certificate(self, directory: Path, names: Iterable[str]) -> tuple[Path, Path]:
        """Return paths of chain and key of a server certificate for `names` (DNS names, IP addresses).

        An existing certificate is kept while it covers the names, comes from this authority and does not
        expire soon. Raises UsageError if the files cannot be read or written.
        """
        chain, key_path = directory / "server.pem", directory / "server.key"
        wanted = {str(_general_name(name).value) for name in names}
        with using(chain):
            if chain.exists() and key_path.exists() and self._still_good(chain, wanted):
                return chain, key_path
            key, authority = ec.generate_private_key(ec.SECP256R1()), self._key.public_key()
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority)
            builder = (
                _builder(_name(min(wanted)), self._certificate.subject, key.public_key(), _SERVER_DAYS)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                .add_extension(_key_usage(is_authority=False), critical=True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
                .add_extension(
                    x509.SubjectAlternativeName(map(_general_name, sorted(wanted))), critical=False
                )
                .add_extension(identifier, critical=False)
            )
            write_private(key_path, _key_pem(key))
            certificate = builder.sign(self._key, hashes.SHA256())
            write_private(chain, _pem(certificate) + _pem(self._certificate), _PUBLIC)
        return chain, key_path

    def _still_good(self, chain: Path, wanted: set[str]) -> bool:
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        renew_at = leaf.not_valid_after_utc - timedelta(days=_RENEW_DAYS)
        try:
            leaf.verify_directly_issued_by(self._certificate)
        except (ValueError, InvalidSignature):
            return False
        return datetime.now(UTC) < renew_at and wanted <= {str(name.value) for name in names}


def self_signed(key: rsa.RSAPrivateKey, name: str) -> bytes:
    """Return a self-signed certificate (DER) for a token signing key, for `x5c` of the key set."""
    subject = _name(name)
    return (
        _builder(subject, subject, key.public_key(), _CA_DAYS)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    """Return the key usage of an authority, or of a server."""
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
