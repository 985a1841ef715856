"""Findings about a server configuration that do not keep it from being served."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ConfigurationWarning:
    """Something an administrator should know: kebab-case code, what it is, what to do."""

    code: str
    message: str
    hint: str
