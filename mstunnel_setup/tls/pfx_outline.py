"""The outer structure of a PFX file (PKCS#12, RFC 7292): what protects it, found without the passphrase."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mstunnel_setup.tls.der import (
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
PBES2 = "1.2.840.113549.1.5.13"
PBMAC1 = "1.2.840.113549.1.5.14"
PBKDF2 = "1.2.840.113549.1.5.12"
HMAC_SHA1 = "1.2.840.113549.2.7"

_VERSION = 3
# Key derivation rounds beyond this are an attack on the reader's time, not protection.
MAX_ROUNDS = 5_000_000


class TooManyRoundsError(DerError):
    """The file asks for more key derivation rounds than any honest one."""


@dataclass(frozen=True)
class EncryptedPart:
    """An encrypted piece: its algorithms by dotted identifier and, when it is a key, its PKCS#8 encoding.

    A key that is not protected counts as a piece without algorithms.
    """

    algorithms: tuple[str, ...]
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


def is_pfx(node: Node) -> bool:
    """Whether the element looks like a PFX: version, then a content of type data."""
    try:
        version, content, *_ = sequence(node, at_least=2)
        return integer(version) == _VERSION and identifier(sequence(content, at_least=1)[0]) == DATA
    except DerError:
        return False


def outline(data: bytes) -> PfxOutline:
    """Walk the outer structure; raises DerError where it breaks."""
    pfx = first_element(data)
    _, content_info, *mac = sequence(pfx, at_least=2)
    kind, value = sequence(content_info, at_least=2)[:2]
    if identifier(kind) != DATA:
        raise DerError(f"content of type {identifier(kind)}")
    content = octets(_inside(value))
    return PfxOutline(
        encoded=pfx.raw,
        content=content,
        mac=_mac(mac[0]) if mac else None,
        parts=tuple(_encrypted_parts(content)),
    )


def _inside(explicit: Node) -> Node:
    children = expect(explicit, EXPLICIT_0).children()
    if not children:
        raise DerError("empty content")
    return children[0]


def _encrypted_parts(content: bytes) -> Iterator[EncryptedPart]:
    for content_info in sequence(first_element(content)):
        kind, value = sequence(content_info, at_least=2)[:2]
        if identifier(kind) == ENCRYPTED_DATA:
            algorithm = sequence(sequence(_inside(value), at_least=2)[1], at_least=2)[1]
            yield EncryptedPart(tuple(_algorithms(algorithm)))
        elif identifier(kind) == DATA:
            yield from _keys(octets(_inside(value)))
        else:
            raise DerError(f"content of type {identifier(kind)}")


def _keys(safe_contents: bytes) -> Iterator[EncryptedPart]:
    for bag in sequence(first_element(safe_contents)):
        kind, value = sequence(bag, at_least=2)[:2]
        if identifier(kind) == SHROUDED_KEY_BAG:
            wrapped = _inside(value)
            algorithm = sequence(wrapped, at_least=2)[0]
            yield EncryptedPart(tuple(_algorithms(algorithm)), is_key=True, encrypted_key=wrapped.raw)
        elif identifier(kind) == KEY_BAG:
            yield EncryptedPart((), is_key=True)


def _algorithms(algorithm: Node) -> Iterator[str]:
    """Identifiers of a password-based scheme; PBES2 (RFC 8018) names its parts inside."""
    scheme, parameters = sequence(algorithm, at_least=2)[:2]
    yield identifier(scheme)
    if identifier(scheme) == PBES2:
        derivation, cipher = sequence(parameters, at_least=2)[:2]
        yield identifier(sequence(cipher, at_least=1)[0])
        _check_rounds(sequence(derivation, at_least=2)[1])
    else:
        _check_rounds(parameters)


def _check_rounds(parameters: Node) -> None:
    """Both PBES1 and PBKDF2 parameters are salt first, rounds second."""
    salt, rounds = sequence(parameters, at_least=2)[:2]
    expect(salt, OCTET_STRING)
    _rounds(rounds)


def _rounds(node: Node) -> int:
    value = integer(node)
    if value < 1:
        raise DerError("key derivation without rounds")
    if value > MAX_ROUNDS:
        raise TooManyRoundsError(f"{value} key derivation rounds")
    return value


def _mac(node: Node) -> Mac:
    digest_info, salt, *rest = sequence(node, at_least=2)
    algorithm, digest = sequence(digest_info, at_least=2)[:2]
    name = identifier(sequence(algorithm, at_least=1)[0])
    if name == PBMAC1:
        return _pbmac1(sequence(algorithm, at_least=2)[1], octets(digest))
    rounds = _rounds(rest[0]) if rest else 1  # RFC 7292: DEFAULT 1
    return Mac(name, octets(digest), octets(salt), rounds)


def _pbmac1(parameters: Node, expected: bytes) -> Mac:
    derivation, scheme = sequence(parameters, at_least=2)[:2]
    kind, details = sequence(derivation, at_least=2)[:2]
    if identifier(kind) != PBKDF2:
        raise DerError(f"key derivation {identifier(kind)}")
    salt, rounds, *rest = sequence(details, at_least=2)
    prf = next((sequence(node, at_least=1)[0] for node in rest if node.tag == SEQUENCE), None)
    length = next((integer(node) for node in rest if node.tag != SEQUENCE), 0)
    return Mac(
        digest_algorithm=identifier(expect(sequence(scheme, at_least=1)[0], OBJECT_IDENTIFIER)),
        expected=expected,
        salt=octets(salt),
        rounds=_rounds(rounds),
        pbmac1_prf=identifier(prf) if prf else HMAC_SHA1,
        pbmac1_key_length=length,
    )
