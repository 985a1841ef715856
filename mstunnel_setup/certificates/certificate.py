"""Properties of a single certificate, used by the code that reads and checks certificates."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates import der
from mstunnel_setup.certificates.errors import CERTIFICATE_UNREADABLE

Extension = TypeVar("Extension", bound=x509.ExtensionType)

LONGEST_NAME = 80
# Exceptions of `cryptography` for an invalid certificate, key or bundle.
MALFORMED = (
    ValueError,
    TypeError,
    OverflowError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@contextmanager
def lenient_library() -> Iterator[None]:
    """Silence the library's warnings about BER bundles, odd serial numbers and old kinds of keys."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def parse_certificate(der: bytes, where: str) -> x509.Certificate:
    """Parse a certificate, including all fields that are checked later.

    Raises CertificateError `certificate-unreadable` or `certificate-unsupported`; its message begins with
    `where`, the name of the input.
    """
    # The message names the part that cannot be read, because the library's texts name internal types.
    part = "structure"
    try:
        with lenient_library():
            certificate = x509.load_der_x509_certificate(der)
            for name, read in _PARTS.items():
                part = name
                read(certificate)
            return certificate
    except UnsupportedAlgorithm as error:
        raise CertificateError(
            "certificate-unsupported",
            "{where} uses an unsupported algorithm",
            hint=("Use a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or P-384."),
            where=where,
        ) from error
    except MALFORMED as error:
        fault = text("its {part} cannot be read", part=part)
        problem = text("{where} is not a valid certificate: {der}", where=where, der=fault)
        raise CERTIFICATE_UNREADABLE(problem=problem) from error


def examined(certificate: x509.Certificate) -> x509.Certificate:
    """Return the certificate after reading its lazily parsed fields, so that an invalid one fails here."""
    for read in _PARTS.values():
        read(certificate)
    return certificate


def serial_number(certificate: x509.Certificate) -> int:
    """Return the serial number, even one that the library warns about."""
    with lenient_library():
        return certificate.serial_number


def title(certificate: x509.Certificate) -> str:
    """Return a name for people: common name, else the whole subject, else the serial number."""
    name = _name_title(certificate.subject)
    return name or text("serial number {number:x}", number=serial_number(certificate))


def issuer_title(certificate: x509.Certificate) -> str:
    """Return the issuer's name for people."""
    return _name_title(certificate.issuer)


def _name_title(name: x509.Name) -> str:
    common_names = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return plain(str(common_names[0].value) if common_names else name.rfc4514_string(), LONGEST_NAME)


def extension(
    carrier: x509.Certificate | x509.CertificateRevocationList | x509.RevokedCertificate,
    kind: type[Extension],
) -> Extension | None:
    """Return the value of an extension, or None if the certificate, list or entry lacks it."""
    try:
        return carrier.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def access_addresses(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> list[str]:
    """Return the addresses in authority information access for a method: CA issuers, or OCSP."""
    return [
        description.access_location.value
        for description in extension(certificate, x509.AuthorityInformationAccess) or ()
        if description.access_method == method
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    ]


def is_ca(certificate: x509.Certificate) -> bool:
    """Return whether basic constraints let it issue certificates."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether names and signature match.

    The library does not verify signatures with SHA-1, MD5 or unknown algorithms; for these the key
    identifiers decide. Such a signature is refused anyway, but the message should name the right issuer.
    """
    if certificate.issuer != issuer.subject:
        return False
    if has_weak_signature(certificate) is not False:
        return identifiers_fit(certificate, issuer)
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def has_weak_signature(certificate: x509.Certificate) -> bool | None:
    """Return whether the signature uses a digest that can be forged; None if its algorithm is unknown."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return algorithm is not None and algorithm.name in {"md5", "sha1"}


def identifiers_fit(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether the certificate's authority key identifier matches `issuer`: key, name and number."""
    named = extension(certificate, x509.AuthorityKeyIdentifier)
    if named is None:
        return True
    own = extension(issuer, x509.SubjectKeyIdentifier)
    if named.key_identifier is not None and own is not None and named.key_identifier != own.digest:
        return False
    if named.authority_cert_serial_number not in (None, serial_number(issuer)):
        return False
    names = [name.value for name in named.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    return not names or issuer.issuer in names


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Return whether it is its own issuer, by name and by signature."""
    return is_issued_by(certificate, certificate)


_PARTS: Final[dict[str, Callable[[x509.Certificate], object]]] = {
    "subject": lambda certificate: certificate.subject,
    "issuer": lambda certificate: certificate.issuer,
    "public key": lambda certificate: certificate.public_key(),
    "extension list": lambda certificate: certificate.extensions,
    "period of validity": lambda item: (item.not_valid_before_utc, item.not_valid_after_utc),
    "serial number": serial_number,
    "signature algorithm": has_weak_signature,
}


def has_explicit_curve(certificate: x509.Certificate) -> bool:
    """Return whether its EC key has explicit parameters instead of a named curve (RFC 5480 forbids that).

    RFC 5480 forbids explicit parameters. OpenSSL and `cryptography` recognize those of a known curve; GnuTLS
    and BoringSSL refuse them.
    """
    tbs = der.first_element(certificate.tbs_certificate_bytes).sequence()
    public_key = [part for part in tbs if part.tag != der.EXPLICIT_0][5]
    _, *parameters = public_key.sequence(2)[0].sequence(1)
    is_ec = isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    return is_ec and any(parameter.tag == der.SEQUENCE for parameter in parameters)


def public_bytes(owner: x509.Certificate | PrivateKeyTypes) -> bytes:
    """Return the public key of a certificate or private key, in a comparable form."""
    return owner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True)
class Material:
    """Certificates and private keys found in one or more inputs, in their order.

    `encrypted_keys` counts the keys that need a passphrase.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    keys: tuple[PrivateKeyTypes, ...] = field(default=(), repr=False)
    encrypted_keys: int = 0

    def __add__(self, other: "Material") -> "Material":
        """Join two inputs; a certificate in both is kept once."""
        return Material(
            certificates=tuple(dict.fromkeys(self.certificates + other.certificates)),
            keys=self.keys + other.keys,
            encrypted_keys=self.encrypted_keys + other.encrypted_keys,
        )


@dataclass(frozen=True)
class Identity:
    """A server certificate with its private key and its chain.

    Attributes:
        leaf: The server certificate.
        chain: The leaf, then the issuer of each certificate; the root is last if the input had it.
        key: The private key of the leaf.
        given: All certificates of the input, in its order.
    """

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes = field(repr=False)
    given: tuple[x509.Certificate, ...] = ()
