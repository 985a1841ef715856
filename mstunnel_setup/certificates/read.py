"""Read certificates and keys in any usual form: PEM, DER, PKCS#7, or a mixture.

`read_pfx` reads PFX files, which need a passphrase.
"""

import base64
import binascii
import codecs
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_ssh_private_key, pkcs7

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import der
from mstunnel_setup.certificates.certificate import (
    MALFORMED,
    Material,
    examined,
    is_ca,
    lenient_library,
    parse_certificate,
)
from mstunnel_setup.certificates.errors import CERTIFICATE_UNREADABLE, INPUT_TOO_LARGE, KEY_UNREADABLE

_BEGIN = "-----BEGIN "
_DASHES = "-----"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class PemError(ValueError):
    """A block that cannot be decoded; the text names it and the reason, never its content."""


@dataclass(frozen=True)
class PemBlock:
    """A PEM block: its label, number in the file and Base64 body.

    With `encrypted` (headers of the traditional OpenSSL format) the body is not DER.
    """

    label: str
    number: int
    body: str = field(repr=False)
    encrypted: bool

    @property
    def der(self) -> bytes:
        """The decoded body; raises PemError if it is not Base64."""
        try:
            return base64.b64decode("".join(self.body.split()), validate=True)
        except (binascii.Error, ValueError):
            raise PemError(f"block {self.number} ({self.label}) is not valid Base64") from None


