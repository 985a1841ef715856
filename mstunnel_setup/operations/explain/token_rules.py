"""A device's access token, judged by the rules of `oidc.json` as the gateway does (docs/reference/tokens.md).

Only claims that a rule names are ever shown. The signature is not verified here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from mstunnel_setup.engine.values import JsonObject, as_list, as_object
from mstunnel_setup.foreign import whole_number
from mstunnel_setup.text import plain

_SHOWN: Final = 80
_TIMES: Final = ("nbf", "iat", "exp")


def time_problem(claims: Mapping[str, object], rules: JsonObject, now: float) -> str | None:
    """Why the token is not valid at `now`, in Unix seconds; None when it is."""
    times = {name: claims.get(name) for name in _TIMES}
    missing = [name for name, value in times.items() if not _is_time(value)]
    if missing:
        return f"the token has no valid time in: {', '.join(missing)}"
    begin, issued, end = (int(str(times[name])) for name in _TIMES)
    if end < now:
        return f"expired at {moment(end)}, {now - end:.0f} s ago"
    if max(begin, issued) > now:
        return f"valid from {moment(max(begin, issued))}, in {max(begin, issued) - now:.0f} s"
    longest = rules.get("maximum_lifetime")
    if isinstance(longest, int) and end - min(begin, issued) > longest:
        return f"valid for {end - min(begin, issued)} s, the longest allowed is {longest} s"
    return None


def moment(seconds: int) -> str:
    """A time of a token, for people."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and whole_number(str(value), 18) is not None


def claim_problems(claims: Mapping[str, object], rules: JsonObject) -> Iterator[str]:
    """Every rule that a claim breaks, with its value."""
    for name, expected in as_object(rules.get("required_claims")).items():
        if not _same(claims.get(name), expected):
            yield f"{name} is {_shown(claims.get(name))}, required is {_shown(expected)}"
    for name, allowed in as_object(rules.get("optional_claims")).items():
        if name in claims and not any(_same(claims[name], value) for value in as_list(allowed)):
            yield f"{name} is {_shown(claims[name])}, allowed is {_listed(as_list(allowed))}"
    yield from _without_words(claims, as_object(rules.get("required_words")))
    optional = as_object(rules.get("optional_words"))
    yield from _without_words(claims, {name: optional[name] for name in optional if name in claims})
    for name, forbidden in as_object(rules.get("forbidden_words")).items():
        if {*map(str, as_list(forbidden))} & _words(claims, name):
            yield f"{name} is {_shown(claims[name])}, forbidden is {_listed(as_list(forbidden))}"


def _without_words(claims: Mapping[str, object], rule: JsonObject) -> Iterator[str]:
    for name, wanted in rule.items():
        if not {*map(str, as_list(wanted))} <= _words(claims, name):
            yield f"{name} is {_shown(claims.get(name))}, required is {_listed(as_list(wanted))}"


def _same(found: object, expected: object) -> bool:
    """Equality of JSON values: `false` is not 0."""
    return type(found) is type(expected) and found == expected


def user_of(claims: Mapping[str, object], rules: JsonObject) -> str:
    """The user whose session the token would open; empty when it names none."""
    found = claims.get(str(rules.get("user_name_claim", "oid")))
    return plain(found, _SHOWN) if isinstance(found, str) else ""


def _words(claims: Mapping[str, object], name: str) -> set[str]:
    found = claims.get(name)
    return {*found.split(" ")} if isinstance(found, str) else set()


def _listed(values: Sequence[object]) -> str:
    return " or ".join(map(_shown, values))


def _shown(value: object) -> str:
    return "missing" if value is None else plain(value, _SHOWN)
