"""HMAC keys of one run of the server: one per purpose, so that no signature is valid for another."""

import hashlib
import hmac
from enum import StrEnum


class Purpose(StrEnum):
    """What a signature is for; the value is the label that its key is derived with."""

    FORM = "token of a form"
    PASSWORD = "proof of a password"  # noqa: S105 (a label)
    LOGS = "address of collected logs"


class PurposeKeys:
    """Signs with a key derived from `secret` for each purpose (HMAC-SHA-256, RFC 2104).

    Label and parts carry their lengths: no two lists of parts are the same bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._keys = {purpose: _mac(secret, _framed(purpose)) for purpose in Purpose}

    def sign(self, purpose: Purpose, *parts: str) -> str:
        """Return the signature of the parts, in hexadecimal."""
        return _mac(self._keys[purpose], _framed(*parts)).hex()

    def verify(self, purpose: Purpose, signature: str, *parts: str) -> bool:
        """Tell, in constant time, whether this is the signature of the parts."""
        return hmac.compare_digest(self.sign(purpose, *parts).encode(), signature.encode())


def _framed(*parts: str) -> bytes:
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)
