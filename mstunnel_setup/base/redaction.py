"""Redaction: replacing secrets by stars, those that are known in every form, and what looks like one.

This module is part of the vocabulary of every layer. The time that each function takes grows in proportion to
the text, whatever the text is.
"""

import base64
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias
from urllib.parse import quote_from_bytes, quote_plus

from mstunnel_setup.base.text import printable

STARS: Final = "********"
LONGEST_LINE: Final = 16_384
"""Characters of a line that stay in the diagnostic file; the rest is cut, and the line says so."""

_SMALL: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
# A shorter secret would put stars into ordinary words: one that was given to us, and one found on a host.
_SHORTEST: Final = 4
_SHORTEST_FOUND: Final = 6
_LINE: Final = re.compile(rb"[A-Za-z0-9+/=_-]{16,}")
_Match: TypeAlias = re.Match[str]
_Rule: TypeAlias = tuple[str, re.Pattern[str], Callable[[_Match], str]]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Known:
    """Secrets that are known, as what to look for: every form, in upper or lower case."""

    def __init__(self) -> None:
        # By how they begin: so the time to find them does not grow with their number.
        self._forms: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, secret: bytes, shortest: int = _SHORTEST) -> None:
        """Look for `secret` from now on; forms of fewer than `shortest` characters are left out."""
        for form in _forms(secret):
            if len(form) >= shortest:
                self._forms[form[:_SHORTEST].translate(_SMALL)].add(form.translate(_SMALL))

    def replaced(self, text: str) -> tuple[str, int]:
        """`text` with stars for every known secret, and for how many places."""
        parts, end, count = [], 0, 0
        small = text.translate(_SMALL) if self._forms else ""
        places = (
            (at, at + len(form))
            for at in range(len(small))
            for form in self._forms.get(small[at : at + _SHORTEST], ())
            if small.startswith(form, at)
        )
        for start, stop in _merged(places):
            parts += [text[end:start], STARS]
            end, count = stop, count + 1
        return "".join([*parts, text[end:]]), count


class Redactor:
    """Knows the secrets of this run and replaces them by stars wherever text leaves the program."""

    def __init__(self) -> None:
        self._known = Known()

    def register(self, value: str) -> None:
        """Never show `value`, in no form; one of fewer than 4 characters is no secret."""
        if len(value) >= _SHORTEST:
            self._known.add(value.encode("utf-8", errors="replace"))

    def clean(self, text: str) -> str:
        """`text` with stars for secrets, and without control characters."""
        return self._known.replaced(printable(text))[0]

    def clean_value(self, value: Json) -> Json:
        """A JSON value with every text in it cleaned."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self.clean_value(item) for item in value]
        if isinstance(value, dict):
            return {self.clean(name): self.clean_value(item) for name, item in value.items()}
        return value


class Scrubber:
    """For text that leaves the host: replaces known and likely secrets, and counts them by kind.

    `known` are secrets as bytes. Lines longer than `LONGEST_LINE` are cut.
    """

    def __init__(self, known: Iterable[bytes]) -> None:
        self._known = Known()
        for secret in known:
            # Its longer lines, too: of a key one line alone is too much.
            stripped = secret.strip()
            lines = {line for line in _LINE.findall(stripped) if b"-----" not in line}
            for part in {stripped, *lines}:
                if len(part) >= _SHORTEST_FOUND:
                    self._known.add(part, _SHORTEST_FOUND)
        self.counts: Counter[str] = Counter()

    def clean(self, text: str) -> str:
        """`text` without secrets and without control characters."""
        # What UTF-16 puts between the letters would hide them from every search.
        text, count = self._known.replaced(printable(text.replace("\0", "")))
        self.counts["known secret"] += count
        lines = without_likely(text, self.counts).splitlines(keepends=True)
        for number, line in enumerate(lines):
            content = line.rstrip("\r\n")
            if (left := len(content) - LONGEST_LINE) > 0:
                lines[number] = f"{content[:LONGEST_LINE]} [{left} characters cut]{line[len(content) :]}"
        return "".join(lines)

    def holds(self, text: str) -> bool:
        """Whether a known secret is in `text`, in any form."""
        return self._known.replaced(text.replace("\0", ""))[1] > 0


def without_tokens(text: str) -> str:
    """`text` with stars for JSON Web Tokens, for messages that quote a server's answer."""
    return _TOKEN.sub(STARS, text)


