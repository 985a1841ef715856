"""Settings that exclude one another, as one table for both the validation of answers and their precedence.

Discriminated unions of pydantic do not fit: the answer file has no key that says whether a certificate is a
PFX or a pair of files, and precedence is decided before there is a complete model to validate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import Final, TypeAlias

from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.answers.values import Key
from mstunnel_setup.base.text import text

Values: TypeAlias = Mapping[str, object]
"""Given settings by path, each with its value."""
Ranks: TypeAlias = Mapping[str, int]
"""The source of each given setting; 0 is the strongest."""


@dataclass(frozen=True)
class Selected:
    """Settings that are only valid with a certain value of a selector.

    Attributes:
        selectors: Paths of the selecting settings; it is sufficient if one of several has the value.
        variants: The settings for each value.
    """

    selectors: tuple[str, ...]
    variants: Mapping[str, tuple[str, ...]]

    def overruled(self, values: Values, ranks: Ranks) -> set[str]:
        """Return the settings of other variants whose source is weaker than that of a selector."""
        named = [ranks[path] for path in self.selectors if path in ranks]
        return {path for path, _ in self._foreign(values) if any(rank < ranks[path] for rank in named)}

    def findings(self, values: Values) -> Iterator[tuple[str, str]]:
        """Yield each setting of another variant, with advice."""
        for path, variant in self._foreign(values):
            named = (text("`{key}: {value}`", key=key, value=variant) for key in map(_key, self.selectors))
            setting = reduce(lambda one, other: text("{one} or {other}", one=one, other=other), named)
            advice = text("`{key}` is for {setting}: set that, or remove it", key=_key(path), setting=setting)
            yield path, advice

    def _foreign(self, values: Values) -> Iterator[tuple[str, str]]:
        chosen = [values.get(path, BY_PATH[path].default) for path in self.selectors]
        for variant, paths in self.variants.items():
            if variant not in chosen:
                yield from ((path, variant) for path in paths if path in values)


@dataclass(frozen=True)
class Alternatives:
    """Variants that are chosen by giving their settings; a setting may belong to several variants."""

    variants: tuple[tuple[str, ...], ...]

    def overruled(self, values: Values, ranks: Ranks) -> set[str]:
        """Return the setting with the weaker source of each two that exclude each other."""
        pairs = (sorted(pair, key=ranks.__getitem__) for pair in self._exclusive(values))
        return {weaker for stronger, weaker in pairs if ranks[stronger] < ranks[weaker]}

    def findings(self, values: Values) -> Iterator[tuple[str, str]]:
        """Yield each setting that excludes one of a later variant, and what to do about it."""
        # The order is reversed so that the message names the first of several.
        for one, other in dict(reversed(self._exclusive(values))).items():
            advice = text(
                "use either `{one}` or `{other}`: remove one of them", one=_key(one), other=_key(other)
            )
            yield one, advice

    def _exclusive(self, values: Values) -> list[tuple[str, str]]:
        paths = dict.fromkeys(path for variant in self.variants for path in variant if path in values)
        return [
            pair
            for pair in combinations(paths, 2)
            if not any(set(pair) <= set(variant) for variant in self.variants)
        ]


SIGN_IN: Final = Selected(
    ("sign_in.method",),
    {
        "client-secret": ("sign_in.client_secret",),
        "client-certificate": ("sign_in.certificate", "sign_in.key", "sign_in.pfx", "sign_in.passphrase"),
        "token-file": ("sign_in.token_file",),
    },
)
CHOICES: Final = (
    SIGN_IN,
    Alternatives((("sign_in.pfx", "sign_in.passphrase"), ("sign_in.certificate", "sign_in.key"))),
    Selected(("tenant.cloud",), {"custom": ("tenant.authority", "tenant.graph")}),
    Alternatives((("tenant.ca_pem",), ("tenant.ca_file",))),
    # The installation creates an application, or uses one created in advance.
    Alternatives(
        (
            ("identity.credential",),
            ("identity.client_id", "identity.client_secret"),
            ("identity.client_id", "identity.pfx", "identity.passphrase"),
            ("identity.client_id", "identity.certificate", "identity.key"),
        )
    ),
    Alternatives((("certificate.pfx", "certificate.passphrase"), ("certificate.chain", "certificate.key"))),
    Selected(("authentication",), {"oidc": ("authentication_also",)}),
    Selected(
        ("authentication", "authentication_also"), {"certificate": ("devices.ca_file", "devices.crl_file")}
    ),
)
# These values count as not given, so they exclude nothing.
_EMPTY: Final[tuple[object, ...]] = (None, "none", (), [])


def exclusions(values: Values) -> Iterator[tuple[str, str]]:
    """Yield each setting that another one excludes, with advice."""
    given = _given(values)
    for choice in CHOICES:
        yield from choice.findings(given)


def overruled(values: Values, ranks: Ranks) -> set[str]:
    """Return the settings to drop because a stronger source has a setting of another variant."""
    given = _given(values)
    return {path for choice in CHOICES for path in choice.overruled(given, ranks)}


def _given(values: Values) -> Values:
    return {path: value for path, value in values.items() if value not in _EMPTY}


def _key(path: str) -> Key:
    return Key(path.rpartition(".")[2])
