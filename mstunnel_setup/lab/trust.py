"""Another OpenID provider whose tokens the lab's Graph takes: its issuer and its public keys, from a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from mstunnel_setup.errors import UsageError


@dataclass(frozen=True)
class TrustedIssuer:
    """An issuer and its keys by their names in the key set."""

    issuer: str
    keys: dict[str, Any]


def read_trusted(issuer: str, path: Path) -> TrustedIssuer:
    """Read the key set (RFC 7517) of an issuer; raises `UsageError`."""
    try:
        found = jwt.PyJWKSet.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, jwt.PyJWTError) as error:
        raise UsageError(
            "lab-key-set", f"cannot use the key set {path} of {issuer}: {error}", "give a JSON Web Key Set"
        ) from error
    return TrustedIssuer(issuer, {str(key.key_id): key.key for key in found.keys})
