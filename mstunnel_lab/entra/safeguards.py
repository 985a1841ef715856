"""Limits on guessing, and the keys that sign what the server hands out to browsers."""

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum

from mstunnel_setup.io.clock import Clock, SystemClock


@dataclass
class FailedAttempts:
    """Wrong tries by name: `most` of them within `seconds` refuse the name until the first is that old.

    Names must be few: ids of accounts, or digests cut to a few digits.
    """

    most: int
    seconds: float
    clock: Clock = field(default_factory=SystemClock)
    _wrong: dict[str, list[float]] = field(default_factory=dict, init=False)

    def exhausted(self, name: str) -> bool:
        """Whether there were too many wrong tries lately; then a right one must be refused as well."""
        oldest = self.clock.monotonic() - self.seconds
        return sum(at > oldest for at in self._wrong.get(name, ())) >= self.most

    def count(self, name: str) -> None:
        """Count a wrong try."""
        self._wrong[name] = [*self._wrong.get(name, ()), self.clock.monotonic()][-self.most :]

    def forget(self, name: str) -> None:
        """Begin to count from nothing: the right secret was given, or an administrator unlocks the name."""
        self._wrong.pop(name, None)


@dataclass(frozen=True)
class GuessLimits:
    """The limits of one run of the server.

    `passwords` and `codes` (second factor) count by account, `user_codes` by the browser's address.
    """

    passwords: FailedAttempts = field(default_factory=lambda: FailedAttempts(10, 600))
    codes: FailedAttempts = field(default_factory=lambda: FailedAttempts(5, 600))
    user_codes: FailedAttempts = field(default_factory=lambda: FailedAttempts(20, 600))


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
