"""Command lines as read by systemd, and specifications with values that are hard to quote."""

from typing import Any

from hypothesis import strategies as st

from mstunnel_setup.containers.container_spec import ContainerSpec

IMAGE = "registry.example:5000/tunnel/server@sha256:" + "0a" * 32
TEXT = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=20)
ABSOLUTE = TEXT.map(lambda path: f"/{path.replace(':', '')}")

_ESCAPES = {"n": "\n", "t": "\t", "s": " ", "a": "\a", "b": "\b", "f": "\f", "r": "\r", "v": "\v"}
# The generator uses specifiers in this option.
_OF_QUADLET = "--cidfile=%t/%N.cid"


def words(command: str) -> list[str]:
    """Return the words of a command line (systemd.syntax(7), systemd.service(5): quotes, `%%`, `$$`)."""
    found, word, quote, position = [], "", "", 0
    while position < len(command):
        letter = command[position]
        position += 1
        if letter == "\\":
            taken, text = _escape(command[position:])
            position += taken
            word += text
        elif letter == quote:
            quote = ""
        elif not quote and letter in "\"'":
            quote = letter
        elif not quote and letter == " ":
            found.append(word)
            word = ""
        else:
            word += letter
    return [_expand(word) for word in [*found, word] if word != _OF_QUADLET]


def _escape(rest: str) -> tuple[int, str]:
    digits = {"x": 2, "u": 4, "U": 8}.get(rest[0])
    if digits:
        return digits + 1, chr(int(rest[1 : digits + 1], 16))
    return 1, _ESCAPES.get(rest[0], rest[0])


def _expand(word: str) -> str:
    for special in "%$":
        assert special not in word.replace(special * 2, ""), f"{word} would be expanded"
        word = word.replace(special * 2, special)
    return word


def specification(**values: Any) -> ContainerSpec:
    """Return a small specification with these values."""
    return ContainerSpec(**{"name": "gateway", "image": IMAGE, "description": "Gateway", **values})
