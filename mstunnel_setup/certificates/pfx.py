"""Read PFX files (PKCS#12, RFC 7292), with an exact reason if one cannot be read.

`cryptography` raises the same error for a wrong passphrase, a damaged file and an unknown algorithm. To tell
them apart, this module first parses the outer structure, then checks the algorithms, then verifies the
passphrase with the MAC.

asn1crypto (1.5.1) would not make this shorter: it supports neither PBMAC1 nor scrypt, computes no MAC, and
takes more than ten seconds to parse an identifier of 400 kB.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import RC2, TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.certificate import MALFORMED, Material, examined, lenient_library
from mstunnel_setup.certificates.der import OCTET_STRING, SEQUENCE, DerError, Node, first_element
from mstunnel_setup.certificates.errors import (
    CERTIFICATE_UNREADABLE,
    INPUT_EMPTY,
    LEAF_AMBIGUOUS,
    PFX_DAMAGED,
)
from mstunnel_setup.certificates.read import (
    DATA,
    PemError,
    base64_der,
    check_key_size,
    check_size,
    kind_of_der,
    looks_like_pem,
    pem_blocks,
    refuse_keystore,
)

ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
KEY_BAG = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
NESTED_BAGS = "1.2.840.113549.1.12.10.1.6"
PBES2 = "1.2.840.113549.1.5.13"
PBMAC1 = "1.2.840.113549.1.5.14"
PBKDF2 = "1.2.840.113549.1.5.12"
SCRYPT = "1.3.6.1.4.1.11591.4.11"
HMAC_SHA1 = "1.2.840.113549.2.7"

# No honest file needs more key derivation rounds; such a file is meant to waste the reader's time.
MAX_ROUNDS = 5_000_000


class TooManyRoundsError(DerError):
    """The file has more key derivation rounds than any honest one."""


@dataclass(frozen=True)
class EncryptedPart:
    """An encrypted piece: its algorithms by dotted identifier and, for a key, its PKCS#8 encoding.

    An unprotected key is a piece without algorithms and rounds.
    """

    algorithms: tuple[str, ...] = ()
    rounds: int = 0
    is_key: bool = False
    encrypted_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Mac:
    """Authentication of the content: PKCS#12's scheme, or PBMAC1 (RFC 9579) with `pbmac1_prf` set."""

    digest_algorithm: str
    expected: bytes
    salt: bytes
    rounds: int
    pbmac1_prf: str = ""
    pbmac1_key_length: int = 0


@dataclass(frozen=True)
class PfxOutline:
    """Facts about a PFX file that need no passphrase."""

    encoded: bytes = field(repr=False)
    content: bytes = field(repr=False)
    mac: Mac | None
    parts: tuple[EncryptedPart, ...]

    @property
    def is_encrypted(self) -> bool:
        """True if a part is encrypted, which may hide keys with more rounds."""
        return any(part.algorithms for part in self.parts)


def outline(data: bytes) -> PfxOutline:
    """Parse the outer structure; raise DerError if it is damaged, TooManyRoundsError above `MAX_ROUNDS`.

    The contents of encrypted parts are not examined.
    """
    pfx = first_element(data)
    _, content_info, *mac = pfx.sequence(2)
    kind, value = content_info.sequence(2)[:2]
    if kind.identifier() != DATA:
        raise DerError(f"content of type {kind.identifier()}")
    content = value.inside().octets()
    found = PfxOutline(
        encoded=pfx.raw,
        content=content,
        mac=_mac(mac[0]) if mac else None,
        parts=tuple(_encrypted_parts(content)),
    )
    if sum(part.rounds for part in found.parts) + (found.mac.rounds if found.mac else 0) > MAX_ROUNDS:
        raise TooManyRoundsError(f"more than {MAX_ROUNDS} key derivation rounds")
    return found


def _encrypted_parts(content: bytes) -> Iterator[EncryptedPart]:
    for content_info in first_element(content).sequence():
        kind, value = content_info.sequence(2)[:2]
        if kind.identifier() == ENCRYPTED_DATA:
            algorithm = value.inside().sequence(2)[1].sequence(2)[1]
            yield EncryptedPart(*_protection(algorithm))
            continue
        for bag, held in _bags(kind, value):
            if bag == SHROUDED_KEY_BAG:
                wrapped = held.inside()
                algorithm = wrapped.sequence(2)[0]
                yield EncryptedPart(*_protection(algorithm), is_key=True, encrypted_key=wrapped.raw)
            elif bag == KEY_BAG:
                yield EncryptedPart(is_key=True)
            elif bag == NESTED_BAGS:
                raise DerError("bags inside a bag")


