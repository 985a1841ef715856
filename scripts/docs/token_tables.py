"""The tables of docs/reference/tokens.md: the rules for tokens, and the issuers of the clouds."""

from collections.abc import Iterator, Sequence

from mstunnel_setup.gateway.oidc import CLAIM_RULES, FIXED_RULES, ISSUERS
from scripts.docs.error_codes import table

_CLOUDS = {"public": "public", "gcc-high": "GCC High", "dod": "DoD", "custom": "`cloud: custom`"}


def tables() -> dict[str, str]:
    """The tables by the names of their places."""
    rules = table(("Rule", "A token passes if", "Key of `oidc.json`", "Answer", "Why", "Source"), _rules())
    issuers = table(("Cloud", "Version", "`iss`", "Source"), _issuers())
    return {"token-rules": rules, "token-issuers": issuers}


def _rules() -> Iterator[Sequence[str]]:
    for fixed in FIXED_RULES:
        key, answer = _code(fixed.key), _code(fixed.answer)
        yield _code(fixed.name), fixed.passes, key, answer, fixed.reason, fixed.source
    for rule in CLAIM_RULES:
        passes, key = f"`{rule.claim}` {rule.passes}", _code(rule.comparison)
        yield _code(rule.name), passes, key, _code(rule.answer), rule.reason, rule.source


def _issuers() -> Iterator[Sequence[str]]:
    for each in ISSUERS:
        clouds = ", ".join(_CLOUDS[cloud] for cloud in each.clouds)
        version = f"{each.version}.0{' (default)' if each.default else ''}"
        yield clouds, version, _code(each.form), each.source


def _code(names: str) -> str:
    """Names as code, separated by commas; nothing for none."""
    return ", ".join(f"`{name}`" for name in names.split(", ")) if names else ""
