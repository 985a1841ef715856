"""Split PEM text (RFC 7468, RFC 1421) into labelled blocks, forgiving about everything around them."""

import base64
import binascii
import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field

_BEGIN = "-----BEGIN "
_DASHES = "-----"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class PemError(ValueError):
    """A block that cannot be decoded; the text says which and why, never what is in it."""


@dataclass(frozen=True)
class PemBlock:
    """One block: its label and, unless old-style encryption hides it, its DER bytes."""

    label: str
    number: int
    body: str = field(repr=False)
    encrypted: bool

    @property
    def der(self) -> bytes:
        """The decoded bytes; raises PemError."""
        try:
            return base64.b64decode("".join(self.body.split()), validate=True)
        except (binascii.Error, ValueError):
            raise PemError(f"block {self.number} ({self.label}) is not valid Base64") from None


def text_of(data: bytes) -> str:
    """Text of a file that may have a byte order mark; bytes that are not text do no harm."""
    if data.startswith(_UTF16):
        return data.decode("utf-16", errors="replace")
    # Without a mark; in big-endian text the same bytes stand at odd positions.
    start = data.find(_BEGIN.encode("utf-16-le"))
    if start >= 0:
        return data.decode("utf-16-be" if start % 2 else "utf-16-le", errors="replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def looks_like_pem(data: bytes) -> bool:
    """Whether there is at least one block in it."""
    return _BEGIN in text_of(data)


def base64_der(data: bytes) -> bytes | None:
    """The DER in a file of Base64 without BEGIN and END lines; None when it is none."""
    text = "".join(text_of(data).split())
    if not text.startswith("M"):  # the first byte of a SEQUENCE
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def pem_pieces(data: bytes) -> Iterator[bytes]:
    """The data cut before each block, so that damage to one block does not reach the others."""
    for piece in text_of(data).split(_BEGIN)[1:]:
        yield (_BEGIN + piece).encode("utf-8")


def pem_blocks(data: bytes) -> Iterator[PemBlock]:
    """Yield the blocks in file order; raises PemError for one without an end."""
    for number, piece in enumerate(text_of(data).split(_BEGIN)[1:], start=1):
        label, _, rest = piece.partition(_DASHES)
        body, end, _ = rest.partition(f"-----END {label}{_DASHES}")
        if not end:
            raise PemError(f"block {number} has a BEGIN line but not the END line that belongs to it")
        headers, content = _without_headers(body)
        yield PemBlock(label, number, content, encrypted="ENCRYPTED" in headers)


def _without_headers(body: str) -> tuple[str, str]:
    """Split off headers such as `Proc-Type: 4,ENCRYPTED`: lines with a colon, which Base64 never has."""
    lines = body.splitlines()
    headers = [line for line in lines if ":" in line]
    return "\n".join(headers), "\n".join(line for line in lines if ":" not in line)
