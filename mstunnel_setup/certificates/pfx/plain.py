"""Key and certificate of a PFX file (PKCS#12, RFC 7292) that protects neither, as they are encoded there."""

from collections.abc import Iterator

from mstunnel_setup.certificates.der import DerError, Node, first_element, identifier, octets, sequence
from mstunnel_setup.certificates.pfx.outline import DATA, KEY_BAG, inside

_CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3"


def plain_parts(pfx: bytes) -> tuple[bytes, bytes]:
    """The key (PKCS#8, DER) and the certificate (DER). Raises DerError unless there is one of each."""
    bags = list(_bags(pfx))
    keys = [value.raw for kind, value in bags if kind == KEY_BAG]
    certificates = [
        octets(inside(sequence(value, at_least=2)[1])) for kind, value in bags if kind == _CERTIFICATE_BAG
    ]
    if (len(keys), len(certificates), len(bags)) != (1, 1, 2):
        raise DerError("not one key and one certificate")
    return keys[0], certificates[0]


def _bags(pfx: bytes) -> Iterator[tuple[str, Node]]:
    content = octets(inside(sequence(sequence(first_element(pfx), at_least=2)[1], at_least=2)[1]))
    for content_info in sequence(first_element(content)):
        kind, value = sequence(content_info, at_least=2)[:2]
        if identifier(kind) != DATA:
            raise DerError(f"content of type {identifier(kind)}")
        for bag in sequence(first_element(octets(inside(value)))):
            name, held = sequence(bag, at_least=2)[:2]
            yield identifier(name), inside(held)
