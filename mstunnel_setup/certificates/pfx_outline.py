"""PFX files (PKCS#12, RFC 7292) from outside: protection, whether a passphrase opens one, plain parts."""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod

from cryptography.hazmat.primitives.serialization import pkcs12

from mstunnel_setup.certificates.der import (
    EXPLICIT_0,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Node,
    expect,
    first_element,
    identifier,
    integer,
    octets,
    sequence,
)

DATA = "1.2.840.113549.1.7.1"
ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
KEY_BAG = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
NESTED_BAGS = "1.2.840.113549.1.12.10.1.6"
PBES2 = "1.2.840.113549.1.5.13"
PBMAC1 = "1.2.840.113549.1.5.14"
PBKDF2 = "1.2.840.113549.1.5.12"
SCRYPT = "1.3.6.1.4.1.11591.4.11"
HMAC_SHA1 = "1.2.840.113549.2.7"

_VERSION = 3
# More key derivation rounds in a whole file are an attack on the reader's time, not protection.
MAX_ROUNDS = 5_000_000


class TooManyRoundsError(DerError):
    """The whole file asks for more key derivation rounds than any honest one."""


@dataclass(frozen=True)
class EncryptedPart:
    """An encrypted piece: its algorithms by dotted identifier and, when it is a key, its PKCS#8 encoding.

    A key that is not protected counts as a piece without algorithms and rounds.
    """

    algorithms: tuple[str, ...] = ()
    rounds: int = 0
    is_key: bool = False
    encrypted_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Mac:
    """How the content is authenticated: PKCS#12's own scheme, or PBMAC1 (RFC 9579) with `pbmac1_prf` set."""

    digest_algorithm: str
    expected: bytes
    salt: bytes
    rounds: int
    pbmac1_prf: str = ""
    pbmac1_key_length: int = 0


@dataclass(frozen=True)
class PfxOutline:
    """What can be known of a PFX file without its passphrase."""

    encoded: bytes = field(repr=False)
    content: bytes = field(repr=False)
    mac: Mac | None
    parts: tuple[EncryptedPart, ...]

    @property
    def is_encrypted(self) -> bool:
        """Whether a passphrase hides a part of it, in which there may be keys with rounds of their own."""
        return any(part.algorithms for part in self.parts)


def is_pfx(node: Node) -> bool:
    """Whether the element looks like a PFX: version, then a content of type data."""
    try:
        version, content, *_ = sequence(node, at_least=2)
        return integer(version) == _VERSION and identifier(sequence(content, at_least=1)[0]) == DATA
    except DerError:
        return False


def outline(data: bytes) -> PfxOutline:
    """Walk the outer structure; raises DerError where it breaks, TooManyRoundsError above `MAX_ROUNDS`.

    What stands inside an encrypted part is not seen.
    """
    pfx = first_element(data)
    _, content_info, *mac = sequence(pfx, at_least=2)
    kind, value = sequence(content_info, at_least=2)[:2]
    if identifier(kind) != DATA:
        raise DerError(f"content of type {identifier(kind)}")
    content = octets(inside(value))
    found = PfxOutline(
        encoded=pfx.raw,
        content=content,
        mac=_mac(mac[0]) if mac else None,
        parts=tuple(_encrypted_parts(content)),
    )
    if sum(part.rounds for part in found.parts) + (found.mac.rounds if found.mac else 0) > MAX_ROUNDS:
        raise TooManyRoundsError(f"more than {MAX_ROUNDS} key derivation rounds")
    return found


def inside(explicit: Node) -> Node:
    """What an explicit tag contains. Raises DerError."""
    children = expect(explicit, EXPLICIT_0).children()
    if not children:
        raise DerError("empty content")
    return children[0]


def _encrypted_parts(content: bytes) -> Iterator[EncryptedPart]:
    for content_info in sequence(first_element(content)):
        kind, value = sequence(content_info, at_least=2)[:2]
        if identifier(kind) == ENCRYPTED_DATA:
            algorithm = sequence(sequence(inside(value), at_least=2)[1], at_least=2)[1]
            yield EncryptedPart(*_protection(algorithm))
            continue
        for bag, held in _bags(kind, value):
            if bag == SHROUDED_KEY_BAG:
                wrapped = inside(held)
                algorithm = sequence(wrapped, at_least=2)[0]
                yield EncryptedPart(*_protection(algorithm), is_key=True, encrypted_key=wrapped.raw)
            elif bag == KEY_BAG:
                yield EncryptedPart(is_key=True)
            elif bag == NESTED_BAGS:
                raise DerError("bags inside a bag")


def _bags(kind: Node, value: Node) -> Iterator[tuple[str, Node]]:
    """The bags of a part that is not encrypted: their types, and what they hold."""
    if identifier(kind) != DATA:
        raise DerError(f"content of type {identifier(kind)}")
    for bag in sequence(first_element(octets(inside(value)))):
        name, held = sequence(bag, at_least=2)[:2]
        yield identifier(name), held


def _protection(algorithm: Node) -> tuple[tuple[str, ...], int]:
    """Identifiers and rounds of a password-based scheme; PBES2 (RFC 8018) names its parts inside."""
    scheme, parameters = sequence(algorithm, at_least=2)[:2]
    if identifier(scheme) != PBES2:
        return (identifier(scheme),), _derivation_rounds(parameters)
    derivation, cipher = sequence(parameters, at_least=2)[:2]
    kind, details = sequence(derivation, at_least=2)[:2]
    algorithms = (identifier(scheme), identifier(sequence(cipher, at_least=1)[0]))
    return algorithms, _derivation_rounds(details, is_scrypt=identifier(kind) == SCRYPT)


