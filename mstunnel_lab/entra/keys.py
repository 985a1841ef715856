"""The keys that sign tokens: kept in files, rotated without a gap."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mstunnel_lab.pki import self_signed, signing_key
from mstunnel_setup.base.values import JsonObject

_FILE: Final = re.compile(r"token-signing(?:-([0-9]+))?\.key")


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class SigningKey:
    """A private key, its certificate (DER) and its name in the key set."""

    private: rsa.RSAPrivateKey
    certificate: bytes
    key_id: str

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """Read the key at `path`, made there the first time."""
        private = signing_key(path)
        public = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        key_id = base64url(hashlib.sha256(public).digest())[:27]
        return cls(private, self_signed(private, "Lab tenant token signing"), key_id)

    def to_jwk(self, issuer: str) -> JsonObject:
        """Return the public key as Entra publishes it (RFC 7517)."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.key_id,
            "x5t": base64url(hashlib.sha1(self.certificate, usedforsecurity=False).digest()),
            "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self.certificate).decode()],
            "issuer": issuer,
        }


class KeyRing:
    """All keys in a directory; the newest one signs, the others still verify until they are retired.

    Each key is a separate numbered file, so a rotation is one atomic write.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._keys = {number: SigningKey.read(path) for number, path in sorted(self._files().items())}
        if not self._keys:
            self._add(1)

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._keys[max(self._keys)]

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """All keys that verify, the newest first."""
        return tuple(self._keys[number] for number in sorted(self._keys, reverse=True))

    def rotate(self) -> SigningKey:
        """Sign with a new key from now on."""
        self._add(max(self._keys) + 1)
        return self.current

    def retire(self) -> int:
        """Forget all keys but the one that signs; returns how many."""
        old = sorted(self._keys)[:-1]
        for number in old:
            self._path(number).unlink()
            del self._keys[number]
        return len(old)

    def _add(self, number: int) -> None:
        self._keys[number] = SigningKey.read(self._path(number))

    def _path(self, number: int) -> Path:
        return self._directory / ("token-signing.key" if number == 1 else f"token-signing-{number}.key")

    def _files(self) -> dict[int, Path]:
        found = [(_FILE.fullmatch(path.name), path) for path in self._directory.iterdir()]
        return {int(match[1] or 1): path for match, path in found if match}