def _bags(kind: Node, value: Node) -> Iterator[tuple[str, Node]]:
    """Yield the bags of an unencrypted part, by type and content."""
    if kind.identifier() != DATA:
        raise DerError(f"content of type {kind.identifier()}")
    for bag in first_element(value.inside().octets()).sequence():
        name, held = bag.sequence(2)[:2]
        yield name.identifier(), held


def _protection(algorithm: Node) -> tuple[tuple[str, ...], int]:
    """Return identifiers and rounds of a password-based scheme; in PBES2 (RFC 8018) they are nested."""
    scheme, parameters = algorithm.sequence(2)[:2]
    if scheme.identifier() != PBES2:
        return (scheme.identifier(),), _derivation_rounds(parameters)
    derivation, cipher = parameters.sequence(2)[:2]
    kind, details = derivation.sequence(2)[:2]
    algorithms = (scheme.identifier(), cipher.sequence(1)[0].identifier())
    return algorithms, _derivation_rounds(details, is_scrypt=kind.identifier() == SCRYPT)


def _derivation_rounds(parameters: Node, *, is_scrypt: bool = False) -> int:
    """Return the rounds: salt comes first, rounds second; scrypt (RFC 7914) has two more factors."""
    salt, rounds, *rest = parameters.sequence(2)
    salt.expect(OCTET_STRING)
    return _rounds(rounds) * (prod(map(_rounds, rest[:2])) if is_scrypt else 1)


def _rounds(node: Node) -> int:
    value = node.integer()
    if value < 1:
        raise DerError("key derivation without rounds")
    return value


def _mac(node: Node) -> Mac:
    digest_info, salt, *rest = node.sequence(2)
    algorithm, digest = digest_info.sequence(2)[:2]
    name = algorithm.sequence(1)[0].identifier()
    expected = digest.octets()
    if name != PBMAC1:
        rounds = _rounds(rest[0]) if rest else 1  # RFC 7292: DEFAULT 1
        return Mac(name, expected, salt.octets(), rounds)
    derivation, scheme = algorithm.sequence(2)[1].sequence(2)[:2]
    kind, details = derivation.sequence(2)[:2]
    if kind.identifier() != PBKDF2:
        raise DerError(f"key derivation {kind.identifier()}")
    salt, count, *rest = details.sequence(2)
    prf = next((node.sequence(1)[0] for node in rest if node.tag == SEQUENCE), None)
    length = next((node.integer() for node in rest if node.tag != SEQUENCE), 0)
    return Mac(
        digest_algorithm=scheme.sequence(1)[0].identifier(),
        expected=expected,
        salt=salt.octets(),
        rounds=_rounds(count),
        pbmac1_prf=prf.identifier() if prf else HMAC_SHA1,
        pbmac1_key_length=length,
    )


# Digest names by identifier: PKCS#12 uses plain digests, PBMAC1 the HMAC identifiers.
DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.5": "sha512_224",
    "2.16.840.1.101.3.4.2.6": "sha512_256",
    "2.16.840.1.101.3.4.2.7": "sha3_224",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
# No MAC key is longer, in bytes.
_LONGEST_KEY = 1024
# RFC 7292, appendix B.3: this ID byte derives the key of a MAC.
_MAC_KEY = 3


def _opens_mac(mac: Mac, content: bytes, passphrase: bytes | None) -> bool:
    """Return whether the passphrase produces the MAC.

    Writers encode a missing passphrase as nothing or as an empty text; both are tried.
    """
    tried = (passphrase,) if passphrase else (None, b"")
    return any(hmac.compare_digest(_mac_of(mac, content, one), mac.expected) for one in tried)


def _mac_of(mac: Mac, content: bytes, passphrase: bytes | None) -> bytes:
    digest = DIGESTS[mac.digest_algorithm]
    if mac.pbmac1_prf:
        length, prf = mac.pbmac1_key_length, DIGESTS[mac.pbmac1_prf]
        if not 1 <= length <= _LONGEST_KEY:
            length = hashlib.new(digest).digest_size
        key = hashlib.pbkdf2_hmac(prf, passphrase or b"", mac.salt, mac.rounds, length)
    else:
        # One block of RFC 7292 appendix B.2 is enough, because the key is one digest long.
        size = hashlib.new(digest).block_size
        key = bytes([_MAC_KEY]) * size + _filled(mac.salt, size) + _filled(_wide(passphrase), size)
        for _ in range(mac.rounds):
            key = hashlib.new(digest, key).digest()
    return hmac.digest(key, content, digest)


def _wide(passphrase: bytes | None) -> bytes:
    """Encode as BMPString with a final zero; bytes that are not UTF-8 count as Latin-1."""
    if passphrase is None:
        return b""
    try:
        text = passphrase.decode()
    except UnicodeDecodeError:
        text = passphrase.decode("latin-1")
    return text.encode("utf-16-be") + b"\x00\x00"