def _derivation_rounds(parameters: Node, *, is_scrypt: bool = False) -> int:
    """Parameters of all kinds are salt first, rounds second; scrypt (RFC 7914) has two more factors."""
    salt, rounds, *rest = sequence(parameters, at_least=2)
    expect(salt, OCTET_STRING)
    return _rounds(rounds) * (prod(map(_rounds, rest[:2])) if is_scrypt else 1)


def _rounds(node: Node) -> int:
    value = integer(node)
    if value < 1:
        raise DerError("key derivation without rounds")
    return value


def _mac(node: Node) -> Mac:
    digest_info, salt, *rest = sequence(node, at_least=2)
    algorithm, digest = sequence(digest_info, at_least=2)[:2]
    name = identifier(sequence(algorithm, at_least=1)[0])
    expected = octets(digest)
    if name != PBMAC1:
        rounds = _rounds(rest[0]) if rest else 1  # RFC 7292: DEFAULT 1
        return Mac(name, expected, octets(salt), rounds)
    derivation, scheme = sequence(sequence(algorithm, at_least=2)[1], at_least=2)[:2]
    kind, details = sequence(derivation, at_least=2)[:2]
    if identifier(kind) != PBKDF2:
        raise DerError(f"key derivation {identifier(kind)}")
    salt, count, *rest = sequence(details, at_least=2)
    prf = next((sequence(node, at_least=1)[0] for node in rest if node.tag == SEQUENCE), None)
    length = next((integer(node) for node in rest if node.tag != SEQUENCE), 0)
    return Mac(
        digest_algorithm=identifier(expect(sequence(scheme, at_least=1)[0], OBJECT_IDENTIFIER)),
        expected=expected,
        salt=octets(salt),
        rounds=_rounds(count),
        pbmac1_prf=identifier(prf) if prf else HMAC_SHA1,
        pbmac1_key_length=length,
    )


# Digest names by identifier: plain digests of PKCS#12, and the HMAC identifiers of PBMAC1.
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
_LONGEST_KEY = 1024  # bytes; no MAC key is longer
_MAC_KEY = 3  # the purpose byte of RFC 7292 appendix B.3


def mac_is_known(mac: Mac) -> bool:
    """Whether the MAC uses digests that are known here."""
    names = (mac.digest_algorithm, mac.pbmac1_prf) if mac.pbmac1_prf else (mac.digest_algorithm,)
    return all(DIGESTS.get(name, "-") in hashlib.algorithms_available for name in names)


def opens_mac(mac: Mac, content: bytes, passphrase: bytes | None) -> bool:
    """Whether the passphrase (None: no passphrase at all, which is not the empty one) produces the MAC."""
    digest = DIGESTS[mac.digest_algorithm]
    if mac.pbmac1_prf:
        length, prf = mac.pbmac1_key_length, DIGESTS[mac.pbmac1_prf]
        if not 1 <= length <= _LONGEST_KEY:
            length = hashlib.new(digest).digest_size
        key = hashlib.pbkdf2_hmac(prf, passphrase or b"", mac.salt, mac.rounds, length)
    else:
        # RFC 7292 appendix B.2; one block is enough, the key is one digest long.
        size = hashlib.new(digest).block_size
        key = bytes([_MAC_KEY]) * size + _filled(mac.salt, size) + _filled(wide(passphrase), size)
        for _ in range(mac.rounds):
            key = hashlib.new(digest, key).digest()
    return hmac.compare_digest(hmac.digest(key, content, digest), mac.expected)


def wide(passphrase: bytes | None) -> bytes:
    """Two bytes per character and a final zero (BMPString); bytes that are not UTF-8 count as Latin-1."""
    if passphrase is None:
        return b""
    try:
        text = passphrase.decode()
    except UnicodeDecodeError:
        text = passphrase.decode("latin-1")
    return text.encode("utf-16-be") + b"\x00\x00"


def _filled(data: bytes, size: int) -> bytes:
    """Repeat `data` up to the next multiple of `size`."""
    length = -(-len(data) // size) * size
    return (data * (length // len(data) + 1))[:length] if data else b""


_CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3"


def plain_parts(pfx: bytes) -> tuple[bytes, bytes]:
    """The key (PKCS#8, DER) and the certificate (DER). Raises DerError unless there is one of each."""
    content = octets(inside(sequence(sequence(first_element(pfx), at_least=2)[1], at_least=2)[1]))
    bags = [
        (name, inside(held))
        for part in sequence(first_element(content))
        for name, held in _bags(*sequence(part, at_least=2)[:2])
    ]
    keys = [value.raw for name, value in bags if name == KEY_BAG]
    certificates = [
        octets(inside(sequence(value, at_least=2)[1])) for name, value in bags if name == _CERTIFICATE_BAG
    ]
    if (len(keys), len(certificates), len(bags)) != (1, 1, 2):
        raise DerError("not one key and one certificate")
    return keys[0], certificates[0]


@lru_cache(maxsize=2)
def opened_pfx(pfx: bytes, passphrase: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    """What is in it. Raises ValueError, TypeError or UnsupportedAlgorithm, as the library does.

    The library tests the primes of an RSA key whenever it reads one: 0.1 s for 3072 bits, 3 s for 8192.
    """
    return pkcs12.load_pkcs12(pfx, passphrase)
