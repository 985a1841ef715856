"""What a PFX file asks of its reader is known, and bounded, before a key is derived."""

import pytest

from mstunnel_setup.certificates import der
from mstunnel_setup.certificates.pfx import (
    ENCRYPTED_DATA,
    MAX_ROUNDS,
    PBES2,
    PBKDF2,
    SCRYPT,
    TooManyRoundsError,
    outline,
)
from tests.unit.certificates.pki import Pki
from tests.unit.certificates.recipes import element, number, pfx_bytes, with_mac_rounds

DATA_TYPE = bytes.fromhex("06092a864886f70d010701")
TYPES = {
    ENCRYPTED_DATA: "06092a864886f70d010706",
    PBES2: "06092a864886f70d01050d",
    PBKDF2: "06092a864886f70d01050c",
    SCRYPT: "06092b06010401da47040b",
}
AES = element(der.SEQUENCE, bytes.fromhex("060960864801650304012a"))


def sequence(*parts: bytes) -> bytes:
    return element(der.SEQUENCE, b"".join(parts))


def explicit(content: bytes) -> bytes:
    return element(der.EXPLICIT_0, content)


def encrypted(derivation: str, *parameters: int) -> bytes:
    """An encrypted part whose key is derived with these parameters after the salt."""
    details = sequence(element(der.OCTET_STRING, b"salt"), *map(number, parameters))
    scheme = sequence(
        bytes.fromhex(TYPES[PBES2]), sequence(sequence(bytes.fromhex(TYPES[derivation]), details), AES)
    )
    content = sequence(DATA_TYPE, scheme)
    return sequence(bytes.fromhex(TYPES[ENCRYPTED_DATA]), explicit(sequence(number(0), content)))


def pfx(*parts: bytes) -> bytes:
    """A PFX without MAC."""
    content = explicit(element(der.OCTET_STRING, sequence(*parts)))
    return sequence(number(3), sequence(DATA_TYPE, content))


@pytest.mark.parametrize(
    "parts",
    [
        [encrypted(PBKDF2, MAX_ROUNDS)],
        [encrypted(PBKDF2, 2048, 32), encrypted(PBKDF2, 2048, 32)],
        [encrypted(SCRYPT, 16_384, 8, 1)],
    ],
    ids=["limit", "two parts", "scrypt"],
)
def test_a_file_within_the_limit_is_described(parts: list[bytes]) -> None:
    assert len(outline(pfx(*parts)).parts) == len(parts)


@pytest.mark.parametrize(
    "parts",
    [
        [encrypted(PBKDF2, MAX_ROUNDS + 1)],
        [encrypted(PBKDF2, MAX_ROUNDS // 100)] * 101,
        [encrypted(SCRYPT, 131_072, 1, 131_072)],
    ],
    ids=["one part", "many parts", "scrypt"],
)
def test_rounds_are_limited_over_the_whole_file(parts: list[bytes]) -> None:
    with pytest.raises(TooManyRoundsError):
        outline(pfx(*parts))


def test_bags_inside_a_bag_are_refused() -> None:
    """The library decrypts the keys in them too."""
    bag = sequence(bytes.fromhex("060b2a864886f70d010c0a0106"), explicit(sequence()))
    with pytest.raises(der.DerError):
        outline(pfx(sequence(DATA_TYPE, explicit(element(der.OCTET_STRING, sequence(bag))))))


def test_rounds_of_the_mac_count_towards_the_limit() -> None:
    made = pfx_bytes({}, Pki())
    assert outline(with_mac_rounds(made, MAX_ROUNDS // 2)).mac
    with pytest.raises(TooManyRoundsError):
        outline(with_mac_rounds(made, MAX_ROUNDS))
