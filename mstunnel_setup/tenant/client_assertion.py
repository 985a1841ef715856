"""The client assertion that an application with a certificate signs in with (RFC 7523, section 2.2).

Source: Microsoft identity platform, application authentication certificate credentials.
"""

from base64 import b64encode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.tenant.credential import Credential

# The documentation's advice: five to ten minutes.
_LIFE: Final = timedelta(minutes=10)


def client_assertion(credential: Credential, client_id: str, audience: str, now: datetime) -> str:
    """A JWT for one request to the token endpoint `audience`: an authority may refuse to see its `jti` again.

    MSAL's own assertions are reused for nine minutes.
    """
    import jwt  # noqa: PLC0415 (only an application with a certificate needs it)

    claims = {"aud": audience, "iss": client_id, "sub": client_id, "jti": str(uuid4())}
    times = {"iat": now, "nbf": now, "exp": now + _LIFE}
    certificate = credential.certificate
    thumbprint = urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    header = {"x5t#S256": thumbprint, "x5c": [b64encode(certificate.public_bytes(Encoding.DER)).decode()]}
    return jwt.encode(claims | times, credential.key, algorithm="PS256", headers=header)
