"""What a rule has to say about a declared object."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One finding: kebab-case code, the key it is about, what is wrong, what to do.

    A `fatal` one keeps the object from being sent to the tenant; the others are warnings.
    """

    code: str
    key: str
    message: str
    hint: str
    fatal: bool = True
