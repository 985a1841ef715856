"""What an application signs with its key: the assertion to sign in with, and the proof to roll its keys.

Sources: RFC 7523, section 2.2; Microsoft identity platform, application authentication certificate
credentials; Microsoft Graph, application: addKey, "Generate proof of possession tokens for rolling keys".
"""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.tenant.credential import Credential

_AUDIENCE: Final = "00000002-0000-0000-c000-000000000000"
# Graph refuses more than ten minutes, and clocks differ a little.
_LIFE_OF_PROOF: Final = timedelta(minutes=5)
# The documentation's advice: five to ten minutes.
_LIFE_OF_ASSERTION: Final = timedelta(minutes=10)


def proof_of_possession(credential: Credential, object_id: str, now: datetime) -> str:
    """A JWT for the application with this object id, signed with the key it has now; valid for 5 minutes."""
    claims = {"aud": _AUDIENCE, "iss": object_id, "nbf": now - _LIFE_OF_PROOF, "exp": now + _LIFE_OF_PROOF}
    der = credential.certificate.public_bytes(Encoding.DER)
    thumbprint = hashlib.sha1(der, usedforsecurity=False).digest()
    header = {"x5t": urlsafe_b64encode(thumbprint).rstrip(b"=").decode()}
    return jwt.encode(claims, credential.key, algorithm="RS256", headers=header)


def client_assertion(credential: Credential, client_id: str, audience: str, now: datetime) -> str:
    """A JWT for one request to the token endpoint `audience`: an authority may refuse to see its `jti` again.

    MSAL's own assertions are reused for nine minutes.
    """
    claims = {"aud": audience, "iss": client_id, "sub": client_id, "jti": str(uuid4())}
    times = {"iat": now, "nbf": now, "exp": now + _LIFE_OF_ASSERTION}
    certificate = credential.certificate
    thumbprint = urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    header = {"x5t#S256": thumbprint, "x5c": [b64encode(certificate.public_bytes(Encoding.DER)).decode()]}
    return jwt.encode(claims | times, credential.key, algorithm="PS256", headers=header)
