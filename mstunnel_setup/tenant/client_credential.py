"""Credentials of an application: a certificate (PKCS#12 or PEM) or a secret; and JWTs signed with its key.

Sources: RFC 7523, section 2.2; Microsoft identity platform, application authentication certificate
credentials; Microsoft Graph, application: addKey, "Generate proof of possession tokens for rolling keys".
"""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_private_key,
    load_pem_private_key,
)

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.certificates.der import DerError
from mstunnel_setup.certificates.pfx import opened_pfx, outline, plain_parts
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import KeyCredential

_AUDIENCE: Final = "00000002-0000-0000-c000-000000000000"
# Graph refuses more than ten minutes, and clocks differ a little.
_LIFE_OF_PROOF: Final = timedelta(minutes=5)
# The documentation recommends five to ten minutes.
_LIFE_OF_ASSERTION: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Credential:
    """An RSA key and its certificate; Entra accepts only RSA keys for client assertions."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    def key_credential(self, display_name: str) -> KeyCredential:
        """Return the entry for an application object: the public key and its validity.

        `custom_key_identifier` is the SHA-256 of the certificate, by which the credential can be found
        although Graph does not return keys in lists.
        """
        der = self.certificate.public_bytes(Encoding.DER)
        return KeyCredential(
            display_name=display_name,
            custom_key_identifier=b64encode(self.certificate.fingerprint(hashes.SHA256())).decode(),
            type="AsymmetricX509Cert",
            usage="Verify",
            key=b64encode(der).decode(),
            start_date_time=self.certificate.not_valid_before_utc,
            end_date_time=self.certificate.not_valid_after_utc,
        )


@dataclass(frozen=True)
class ClientSecret:
    """A secret of an application."""

    text: str = field(repr=False)


def own_credential(files: Files, *, unencrypted: bool = False, tested: str = "") -> Credential | ClientSecret:
    """Return the credential of this server: its secret if it has one, otherwise its certificate.

    Raises SignInError (see `read_credential`, also for `unencrypted` and `tested`).
    """
    secret = files.read(paths.AGENT_SECRET)
    if secret is None:
        return read_credential(files, paths.AGENT_CREDENTIAL, unencrypted=unencrypted, tested=tested)
    return ClientSecret(secret.decode(errors="replace").strip())


def read_credential(
    files: Files,
    path: str,
    passphrase: str = "",
    *,
    key_path: str = "",
    unencrypted: bool = False,
    tested: str = "",
) -> Credential:
    """Read the credential at `path`: PFX, or PEM whose key may be in a separate file at `key_path`.

    With `unencrypted` an encrypted PFX is refused. The host stores the agent's PFX unencrypted, but the agent
    may have replaced it, and an encrypted part could hide a key that takes hours to decrypt. A PFX with the
    SHA-256 `tested` was tested before; for any other the library tests the primes, which takes a tenth of a
    second.

    Raises SignInError: `credential-missing`, `credential-unreadable` (neither format, the passphrase is
    wrong, or it takes too many key derivation rounds), `credential-unsuitable` (no key, no certificate, not
    RSA, or they do not belong together).
    """
    secret = passphrase.encode() or None
    content = _content(files, path)
    try:
        if b"-----BEGIN" in content:
            certificate: x509.Certificate | None = x509.load_pem_x509_certificate(content)
            key: object = load_pem_private_key(_content(files, key_path) if key_path else content, secret)
        else:
            # This check comes before a library derives as many keys as the file requests.
            checked = outline(content)
            if unencrypted and checked.is_encrypted:
                raise DerError("encrypted")
            if hashlib.sha256(content).hexdigest() == tested:
                return _tested_before(checked.encoded)
            found = opened_pfx(checked.encoded, secret)
            key, certificate = found.key, found.cert.certificate if found.cert else None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignInError(
            "credential-unreadable",
            "{path} cannot be read as PFX or PEM with that passphrase",
            hint="Check the passphrase, and that key and certificate are both given.",
            path=path,
        ) from error
    if (
        not isinstance(key, rsa.RSAPrivateKey)
        or not certificate
        or certificate.public_key() != key.public_key()
    ):
        raise SignInError(
            "credential-unsuitable",
            "{path} does not hold an RSA key with its certificate",
            hint="Use an RSA key of at least 2048 bits and the certificate that was issued for it.",
            path=path,
        )
    return Credential(key, certificate)


def _tested_before(pfx: bytes) -> Credential:
    der, certificate = plain_parts(pfx)
    key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise DerError("not an RSA key")
    return Credential(key, x509.load_der_x509_certificate(certificate))


def _content(files: Files, path: str) -> bytes:
    content = files.read(path)
    if content is None:
        raise SignInError(
            "credential-missing",
            "there is no credential at {path}",
            hint="Give the path of a PFX or PEM file.",
            path=path,
        )
    return content


def proof_of_possession(credential: Credential, object_id: str, now: datetime) -> str:
    """Return a JWT, valid for 5 minutes, for the application `object_id`, signed with its present key."""
    claims = {"aud": _AUDIENCE, "iss": object_id, "nbf": now - _LIFE_OF_PROOF, "exp": now + _LIFE_OF_PROOF}
    der = credential.certificate.public_bytes(Encoding.DER)
    thumbprint = hashlib.sha1(der, usedforsecurity=False).digest()
    header = {"x5t": urlsafe_b64encode(thumbprint).rstrip(b"=").decode()}
    return jwt.encode(claims, credential.key, algorithm="RS256", headers=header)


def client_assertion(credential: Credential, client_id: str, audience: str, now: datetime) -> str:
    """Return a JWT for one request to the token endpoint `audience`.

    An authority may refuse a repeated `jti`, and MSAL reuses its own assertions for nine minutes.
    """
    claims = {"aud": audience, "iss": client_id, "sub": client_id, "jti": str(uuid4())}
    times = {"iat": now, "nbf": now, "exp": now + _LIFE_OF_ASSERTION}
    certificate = credential.certificate
    thumbprint = urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    header = {"x5t#S256": thumbprint, "x5c": [b64encode(certificate.public_bytes(Encoding.DER)).decode()]}
    return jwt.encode(claims | times, credential.key, algorithm="PS256", headers=header)