def _filled(data: bytes, size: int) -> bytes:
    """Return `data` repeated up to the next multiple of `size`."""
    length = -(-len(data) // size) * size
    return (data * (length // len(data) + 1))[:length] if data else b""


_CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3"


def plain_parts(pfx: bytes) -> tuple[bytes, bytes]:
    """Return key (PKCS#8, DER) and certificate (DER). Raises DerError unless there is one of each."""
    content = first_element(pfx).sequence(2)[1].sequence(2)[1].inside().octets()
    bags = [
        (name, held.inside())
        for part in first_element(content).sequence()
        for name, held in _bags(*part.sequence(2)[:2])
    ]
    keys = [value.raw for name, value in bags if name == KEY_BAG]
    certificates = [
        value.sequence(2)[1].inside().octets() for name, value in bags if name == _CERTIFICATE_BAG
    ]
    if (len(keys), len(certificates), len(bags)) != (1, 1, 2):
        raise DerError("not one key and one certificate")
    return keys[0], certificates[0]


@lru_cache(maxsize=2)
def opened_pfx(pfx: bytes, passphrase: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    """Load the PFX with the library. Raises ValueError, TypeError or UnsupportedAlgorithm, as it does.

    The library tests the primes of an RSA key at each load: 0.1 s for 3072 bits, 3 s for 8192.
    """
    return pkcs12.load_pkcs12(pfx, passphrase)


_WHERE = text("the PFX file")
_LABELS = (["PKCS12"], ["PFX"])  # GnuTLS writes PKCS12
_OTHERS = {"certificate": text("a certificate"), "pkcs7": text("a file of certificates (PKCS#7)")}
_REFUSED = {
    "1.2.840.113549.1.12.1.1": text("RC4, 128 bits"),
    "1.2.840.113549.1.12.1.2": text("RC4, 40 bits"),
    "1.2.840.113549.1.5.1": text("DES with MD2"),
    "1.2.840.113549.1.5.3": text("DES with MD5"),
    "1.2.840.113549.1.5.4": text("RC2 with MD2"),
    "1.2.840.113549.1.5.6": text("RC2 with MD5"),
    "1.2.840.113549.1.5.10": text("DES with SHA-1"),
    "1.2.840.113549.1.5.11": text("RC2 with SHA-1"),
    "1.3.14.3.2.7": "DES",
    "1.2.840.113549.2.2": "MD2",
    "1.2.840.113549.2.4": "MD4",
    "1.2.840.113549.2.5": "MD5",
}
# Windows and Java still write these old algorithms; FIPS builds of the library cannot read them.
_OLD: dict[str, BlockCipherAlgorithm] = {
    "1.2.840.113549.1.12.1.3": TripleDES(bytes(24)),
    "1.2.840.113549.1.12.1.4": TripleDES(bytes(24)),
    "1.2.840.113549.1.12.1.5": RC2(bytes(16)),
    "1.2.840.113549.1.12.1.6": RC2(bytes(16)),
}


def read_pfx(data: bytes, passphrase: bytes | None = None) -> Material:
    """Read a PFX file, also as Base64; None and "" both open a file without a passphrase.

    Raises CertificateError: `pfx-passphrase-missing`, `pfx-passphrase-wrong`, `pfx-damaged`, `pfx-rounds`,
    `pfx-legacy-algorithm`, `leaf-ambiguous`, `pfx-is-pem`, `pfx-is-other`, `input-is-jks`, `input-empty`,
    `input-too-large`, `key-too-large`, `certificate-unreadable`.
    """
    found = _outlined(data)
    _refuse_algorithms(found)
    # No writer can have used this passphrase: OpenSSL ends it at the zero byte.
    if b"\0" in (passphrase or b""):
        raise _wrong_passphrase(found, passphrase)
    if found.mac and not _opens_mac(found.mac, found.content, passphrase):
        if _opens_a_key(found, passphrase):
            raise PFX_DAMAGED(
                reason=text("the passphrase fits, but the content was changed after it was written")
            )
        raise _wrong_passphrase(found, passphrase)
    for part in found.parts:
        check_key_size(part.encrypted_key, "the one in the PFX file")
    # Of several keys the library would use the first one, which may not be this gateway's.
    keys = sum(part.is_key for part in found.parts)
    if keys > 1:
        raise LEAF_AMBIGUOUS(found=text("{keys} in the PFX file", keys=keys))
    try:
        with lenient_library():
            bundle = opened_pfx(found.encoded, passphrase or None)
            certificates = [bundle.cert, *bundle.additional_certs]
            return Material(
                certificates=tuple(examined(entry.certificate) for entry in certificates if entry),
                keys=(bundle.key,) if bundle.key else (),
            )
    except (*MALFORMED, UnsupportedAlgorithm) as error:
        # Here the MAC was right, or the file has none.
        if found.mac is None and found.parts and not _opens_a_key(found, passphrase):
            raise _wrong_passphrase(found, passphrase) from error
        if found.mac is None:
            raise PFX_DAMAGED(reason=text("its content is not a valid key with certificates")) from error
        raise CERTIFICATE_UNREADABLE(
            problem=text("the PFX file opens, but the certificates or the key in it are not valid")
        ) from error


def _outlined(data: bytes) -> PfxOutline:
    """Parse the outer structure. Raises CertificateError that names the file's actual type."""
    check_size(data)
    refuse_keystore(data, _WHERE)
    if not data.strip():
        raise INPUT_EMPTY(where=_WHERE)
    try:
        encoded = base64_der(data) or data
        if looks_like_pem(data):
            blocks = list(pem_blocks(data))
            if [block.label for block in blocks] not in _LABELS:
                raise CertificateError(
                    "pfx-is-pem",
                    "the PFX file contains PEM text",
                    hint="Give it as `chain` and `key` instead of `pfx`.",
                )
            encoded = blocks[0].der
        if kind := _OTHERS.get(kind_of_der(encoded)):
            raise CertificateError(
                "pfx-is-other",
                "the PFX file is {kind} in DER, without a private key",
                hint="Give it as `chain`, with its private key as `key`, instead of `pfx`.",
                kind=kind,
            )
        return outline(encoded)
    except TooManyRoundsError as error:
        raise CertificateError(
            "pfx-rounds",
            "the PFX file takes more than {most} key derivation rounds to open",
            hint="Export it again with fewer (OpenSSL's default is 2048): `openssl pkcs12 -in FILE -noenc "
            "-out site.pem`, then `openssl pkcs12 -export -in site.pem -out site.pfx`, and delete site.pem.",
            most=MAX_ROUNDS,
        ) from error
    except (DerError, PemError) as error:
        raise PFX_DAMAGED(reason=str(error)) from error


def _refuse_algorithms(found: PfxOutline) -> None:
    used = {name for part in found.parts for name in part.algorithms}
    if found.mac:
        used.add(found.mac.digest_algorithm)
    refused = {_REFUSED[name] for name in used if name in _REFUSED}
    for algorithm in (_OLD[name] for name in used if name in _OLD):
        try:
            Cipher(algorithm, CBC(bytes(algorithm.block_size // 8))).decryptor()
        except UnsupportedAlgorithm:
            refused.add(algorithm.name)
    algorithms = ", ".join(sorted(refused))
    digests = filter(None, (found.mac.digest_algorithm, found.mac.pbmac1_prf)) if found.mac else ()
    known = all(DIGESTS.get(name, "-") in hashlib.algorithms_available for name in digests)
    if found.mac and not algorithms and not known:
        algorithms = text("MAC {digest_algorithm}", digest_algorithm=plain(found.mac.digest_algorithm))
    if algorithms:
        raise CertificateError(
            "pfx-legacy-algorithm",
            "the PFX file uses an outdated algorithm: {algorithms}",
            hint="Export it again with AES-256 and SHA-256 (`openssl pkcs12 -export`, or the Windows export "
            "wizard).",
            algorithms=algorithms,
        )


def _opens_a_key(found: PfxOutline, passphrase: bytes | None) -> bool:
    for part in found.parts:
        # Any error means that this key was not decrypted.
        with suppress(ValueError, TypeError, OverflowError, UnsupportedAlgorithm), lenient_library():
            if part.encrypted_key:
                load_der_private_key(part.encrypted_key, passphrase or b"")
                return True
    return False


def _wrong_passphrase(found: PfxOutline, passphrase: bytes | None) -> CertificateError:
    if not passphrase:
        return CertificateError(
            "pfx-passphrase-missing",
            "the PFX file is protected by a passphrase, but none was given",
            hint="Give the passphrase (`passphrase: file:PATH`, or `--passphrase-file PATH`).",
        )
    if found.mac and _opens_mac(found.mac, found.content, None):
        return CertificateError(
            "pfx-passphrase-unneeded",
            "the PFX file has no passphrase, but one was given",
            hint="Leave the passphrase out.",
        )
    return CertificateError(
        "pfx-passphrase-wrong",
        "the passphrase does not open the PFX file",
        hint="Check the passphrase: upper case, characters outside ASCII, a line end if it is in a file.",
    )
