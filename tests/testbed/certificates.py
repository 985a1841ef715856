"""A private authority and what it issues, for the gateway of a testbed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


class Authority:
    """Issues certificates of servers and of devices; `pem` is its own. Its clock is `ahead` of this one."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self._ahead = ahead
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Tunnel testbed")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key.public_key(), 365).add_extension(
            constraints, critical=True
        )
        self.pem = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue(self, name: str, *, days: int = 90, age: float = 1) -> tuple[bytes, bytes]:
        """Chain (leaf first, root last) and key in PEM for `name`; with negative `days` it has expired.

        The name is that of a host, or its IP address. It was issued `age` days ago.
        """
        alternative: x509.GeneralName = x509.DNSName(name)
        with suppress(ValueError):
            alternative = x509.IPAddress(ip_address(name))
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        leaf, key = self._issue(name, days, x509.SubjectAlternativeName([alternative]), usage, age=age)
        return leaf + self.pem, key

    def issue_device(self, user: str) -> tuple[bytes, bytes]:
        """Certificate and key in PEM for a device of `user`."""
        return self._issue(user, 90, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))

    def _issue(
        self, name: str, days: int, *extensions: x509.ExtensionType, age: float = 1
    ) -> tuple[bytes, bytes]:
        """A leaf and its key in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named(name), key.public_key(), days, age)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        leaf = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return leaf, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def revocation_list(self, *revoked: bytes) -> bytes:
        """A list (DER) of these certificates (PEM), valid for a day."""
        now = datetime.now(UTC) + self._ahead
        builder = x509.CertificateRevocationListBuilder(self._name, now - _DAY, now + _DAY)
        for pem in revoked:
            serial = x509.load_pem_x509_certificate(pem).serial_number
            builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, now).build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int, age: float = 1
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC) + self._ahead
        start = now - age * _DAY if days > 0 else now + (days - 30) * _DAY
        builder = x509.CertificateBuilder(
            self._name, subject, key, x509.random_serial_number(), start, now + days * _DAY
        )
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def as_pfx(chain: bytes, key: bytes, passphrase: bytes = b"") -> bytes:
    """The PFX of a chain (leaf first) and its key, both in PEM; without a passphrase it is not encrypted."""
    leaf, *others = x509.load_pem_x509_certificates(chain)
    private = load_pem_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"site", private, leaf, others, protection)
