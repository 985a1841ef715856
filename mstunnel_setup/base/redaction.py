"""Redaction: replacing known secrets, in every encoding, and likely secrets with stars.

All layers use this module. Each function takes time proportional to the length of the text, for any text.
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
"""The length, in characters, at which lines of the diagnostic file are cut. A cut line says so."""

_SMALL: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
# A shorter secret would put stars into ordinary words. The first limit is for secrets given to this program,
# the second for secrets found on a host.
_SHORTEST: Final = 4
_SHORTEST_FOUND: Final = 6
_LINE: Final = re.compile(rb"[A-Za-z0-9+/=_-]{16,}")
_Match: TypeAlias = re.Match[str]
_Rule: TypeAlias = tuple[str, re.Pattern[str], Callable[[_Match], str]]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Known:
    """Known secrets in every encoding, searched without regard to case."""

    def __init__(self) -> None:
        # Forms by their first characters, so that search time does not grow with their number.
        self._forms: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, secret: bytes, shortest: int = _SHORTEST) -> None:
        """Search for `secret` from now on; skip forms of fewer than `shortest` characters."""
        for form in _forms(secret):
            if len(form) >= shortest:
                self._forms[form[:_SHORTEST].translate(_SMALL)].add(form.translate(_SMALL))

    def replaced(self, text: str) -> tuple[str, int]:
        """Return `text` with stars for every known secret, and the number of replacements."""
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
    """Replaces the secrets of this run with stars wherever text leaves the program."""

    def __init__(self) -> None:
        self._known = Known()

    def register(self, value: str) -> None:
        """Hide `value` in every form from now on; a value of fewer than 4 characters is not a secret."""
        if len(value) >= _SHORTEST:
            self._known.add(value.encode("utf-8", errors="replace"))

    def clean(self, text: str) -> str:
        """Return `text` with stars for secrets, and without control characters."""
        return self._known.replaced(printable(text))[0]

    def clean_value(self, value: Json) -> Json:
        """Return a JSON value with every text in it cleaned."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self.clean_value(item) for item in value]
        if isinstance(value, dict):
            return {self.clean(name): self.clean_value(item) for name, item in value.items()}
        return value


class Scrubber:
    """Replaces known and likely secrets in text that leaves the host, and counts them by kind.

    `known` are secrets as bytes. Lines longer than `LONGEST_LINE` are cut.
    """

    def __init__(self, known: Iterable[bytes]) -> None:
        self._known = Known()
        for secret in known:
            # Long lines of a secret count as secrets, too: one line of a key must not appear on its own.
            stripped = secret.strip()
            lines = {line for line in _LINE.findall(stripped) if b"-----" not in line}
            for part in {stripped, *lines}:
                if len(part) >= _SHORTEST_FOUND:
                    self._known.add(part, _SHORTEST_FOUND)
        self.counts: Counter[str] = Counter()

    def clean(self, text: str) -> str:
        """Return `text` without secrets and without control characters."""
        # The zero bytes of UTF-16 would hide secrets from every search.
        text, count = self._known.replaced(printable(text.replace("\0", "")))
        self.counts["known secret"] += count
        lines = without_likely(text, self.counts).splitlines(keepends=True)
        for number, line in enumerate(lines):
            content = line.rstrip("\r\n")
            if (left := len(content) - LONGEST_LINE) > 0:
                lines[number] = f"{content[:LONGEST_LINE]} [{left} characters cut]{line[len(content) :]}"
        return "".join(lines)

    def holds(self, text: str) -> bool:
        """Return whether `text` contains a known secret in any form."""
        return self._known.replaced(text.replace("\0", ""))[1] > 0


def without_tokens(text: str) -> str:
    """Return `text` with stars for JSON Web Tokens, for messages that quote a server's response."""
    return _TOKEN.sub(STARS, text)


