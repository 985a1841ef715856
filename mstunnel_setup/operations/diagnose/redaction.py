"""Taking secrets out of text that leaves the host: those we know, in every form, and what looks like one."""

import base64
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote_from_bytes

from mstunnel_setup.redaction import printable

STARS: Final = "********"
# A shorter one would put stars into ordinary words.
_SHORTEST: Final = 6
_LINE: Final = re.compile(rb"[A-Za-z0-9+/=_-]{16,}")

_NAMES: Final = (
    r"\b[\w-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|webvpn\w*|cookie|device_code|user_code)"
    r"[\w-]*"
)
_VALUE: Final = r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&\"'}]+)"

# What is a secret by its looks. The first group stays.
_PATTERNS: Final = {
    "private key": re.compile(
        r"()-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
        # PKCS 8 and PKCS 1 in Base64, without the lines around.
        r"|\bM[\w+/]{3,7}(?:IBADANBgkqhki|AgEAMBMGByqGSM49|IBAAKCA)[\w+/]+=*",
        re.DOTALL,
    ),
    "token": re.compile(r"()\beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*){0,3}"),
    # Three characters, the generation, and the rest: as Entra makes them.
    "client secret": re.compile(r"()(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,}"),
    # Whatever the scheme and however many there are: all of the line.
    "header": re.compile(
        r"(\b(?:proxy-)?authorization\s*:\s*|\b(?:set-)?cookie\s*:\s*)[^\n\"]+", re.IGNORECASE
    ),
    "authorization": re.compile(r"(\b(?:bearer|basic|digest)\s+)[\w+/=.~:-]{6,}", re.IGNORECASE),
    "address with password": re.compile(
        r"(\b[a-z][a-z0-9+.-]*://|_proxy[\"']?\s*[=:]\s*[\"']?)[^/\s@\"']+@", re.IGNORECASE
    ),
    "address with code": re.compile(
        r"([?&](?:\w+_)?(?:code|sig|signature|state|nonce|assertion|key)=)[^\s&\"'#]+", re.IGNORECASE
    ),
    "passphrase": re.compile(r"(\bpass(?:word|phrase)\s*:\s+)[^\s\"'][^\n,;&\"'}]*", re.IGNORECASE),
    "named secret": re.compile(rf"({_NAMES}[\"']?\s*[=:]\s*){_VALUE}", re.IGNORECASE),
    # Of a path one may know that it is that of a key.
    "named key": re.compile(
        rf"(\b\w+[_-]key[\"']?\s*[=:]\s*)(?![\"']?(?:/|file:|env:)){_VALUE}", re.IGNORECASE
    ),
    "option": re.compile(
        rf"(\s--?[\w-]*(?:passw(?:or)?d|passphrase|secret|token)[ =]|\bpass:){_VALUE}", re.IGNORECASE
    ),
    "session": re.compile(r"(\"?(?:Full session|Session)\"?\s*:\s+)\"?[\w+/=-]{5,}\"?"),
}


class Scrubber:
    """Replaces secrets by stars and counts them by kind. `known` are secrets as bytes."""

    def __init__(self, known: Iterable[bytes]) -> None:
        forms = {form for secret in known for part in _parts(secret) for form in _forms(part)}
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None
        self.counts: Counter[str] = Counter()

    def clean(self, text: str) -> str:
        """`text` without secrets and without control characters."""
        # What UTF-16 puts between the letters would hide them from every search.
        text = printable(text.replace("\0", ""))
        if self._known is not None:
            text, count = self._known.subn(STARS, text)
            self.counts["known secret"] += count
        for kind, pattern in _PATTERNS.items():
            text, count = pattern.subn(lambda found: f"{found[1] or ''}{STARS}", text)
            self.counts[kind] += count
        return text

    def holds(self, text: str) -> bool:
        """Whether a known secret is in `text`, in any form."""
        return self._known is not None and self._known.search(text.replace("\0", "")) is not None


def _parts(secret: bytes) -> set[bytes]:
    """The secret, and its longer lines: of a key one line alone is too much."""
    stripped = secret.strip()
    lines = {line for line in _LINE.findall(stripped) if b"-----" not in line}
    return {part for part in {stripped, *lines} if len(part) >= _SHORTEST}


def _forms(secret: bytes) -> set[str]:
    """The secret as itself, Base64 (anywhere in a text), URL, hex, JSON; forwards and backwards."""
    encoded = {secret, quote_from_bytes(secret, safe="").encode(), secret.hex().encode()}
    for shift in range(3):
        # The characters at both ends depend on the neighbours.
        inner = base64.b64encode(b"\0" * shift + secret)[4 * (shift > 0) :].rstrip(b"=")[:-1]
        encoded |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    texts = {form.decode("utf-8", errors="ignore") for form in encoded}
    texts |= {text.replace("\\", "\\\\").replace('"', '\\"') for text in texts}
    return {form for text in texts for form in (text, text[::-1]) if len(form) >= _SHORTEST}
