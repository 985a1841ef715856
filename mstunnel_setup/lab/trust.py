"""Another OpenID provider whose tokens the lab's Graph takes: its issuer and its public keys, from a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from mstunnel_setup.lab.declared_errors import LAB_KEY_SET

Key: TypeAlias = jwt.PyJWK | rsa.RSAPublicKey
"""What signatures are verified with."""


@dataclass(frozen=True)
class TrustedIssuer:
    """An issuer and its keys by their names in the key set."""

    issuer: str
    keys: dict[str, Key]


def read_trusted(issuer: str, path: Path) -> TrustedIssuer:
    """Read the key set (RFC 7517) of an issuer; raises `UsageError`."""
    try:
        found = jwt.PyJWKSet.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, jwt.PyJWTError) as error:
        raise LAB_KEY_SET(path=path, issuer=issuer, reason=error) from error
    return TrustedIssuer(issuer, {str(key.key_id): key for key in found.keys})
