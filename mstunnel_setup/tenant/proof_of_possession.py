"""Proof of possession: an application shows that it holds a key when it rolls its keys.

Source: Microsoft Graph, application: addKey, "Generate proof of possession tokens for rolling keys".
"""

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.tenant.credential import Credential

_AUDIENCE: Final = "00000002-0000-0000-c000-000000000000"
# Graph refuses more than ten minutes; clocks differ a little.
_LIFE: Final = timedelta(minutes=5)


def proof_of_possession(credential: Credential, object_id: str, now: datetime) -> str:
    """A JWT for the application with this object id, signed with the key it has now; valid for 5 minutes."""
    import jwt  # noqa: PLC0415 (only a renewal needs it)

    claims = {"aud": _AUDIENCE, "iss": object_id, "nbf": now - _LIFE, "exp": now + _LIFE}
    der = credential.certificate.public_bytes(Encoding.DER)
    thumbprint = hashlib.sha1(der, usedforsecurity=False).digest()
    header = {"x5t": urlsafe_b64encode(thumbprint).rstrip(b"=").decode()}
    return jwt.encode(claims, credential.key, algorithm="RS256", headers=header)