def without_likely(text: str, counts: Counter[str] | None = None) -> str:
    """`text` with stars for what looks like a secret, for messages that quote other programs.

    `counts` gets how many there were of each kind.
    """
    counts = Counter() if counts is None else counts
    for kind, pattern, replace in _RULES:
        parts, end = [], 0
        for found in pattern.finditer(text):
            new = replace(found)
            counts[kind] += new != found[0]
            parts += [text[end : found.start()], new]
            end = found.end()
        text = "".join([*parts, text[end:]])
    return text


def _merged(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places in order, those that overlap as one."""
    start = stop = -1
    for first, last in sorted(places):
        if first >= stop:
            if stop > start:
                yield start, stop
            start = first
        stop = max(stop, last)
    if stop > start:
        yield start, stop


def _forms(secret: bytes) -> set[str]:
    """The secret as itself, Base64 (anywhere in a text), URL, hex, JSON; forwards and backwards."""
    encoded = {secret, quote_from_bytes(secret, safe="").encode(), secret.hex().encode()}
    encoded |= {quote_plus(secret).encode(), quote_from_bytes(secret, safe="/").encode()}
    encoded.add(base64.b64encode(secret))
    for shift in range(3):
        # The characters at both ends depend on the neighbours.
        inner = base64.b64encode(b"\0" * shift + secret)[4 * (shift > 0) :].rstrip(b"=")[:-1]
        encoded |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    texts = {form.decode("utf-8", errors="ignore") for form in encoded}
    for ascii_only in (True, False):
        texts |= {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in texts}
    texts |= {printable(text) for text in texts}
    return {form for text in texts for form in (text, text[::-1])}


# What is a secret by its looks. No rule looks further than a fixed distance before it either fails or
# consumes what it has seen; that is what keeps the time in proportion.

_ADDRESS: Final = "address with password"
_NAME: Final = (
    r"(?:passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|webvpn|cookie|device_code|user_code)"
)
# Quoted, also inside a JSON text within a JSON text; what is never closed ends with its line.
_QUOTED: Final = (
    r'"(?:[^"\\\n]|\\[^\n])*+"?'
    r"|'(?:[^'\\\n]|\\[^\n])*+'?"
    r"|\\[\"'](?:[^\\\n]|\\(?![\"']))*+(?:\\[\"'])?"
)
_TOKEN: Final = re.compile(r"(?<![\w-])eyJ[\w-]{6,}+\.[\w-]++(?:\.[\w-]*+){0,3}")
_VALUE: Final = rf"(?:{_QUOTED}|(?:[^\s,;&\"'}}\\]|\\(?![\"']))++)++"
# The content of an element of XML.
_CONTENT: Final = r"(?:<!\[CDATA\[(?:[^\]]|\](?!\]))++|[^<]++(?=</))"
_PAIR: Final = (
    r'(?:"[^"\n:]{1,128}:[^"\n]*+"?'
    r"|'[^'\n:]{1,128}:[^'\n]*+'?"
    r"|(?![0-9]{1,10}:[0-9]{1,10}(?:\s|\Z))[^\s:\"']{1,128}:[^\s\"'/][^\s\"']*+)"
)
_IS: Final = r"\\?[\"']?[ \t]{0,16}[=:][ \t]{0,16}"


def _after(kind: str, pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> _Rule:
    """A rule by which the first group stays and the rest is the secret."""
    return kind, re.compile(pattern, flags), lambda found: f"{found[1] or ''}{STARS}"


def _userinfo(at: str) -> Callable[[_Match], str]:
    """Replace what stands before the last `at` of an address (group 2)."""

    def replace(found: _Match) -> str:
        address = found[2]
        end = _last_at(address, at)
        # A slash without a colon before it: a path that holds an @.
        if end <= 0 or ("/" in address[:end] and ":" not in address[:end]):
            return found[0]
        return f"{found[1]}{STARS}{address[end:]}"

    return replace


def _setting(found: _Match) -> str:
    """Replace what stands before the last @ of a proxy's setting: no program refuses odd passwords there."""
    end = _last_at(found[2], "@")
    return found[0] if end <= 0 else f"{found[1]}{STARS}{found[2][end:]}"


def _last_at(text: str, at: str) -> int:
    """Where the last `at` is that does not lead to the digest of an image; -1 without one."""
    end = text.rfind(at)
    while end >= 0 and text.startswith(("sha256:", "sha256%3"), end + len(at)):
        end = text.rfind(at, 0, end)
    return end


_RULES: Final[tuple[_Rule, ...]] = (
    _after(
        "private key",
        r"()-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
        # PKCS 8 and PKCS 1 in Base64, without the lines around.
        r"|\bM[\w+/]{3,7}(?:IBADANBgkqhki|AgEAMBMGByqGSM49|IBAAKCA)[\w+/]++=*",
        re.DOTALL,
    ),
    ("token", _TOKEN, lambda _found: STARS),
    # Three characters, the generation, and the rest: as Entra makes them.
    _after("client secret", r"()(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,}+", re.NOFLAG),
    # Whatever the scheme and however many there are: all of the line.
    _after("header", rf"((?<![a-z])(?:(?:proxy-)?authorization|(?:set-)?cookie){_IS})(?:{_QUOTED}|[^\n]++)"),
    _after("authorization", r"(\b(?:bearer|basic|digest)[ \t]{1,16})[\w+/=.~:-]{6,}+"),
    # A line of a file of settings: what follows the sign is the value, blanks and all.
    _after(
        "named secret",
        rf"(^[ \t]{{0,16}}(?:export[ \t])?\w{{0,64}}?{_NAME}\w{{0,64}}+=)[^\n]++",
        re.IGNORECASE | re.MULTILINE,
    ),
    _after("named secret", rf'("\w{{0,64}}?{_NAME}\w{{0,64}}+=)(?:[^"\\\n]|\\[^\n])++'),
    (_ADDRESS, re.compile(r"(_proxy\\?[\"']?[ \t]{0,16}[=:])([^\n]++)", re.IGNORECASE), _setting),
    (_ADDRESS, re.compile(r"(:(?:\\?/){2})([^\s\"'<>]++)"), _userinfo("@")),
    (_ADDRESS, re.compile(r"(%3a%2f%2f)([^\s\"'<>&]++)", re.IGNORECASE), _userinfo("%40")),
    _after(
        "address with code",
        r"([?&](?:\w{1,32}_)?(?:code|sig|signature|state|nonce|assertion|key)=)[^\s&\"'#]++",
    ),
    _after("passphrase", r"(\bpass(?:word|phrase)[ \t]{0,16}:[ \t]{1,16})[^\s\"'][^\n,;&\"'}]*+"),
    _after("named secret", rf"({_NAME}[\w-]{{0,64}}+{_IS}){_VALUE}"),
    # Of a path one may know that it is that of a key.
    _after("named key", rf"((?<=\w)[_-]key{_IS})(?!\\?[\"']?(?:/|file:|env:)){_VALUE}"),
    _after("option", rf"(\s--?[\w-]{{0,40}}?(?:passw(?:or)?d|passphrase|secret|token)[ =]|\bpass:){_VALUE}"),
    _after("named secret", rf"(<[\w:.-]{{0,64}}?{_NAME}[\w.-]{{0,64}}+(?:\s[^<>]{{0,200}})?>){_CONTENT}"),
    # curl(1) and wget(1): user and password in one word. A pair of numbers is a user and a group.
    _after("option", rf"(\s(?:-u|--(?:proxy-)?user)[ =][ \t]{{0,4}}){_PAIR}"),
    _after("option", rf"(\bcurl\b[^\n]{{0,400}}?\s-u)(?=[^\s-]){_PAIR}"),
    _after("session", r"(\"?(?:Full session|Session)\"?[ \t]{0,16}:[ \t]{1,16})\"?[\w+/=-]{5,}+\"?"),
)
