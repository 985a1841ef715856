"""A small parser of DER and BER structures, to examine a file before a library judges it.

It covers only the needs of X.509, PKCS#8 and PKCS#12 (ITU-T X.690): low tag numbers, definite and indefinite
lengths, octet strings in pieces.
"""

from dataclasses import dataclass, field

SEQUENCE = 0x30
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
IA5_STRING = 0x16
EXPLICIT_0 = 0xA0

_CONSTRUCTED = 0x20
_HIGH_TAG = 0x1F
_LONG_FORM = 0x80
_MAX_LENGTH_BYTES = 4
_MAX_DEPTH = 32
# This is twice the longest identifier in use; numbers of any length would take long to read and print.
_MAX_IDENTIFIER_BYTES = 128
_END_OF_CONTENTS = b"\x00\x00"


class DerError(ValueError):
    """Raised when the bytes do not have the expected structure."""


@dataclass(frozen=True)
class Node:
    """An element: its tag, its content without header, and its whole encoding (`raw`).

    The methods raise DerError if the element has another type.
    """

    tag: int
    content: bytes = field(repr=False)
    raw: bytes = field(repr=False)

    def expect(self, tag: int) -> "Node":
        """Return the element itself if it has the tag."""
        if self.tag != tag:
            raise DerError(f"expected element {tag:#04x}, found {self.tag:#04x}")
        return self

    def children(self) -> tuple["Node", ...]:
        """Return the elements inside a constructed element."""
        if not self.tag & _CONSTRUCTED:
            raise DerError(f"element {self.tag:#04x} has no parts")
        found = []
        position = 0
        while position < len(self.content):
            node, position = _element(self.content, position, 0)
            found.append(node)
        return tuple(found)

    def sequence(self, at_least: int = 0) -> tuple["Node", ...]:
        """Return the parts of a SEQUENCE with at least `at_least` parts."""
        parts = self.expect(SEQUENCE).children()
        if len(parts) < at_least:
            raise DerError(f"expected {at_least} parts, found {len(parts)}")
        return parts

    def inside(self) -> "Node":
        """Return the element inside an explicit tag."""
        children = self.expect(EXPLICIT_0).children()
        if not children:
            raise DerError("empty content")
        return children[0]

    def integer(self) -> int:
        """Return the value of an INTEGER."""
        return int.from_bytes(self.expect(INTEGER).content, "big", signed=True)

    def octets(self, depth: int = 0) -> bytes:
        """Return the content of an octet string, also of one that BER cut into pieces."""
        if depth > _MAX_DEPTH:
            raise DerError("nested too deeply")
        if not self.tag & _CONSTRUCTED:
            return self.content
        return b"".join(piece.octets(depth + 1) for piece in self.children())

    def identifier(self) -> str:
        """Return the dotted form of an OBJECT IDENTIFIER."""
        content = self.expect(OBJECT_IDENTIFIER).content
        if len(content) > _MAX_IDENTIFIER_BYTES:
            raise DerError(f"object identifier of {len(content)} bytes")
        numbers: list[int] = []
        value = 0
        for byte in content:
            value = value << 7 | byte & 0x7F
            if not byte & _LONG_FORM:
                numbers.append(value)
                value = 0
        if not numbers:
            raise DerError("empty object identifier")
        first = min(numbers[0] // 40, 2)
        return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))


def first_element(data: bytes) -> Node:
    """Return the first element of `data`, ignoring the bytes after it. Raises DerError."""
    return _element(data, 0, 0)[0]


def _element(data: bytes, start: int, depth: int) -> tuple[Node, int]:
    if depth > _MAX_DEPTH:
        raise DerError("nested too deeply")
    if len(data) < start + 2:
        raise DerError("cut off in a header")
    tag = data[start]
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise DerError("unexpected tag number")
    length, body = data[start + 1], start + 2
    if length == _LONG_FORM:
        # An element of indefinite length ends at the mark behind its last part.
        if not tag & _CONSTRUCTED:
            raise DerError("a simple element without a length")
        end = body
        while data[end : end + 2] != _END_OF_CONTENTS:
            _, end = _element(data, end, depth + 1)
        return Node(tag, data[body:end], data[start : end + 2]), end + 2
    if length > _LONG_FORM:
        count = length & 0x7F
        body += count
        if count > _MAX_LENGTH_BYTES or body > len(data):
            raise DerError("impossible length")
        length = int.from_bytes(data[start + 2 : body], "big")
    end = body + length
    if end > len(data):
        raise DerError(f"cut off: {length} bytes announced, {len(data) - body} there")
    return Node(tag, data[body:end], data[start:end]), end
