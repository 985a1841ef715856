"""Judge a device's access token by the rules of `oidc.json`, as the gateway does (docs/reference/tokens.md).

Only claims that a rule names are ever shown. The signature is not verified.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mstunnel_setup.base.text import joined, plain, text
from mstunnel_setup.base.values import JsonObject, JsonValue, as_list, as_object
from mstunnel_setup.gateway.oidc import CLAIM_RULES, FURTHER_CLAIMS, Comparison

_SHOWN: Final = 80
_LONGEST_KEY_NAME: Final = 128
_INTEGERS: Final = range(-(2**63), 2**63)
_TIMES: Final = ("nbf", "exp", "iat")
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_VALUES: Final = (Comparison.LISTED, Comparison.LISTED_IF_PRESENT)
_WORDS: Final = (Comparison.WORDS, Comparison.WORDS_IF_PRESENT, Comparison.NO_WORDS)
_REQUIRED: Final = (Comparison.EQUAL, Comparison.LISTED, Comparison.WORDS)


@dataclass(frozen=True)
class TokenProblem:
    """A rule's name, and how the token breaks it."""

    rule: str
    text: str

    @property
    def shown(self) -> str:
        """Problem and rule as one text for people."""
        return text("{problem} (rule {rule})", problem=self.text, rule=self.rule)


def header_problem(header: Mapping[str, object], rules: JsonObject) -> TokenProblem | None:
    """Return the first rule that the header breaks; None if it breaks none."""
    name, algorithm = header.get("kid"), rules.get("algorithm")
    if (
        not isinstance(name, str)
        or len(name) > _LONGEST_KEY_NAME
        or not all("!" <= one <= "~" for one in name)
    ):
        return TokenProblem("key-name", text("kid is no name of a key"))
    if header.get("typ") != "JWT":
        return TokenProblem("type", _required("typ", header.get("typ"), "JWT"))
    if algorithm is not None and header.get("alg") != algorithm:
        return TokenProblem("algorithm", _required("alg", header.get("alg"), _shown(algorithm)))
    return None


def time_problem(claims: Mapping[str, object], rules: JsonObject, now: float) -> TokenProblem | None:
    """Return why the token is not valid at `now`, in Unix seconds; None if it is valid."""
    times = {name: claims.get(name) for name in _TIMES}
    # The gateway reads signed 64-bit numbers and treats 0 as missing.
    missing = [
        name for name, value in times.items() if not (type(value) is int and value and value in _INTEGERS)
    ]
    if missing:
        return TokenProblem(
            "validity", text("the token has no valid time in: {names}", names=", ".join(missing))
        )
    begin, end, issued = (int(str(times[name])) for name in _TIMES)
    if end < now:
        return TokenProblem(
            "validity", text("expired at {at}, {seconds:.0f} s ago", at=moment(end), seconds=now - end)
        )
    if begin > now:
        return TokenProblem(
            "validity", text("valid from {at}, in {seconds:.0f} s", at=moment(begin), seconds=begin - now)
        )
    longest = rules.get("maximum_lifetime")
    if not isinstance(longest, int):
        return None
    if issued > now:
        return TokenProblem(
            "lifetime", text("issued at {at}, in {seconds:.0f} s", at=moment(issued), seconds=issued - now)
        )
    lasts = max(end - min(begin, issued), int(end - now))
    if min(begin, issued) < 0 or lasts > longest:
        return TokenProblem(
            "lifetime",
            text("valid for {lasts} s, the longest allowed is {longest} s", lasts=lasts, longest=longest),
        )
    return None


def moment(seconds: int) -> str:
    """Format a token's time for people."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def claim_problems(claims: Mapping[str, object], rules: JsonObject) -> Iterator[TokenProblem]:
    """Yield every rule that a claim breaks, with its value, in the gateway's order."""
    for comparison in (Comparison.EQUAL, *_VALUES, *_WORDS):
        for name, expected in as_object(rules.get(comparison)).items():
            judged = name in claims or comparison in _REQUIRED
            if judged and (problem := _claim_problem(comparison, name, claims.get(name), expected)):
                named = (
                    item.name for item in CLAIM_RULES if (item.comparison, item.claim) == (comparison, name)
                )
                # A rule from the answers has no declared name and gets that of further claims.
                yield TokenProblem(next(named, FURTHER_CLAIMS), problem)
    name = str(rules.get("user_name_claim", "oid"))
    found, guid = claims.get(name), "user_name_format" in rules
    if not isinstance(found, str) or (guid and not _GUID.fullmatch(found)):
        yield TokenProblem("user", _required(name, found, text("a GUID") if guid else text("text")))


def _claim_problem(comparison: Comparison, name: str, found: object, expected: JsonValue) -> str:
    """Return how a claim breaks a rule; "" if it follows it."""
    shown, values = _shown(found), as_list(expected)
    allowed = joined(map(_shown, values), ", ")
    if comparison is Comparison.EQUAL:
        return "" if _same(found, expected) else _required(name, found, _shown(expected))
    if comparison in _VALUES:
        problem = text("{name} is {found}, allowed is {allowed}", name=name, found=shown, allowed=allowed)
        return "" if any(_same(found, value) for value in values) else problem
    # A claim of words is one string; a claim that is not a string breaks the rule.
    held, words = {*found.split(" ")} if isinstance(found, str) else None, {*map(str, values)}
    if comparison is Comparison.NO_WORDS:
        problem = text("{name} is {found}, forbidden is {allowed}", name=name, found=shown, allowed=allowed)
        return problem if held is None or words & held else ""
    return _required(name, found, allowed) if held is None or words - held else ""


def _required(name: str, found: object, expected: str) -> str:
    return text(
        "{name} is {found}, required is {expected}", name=name, found=_shown(found), expected=expected
    )


def _same(found: object, expected: object) -> bool:
    """Return whether JSON values are equal: `false` is not 0."""
    return type(found) is type(expected) and found == expected


def user_of(claims: Mapping[str, object], rules: JsonObject) -> str:
    """Return the user whose session the token would open; "" if it names none."""
    found = claims.get(str(rules.get("user_name_claim", "oid")))
    return plain(found, _SHOWN) if isinstance(found, str) else ""


def _shown(value: object) -> str:
    return text("missing") if value is None else plain(value, _SHOWN)