def without_likely(text: str, counts: Counter[str] | None = None) -> str:
    """Return `text` with stars for likely secrets, for messages that quote other programs.

    `counts` receives the number of replacements of each kind.
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
    """Return the ranges in order, with overlapping ones merged."""
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
    """Return the secret in clear, Base64 (at any offset), URL, hex and JSON; forwards and backwards."""
    encoded = {secret, quote_from_bytes(secret, safe="").encode(), secret.hex().encode()}
    encoded |= {quote_plus(secret).encode(), quote_from_bytes(secret, safe="/").encode()}
    encoded.add(base64.b64encode(secret))
    for shift in range(3):
        # The characters at both ends depend on the bytes next to the secret.
        inner = base64.b64encode(b"\0" * shift + secret)[4 * (shift > 0) :].rstrip(b"=")[:-1]
        encoded |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    texts = {form.decode("utf-8", errors="ignore") for form in encoded}
    for ascii_only in (True, False):
        texts |= {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in texts}
    texts |= {printable(text) for text in texts}
    return {form for text in texts for form in (text, text[::-1])}


# Likely secrets. Each rule looks ahead a fixed distance at most before it fails or consumes what it has seen.
# This keeps the time proportional.

_ADDRESS: Final = "address with password"
_NAME: Final = (
    r"(?:passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|webvpn|cookie|device_code|user_code)"
)
# Quoted values, including those of a JSON text within a JSON text. An unclosed quote ends with its line.
_QUOTED: Final = (
    r'"(?:[^"\\\n]|\\[^\n])*+"?'
    r"|'(?:[^'\\\n]|\\[^\n])*+'?"
    r"|\\[\"'](?:[^\\\n]|\\(?![\"']))*+(?:\\[\"'])?"
)
_TOKEN: Final = re.compile(r"(?<![\w-])eyJ[\w-]{6,}+\.[\w-]++(?:\.[\w-]*+){0,3}")
_VALUE: Final = rf"(?:{_QUOTED}|(?:[^\s,;&\"'}}\\]|\\(?![\"']))++)++"
# The content of an XML element.
_CONTENT: Final = r"(?:<!\[CDATA\[(?:[^\]]|\](?!\]))++|[^<]++(?=</))"
_PAIR: Final = (
    r'(?:"[^"\n:]{1,128}:[^"\n]*+"?'
    r"|'[^'\n:]{1,128}:[^'\n]*+'?"
    r"|(?![0-9]{1,10}:[0-9]{1,10}(?:\s|\Z))[^\s:\"']{1,128}:[^\s\"'/][^\s\"']*+)"
)
_IS: Final = r"\\?[\"']?[ \t]{0,16}[=:][ \t]{0,16}"


def _after(kind: str, pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> _Rule:
    """Return a rule that keeps the first group and replaces the rest."""
    return kind, re.compile(pattern, flags), lambda found: f"{found[1] or ''}{STARS}"


def _userinfo(at: str) -> Callable[[_Match], str]:
    """Return a function that replaces everything before the last `at` of an address (group 2)."""

    def replace(found: _Match) -> str:
        address = found[2]
        end = _last_at(address, at)
        # After a slash without a colon before it, the @ is part of a path: there is no password to replace.
        if end <= 0 or ("/" in address[:end] and ":" not in address[:end]):
            return found[0]
        return f"{found[1]}{STARS}{address[end:]}"

    return replace


def _setting(found: _Match) -> str:
    """Replace everything before the last @ of a proxy setting, where passwords may have any characters."""
    end = _last_at(found[2], "@")
    return found[0] if end <= 0 else f"{found[1]}{STARS}{found[2][end:]}"


def _last_at(text: str, at: str) -> int:
    """Return the position of the last `at` that does not begin an image digest; -1 if there is none."""
    end = text.rfind(at)
    while end >= 0 and text.startswith(("sha256:", "sha256%3"), end + len(at)):
        end = text.rfind(at, 0, end)
    return end


_RULES: Final[tuple[_Rule, ...]] = (
    _after(
        "private key",
        r"()-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
        # PKCS 8 and PKCS 1 in Base64, without the enclosing lines.
        r"|\bM[\w+/]{3,7}(?:IBADANBgkqhki|AgEAMBMGByqGSM49|IBAAKCA)[\w+/]++=*",
        re.DOTALL,
    ),
    ("token", _TOKEN, lambda _found: STARS),
    # Entra's format: three characters, the generation, and the rest.
    _after("client secret", r"()(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,}+", re.NOFLAG),
    # The rest of the line, for any scheme and any number of credentials.
    _after("header", rf"((?<![a-z])(?:(?:proxy-)?authorization|(?:set-)?cookie){_IS})(?:{_QUOTED}|[^\n]++)"),
    _after("authorization", r"(\b(?:bearer|basic|digest)[ \t]{1,16})[\w+/=.~:-]{6,}+"),
    # In a settings file the value extends from the equals sign to the end of the line.
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
    # The path of a key is not secret.
    _after("named key", rf"((?<=\w)[_-]key{_IS})(?!\\?[\"']?(?:/|file:|env:)){_VALUE}"),
    _after("option", rf"(\s--?[\w-]{{0,40}}?(?:passw(?:or)?d|passphrase|secret|token)[ =]|\bpass:){_VALUE}"),
    _after("named secret", rf"(<[\w:.-]{{0,64}}?{_NAME}[\w.-]{{0,64}}+(?:\s[^<>]{{0,200}})?>){_CONTENT}"),
    # curl(1) and wget(1) take user and password in one word. A pair of numbers is a user and group id.
    _after("option", rf"(\s(?:-u|--(?:proxy-)?user)[ =][ \t]{{0,4}}){_PAIR}"),
    _after("option", rf"(\bcurl\b[^\n]{{0,400}}?\s-u)(?=[^\s-]){_PAIR}"),
    _after("session", r"(\"?(?:Full session|Session)\"?[ \t]{0,16}:[ \t]{1,16})\"?[\w+/=-]{5,}+\"?"),
)
