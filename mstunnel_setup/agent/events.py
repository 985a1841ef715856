"""The agent's log lines."""

from collections.abc import Callable
from typing import Final, TypeAlias

from mstunnel_setup.errors import SetupError
from mstunnel_setup.gateway.errors import ConfigurationWarning
from mstunnel_setup.redaction import without_tokens
from mstunnel_setup.text import plain

Tell: TypeAlias = Callable[[str], None]
"""Takes one log line without its end."""

_LONGEST: Final = 2000


def line(code: str, text: str = "", hint: str = "") -> str:
    """One log line: a kebab-case code for machines, then words; no control characters, no tokens."""
    # Nothing of ours puts a token into a message; a server's answer might repeat it.
    words = " ".join(part for part in (text, hint) if part)
    return plain(f"{code}: {without_tokens(words)}", _LONGEST)


def problem(found: SetupError | ConfigurationWarning) -> str:
    """The log line of an error or warning."""
    return line(found.code, f"{found.message}.", found.hint)
