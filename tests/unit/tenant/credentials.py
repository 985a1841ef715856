"""Make credentials for tests."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(_number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key: Key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "agent")])
    now = datetime.now(UTC).replace(microsecond=0)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now).not_valid_after(now + timedelta(days=365)).sign(key, hashes.SHA256())


def write_pfx(path: Path, key: Key | None = None, passphrase: bytes = b"", *, with_key: bool = True) -> None:
    key = key or rsa_key()
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    content = pkcs12.serialize_key_and_certificates(
        b"agent", key if with_key else None, certificate(key), None, encryption
    )
    path.write_bytes(content)


def write_pem(path: Path, passphrase: bytes = b"") -> None:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    key = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    path.write_bytes(certificate(rsa_key()).public_bytes(Encoding.PEM) + key)
