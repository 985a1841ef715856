"""A strict reader of the PowerShell that a configuration of Microsoft365DSC is written in.

PowerShell itself is not to be had from the packages of this repository; this reads the few forms that an
export may have, by the rules of its language specification, and refuses everything else.
"""

import re
from typing import Any, Final

_QUOTE: Final = "['\u2018\u2019\u201a\u201b]"
_TOKEN: Final = re.compile(
    rf"(?P<space>[ \n]+|\#[^\n]*\n)"
    rf"|(?P<string>{_QUOTE}(?:[^'\u2018\u2019\u201a\u201b]|{_QUOTE}{_QUOTE})*{_QUOTE})"
    r"|(?P<option>-ModuleName)|(?P<variable>\$[A-Za-z]+)|(?P<number>-?[0-9]+(?![A-Za-z0-9_]))|(?P<word>[A-Za-z_][A-Za-z0-9_.-]*)"
    r"|(?P<sign>@\(|[(){}=;,\[\]])"
)
_TRUE: Final = {"$True": True, "$False": False, "$null": None}


class _Tokens:
    def __init__(self, text: str) -> None:
        self._found: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            assert match, f"PowerShell cannot read {text[at : at + 40]!r}"
            if match.lastgroup != "space":
                self._found.append((str(match.lastgroup), match[0]))
            at = match.end()
        self._at = 0

    def next(self, kind: str, text: str = "") -> str:
        found = self._found[self._at]
        assert found[0] == kind, found
        assert text in ("", found[1]), found
        self._at += 1
        return found[1]

    def taken(self, text: str) -> bool:
        """Whether this sign or word is next; it is taken then."""
        there = self._at < len(self._found) and self._found[self._at][1] == text
        self._at += there
        return there

    @property
    def kind(self) -> str:
        return self._found[self._at][0] if self._at < len(self._found) else ""


def read(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The resources of a configuration: type, name and properties. AssertionError for what cannot be read."""
    tokens = _Tokens(text)
    tokens.next("word", "Configuration")
    tokens.next("word")
    tokens.next("sign", "{")
    tokens.next("word", "param")
    tokens.next("sign", "(")
    while not tokens.taken(")"):
        for kind, word in (("sign", "["), ("word", "Parameter"), ("sign", "("), ("word", "Mandatory")):
            tokens.next(kind, word)
        for kind, word in (
            ("sign", ")"),
            ("sign", "]"),
            ("sign", "["),
            ("word", "System.String"),
            ("sign", "]"),
        ):
            tokens.next(kind, word)
        tokens.next("variable")
        tokens.taken(",")
    for word in ("Import-DscResource", "", "Microsoft365DSC", "Node", "localhost"):
        if word:
            tokens.next("word", word)
        else:
            assert tokens.taken("-ModuleName")
    tokens.next("sign", "{")
    found = []
    while not tokens.taken("}"):
        kind, name = tokens.next("word"), _string(tokens.next("string"))
        found.append((kind, name, _properties(tokens, ";")))
    tokens.next("sign", "}")
    assert tokens.kind == ""
    return found


def _properties(tokens: _Tokens, end: str) -> dict[str, Any]:
    tokens.next("sign", "{")
    found: dict[str, Any] = {}
    while not tokens.taken("}"):
        name = tokens.next("word")
        assert name not in found
        tokens.next("sign", "=")
        found[name] = _value(tokens)
        if end:
            tokens.next("sign", end)
    return found


def _value(tokens: _Tokens) -> Any:
    kind = tokens.kind
    if kind == "string":
        return _string(tokens.next(kind))
    if kind == "number":
        return int(tokens.next(kind))
    if kind == "variable":
        name = tokens.next(kind)
        return _TRUE.get(name, name)
    if kind == "word":
        return {"": tokens.next(kind), **_properties(tokens, "")}
    tokens.next("sign", "@(")
    items = []
    while not tokens.taken(")"):
        items.append(_value(tokens))
        tokens.taken(",")
    return items


def _string(token: str) -> str:
    return re.sub(f"({_QUOTE}){_QUOTE}", r"\1", token[1:-1])