def text_of(data: bytes) -> str:
    """Decode a file that may have a byte order mark; replace bytes that are not text."""
    if data.startswith(_UTF16):
        return data.decode("utf-16", errors="replace")
    # This recognizes UTF-16 without a mark; in big-endian text the same bytes start at odd positions.
    start = data.find(_BEGIN.encode("utf-16-le"))
    if start >= 0:
        return data.decode("utf-16-be" if start % 2 else "utf-16-le", errors="replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def looks_like_pem(data: bytes) -> bool:
    """Return whether there is at least one PEM block."""
    return _BEGIN in text_of(data)


def base64_der(data: bytes) -> bytes | None:
    """Return the DER in a file of Base64 without BEGIN and END lines; None for any other file."""
    text = "".join(text_of(data).split())
    if not text.startswith("M"):  # Base64 of a SEQUENCE's first byte
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def pem_blocks(data: bytes) -> Iterator[PemBlock]:
    """Yield the PEM blocks in file order. Raises PemError for a block without its END line."""
    for number, piece in enumerate(text_of(data).split(_BEGIN)[1:], start=1):
        label, _, rest = piece.partition(_DASHES)
        body, end, _ = rest.partition(f"-----END {label}{_DASHES}")
        if not end:
            raise PemError(f"block {number} has a BEGIN line but not the END line that belongs to it")
        # A line with a colon, which is no Base64 character, is a header such as `Proc-Type: 4,ENCRYPTED`.
        headers = [line for line in body.splitlines() if ":" in line]
        content = "\n".join(line for line in body.splitlines() if ":" not in line)
        yield PemBlock(label, number, content, encrypted=any("ENCRYPTED" in line for line in headers))


Source = Literal["certificate", "key"]
Kind = Literal["certificate", "pkcs7", "pfx", "key", "encrypted key", ""]

# The limit allows for any chain (a few KiB) and refuses a wrong file at once.
MAX_BYTES = 512 * 1024
# OpenSSL tests the primes of an RSA key at each load: 3 s for 8192 bits, 30 s for 16384. BoringSSL (Android,
# Chrome) and Apple accept up to 8192; such a key has 4.7 KB, encrypted or not.
MOST_RSA_BITS = 8192
_MOST_KEY_BYTES = 5120

DATA = "1.2.840.113549.1.7.1"
"""Content type `data` of PKCS#7 and PKCS#12."""
_PFX_VERSION = 3
_ENCRYPTED_PKCS8 = (der.SEQUENCE, der.OCTET_STRING)
_KEYSTORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")  # JKS, JCEKS
_CERTIFICATE = (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING)


def read_material(data: bytes, source: Source = "certificate") -> Material:
    """Return the certificates and private keys in one input; none if it is empty.

    `source` is the expected kind of input; it only selects texts and codes. Empty input returns empty
    material. Raises CertificateError: `certificate-unreadable`, `certificate-unsupported`, `key-unreadable`,
    `key-too-large`, `certificate-is-pfx`, `input-is-jks`, `input-too-large`.
    """
    check_size(data)
    refuse_keystore(data, text("the {source} file", source=source))
    if not data.strip():
        return Material()
    if looks_like_pem(data):
        return _read_pem(data, source)
    return _read_der(base64_der(data) or data, source)


def read_roots(data: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a trust store of any size, without unreadable ones."""
    found: list[x509.Certificate] = []
    # The text is cut before each block, so that one damaged block does not affect the others.
    blocks = [(_BEGIN + piece).encode("utf-8") for piece in text_of(data).split(_BEGIN)[1:]]
    for piece in blocks or [data]:
        with suppress(CertificateError):
            found += (_read_pem if blocks else _read_der)(piece, "certificate").certificates
    return tuple(found)


def check_size(data: bytes) -> None:
    """Raise CertificateError `input-too-large` for a file too large to be a certificate."""
    if len(data) > MAX_BYTES:
        raise INPUT_TOO_LARGE(size=len(data))


def refuse_keystore(data: bytes, where: str) -> None:
    """Raise CertificateError `input-is-jks` for a Java keystore in an old format; a new one is a PFX."""
    if data.startswith(_KEYSTORES):
        raise CertificateError(
            "input-is-jks",
            "{where} is a Java keystore (JKS)",
            hint="Convert it to a PFX: `keytool -importkeystore -srckeystore FILE -destkeystore site.pfx "
            "-deststoretype PKCS12`; then give site.pfx as `pfx`.",
            where=where,
        )


def check_key_size(data: bytes, where: str) -> None:
    """Raise CertificateError `key-too-large` for a key that takes too long to load, encrypted or not."""
    if len(data) > _MOST_KEY_BYTES:
        raise CertificateError(
            "key-too-large",
            "{where} is a private key of {size} bytes, larger than an RSA key of 8192 bits; devices refuse "
            "it",
            hint="Request a certificate with an RSA key of 2048 to 8192 bits, or an EC key on P-256 or "
            "P-384.",
            where=where,
            size=len(data),
        )


def kind_of_der(data: bytes) -> Kind:
    """Return the kind of a DER file by the types of its first parts. Raises DerError."""
    node = der.first_element(data)
    tags = tuple(child.tag for child in node.children())
    # A PFX starts with its version, followed by content of type `data`.
    with suppress(der.DerError):
        version, content, *_ = node.sequence(2)
        if version.integer() == _PFX_VERSION and content.sequence(1)[0].identifier() == DATA:
            return "pfx"
    if tags == _CERTIFICATE:
        return "certificate"
    if tags == _ENCRYPTED_PKCS8:
        return "encrypted key"
    if tags[:2] == (der.OBJECT_IDENTIFIER, der.EXPLICIT_0):
        return "pkcs7"
    return "key" if tags[:1] == (der.INTEGER,) else ""


def _read_pem(data: bytes, source: Source) -> Material:
    material = Material()
    try:
        for block in pem_blocks(data):
            if block.encrypted or block.label == "ENCRYPTED PRIVATE KEY":
                material += Material(encrypted_keys=1)
            elif reader := _READERS.get(block.label):
                material += reader(
                    block.der, text("block {number} ({label})", number=block.number, label=block.label)
                )
    except PemError as error:
        raise _unreadable(
            source, text("the {source} file is damaged: {reason}", source=source, reason=str(error))
        ) from error
    return material


def _certificate(data: bytes, where: str) -> Material:
    return Material((parse_certificate(data, where),))


def _trusted_certificate(data: bytes, where: str) -> Material:
    """Return the certificate alone: OpenSSL's trusted form appends trust settings."""
    with suppress(der.DerError):
        data = der.first_element(data).raw
    return _certificate(data, where)


def _read_der(data: bytes, source: Source) -> Material:
    where = text("the {source} file", source=source)
    try:
        kind = kind_of_der(data)
    except der.DerError as error:
        raise _unreadable(
            source, text("{where} is neither PEM nor complete DER: {reason}", where=where, reason=str(error))
        ) from error
    if kind == "encrypted key":
        return Material(encrypted_keys=1)
    reader = _READERS_OF_DER.get(kind)
    if reader is None:
        raise _unreadable(
            source, text("{where} is DER, but neither a certificate nor a private key", where=where)
        )
    return reader(der.first_element(data).raw, where)


def _pfx(_: bytes, where: str) -> Material:
    raise CertificateError(
        "certificate-is-pfx",
        "{where} is a PFX (PKCS#12) file",
        hint="Give it as `pfx`, with its passphrase, instead of `chain` and `key`.",
        where=where,
    )


@lru_cache(maxsize=4)
def _loaded_key(data: bytes) -> PrivateKeyTypes:
    """Load a key, cached: a command reads a file several times, and testing an RSA key takes long."""
    with lenient_library():
        return load_der_private_key(data, None)


def _key(data: bytes, where: str) -> Material:
    check_key_size(data, where)
    try:
        return Material(keys=(_loaded_key(data),))
    except UnsupportedAlgorithm:
        problem = text("{where} is a private key of a kind that is not supported", where=where)
    except TypeError:
        return Material(encrypted_keys=1)
    except (ValueError, OverflowError):
        problem = text("{where} is not a valid private key", where=where)
    # The exception has no cause, because no part of a key may reach a log.
    raise KEY_UNREADABLE(problem=problem)


def _openssh_key(data: bytes, where: str) -> Material:
    check_key_size(data, where)
    lines = base64.encodebytes(data).decode()
    text = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}-----END OPENSSH PRIVATE KEY-----\n"
    try:
        with lenient_library():
            return Material(keys=(load_ssh_private_key(text.encode(), None),))
    except (ValueError, UnsupportedAlgorithm):
        raise KEY_UNREADABLE(problem=f"{where} is not a valid private key") from None
    except TypeError:
        return Material(encrypted_keys=1)


def _pkcs7(data: bytes, where: str) -> Material:
    try:
        with lenient_library():
            found = pkcs7.load_der_pkcs7_certificates(data)
            # A PKCS#7 file is an unordered set, so the leaf is moved to the front.
            return Material(tuple(sorted(map(examined, found), key=is_ca)))
    except (*MALFORMED, UnsupportedAlgorithm) as error:
        raise _unreadable(
            "certificate", text("{where} is not a valid PKCS#7 certificate file", where=where)
        ) from error


def _unreadable(source: Source, message: str) -> CertificateError:
    return (CERTIFICATE_UNREADABLE if source == "certificate" else KEY_UNREADABLE)(problem=message)


# Blocks with other labels (parameters, requests, revocation lists) are ignored.
_READERS: dict[str, Callable[[bytes, str], Material]] = {
    **dict.fromkeys(("CERTIFICATE", "X509 CERTIFICATE"), _certificate),
    "TRUSTED CERTIFICATE": _trusted_certificate,
    **dict.fromkeys(("PKCS7", "CMS"), _pkcs7),
    "PKCS12": _pfx,
    **dict.fromkeys(("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"), _key),
    "OPENSSH PRIVATE KEY": _openssh_key,
}
_READERS_OF_DER: dict[Kind, Callable[[bytes, str], Material]] = {
    "certificate": _certificate,
    "pkcs7": _pkcs7,
    "key": _key,
    "pfx": _pfx,
}
