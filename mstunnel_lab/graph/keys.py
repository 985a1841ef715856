"""Graph's way for an application to roll its own keys: addKey and removeKey, with a proof of possession."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import jwt
from cryptography import x509
from pydantic import Field, StrictStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import permissions
from mstunnel_lab.entra.assertion import thumbprints
from mstunnel_lab.errors import FORBIDDEN, GraphError
from mstunnel_lab.graph.bodies import Body, Guid
from mstunnel_lab.graph.bodies_directory import KeyCredentialBody
from mstunnel_lab.graph.directory import application_named, bad_request, stored_credentials
from mstunnel_lab.graph.http import caller_of, entity, read_body
from mstunnel_lab.records import ApplicationRecord
from mstunnel_lab.state import Lab, lab_of
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import KeyCredential

_AUDIENCE: Final = "00000002-0000-0000-c000-000000000000"
_LONGEST: Final = timedelta(minutes=10)
_LEEWAY_SECONDS: Final = 60


class AddKeyBody(Body):
    """The body of addKey; a password only goes with a private key, which must not be sent."""

    entity = KeyCredential
    type_name = "microsoft.graph.keyCredential"
    code = "Request_BadRequest"

    key_credential: KeyCredentialBody
    password_credential: None = None
    proof: Annotated[StrictStr, Field(min_length=1)]


class RemoveKeyBody(Body):
    """The body of removeKey."""

    entity = KeyCredential
    type_name = "microsoft.graph.keyCredential"
    code = "Request_BadRequest"

    key_id: Guid
    proof: Annotated[StrictStr, Field(min_length=1)]


async def add_key(request: Request) -> Response:
    """Give an application one more certificate."""
    lab, found = lab_of(request), _own_application(request)
    body = await read_body(request, AddKeyBody)
    _require_proof(body.proof, found)
    kept = tuple(
        KeyCredentialBody.model_validate({"keyId": item.key_id, "type": item.type, "usage": item.usage})
        for item in found.key_credentials
    )
    stored = stored_credentials((*kept, body.key_credential), found.key_credentials)
    _replace(lab, found, stored)
    shown = {**stored[-1], "key": None}
    return entity(request, shown, "microsoft.graph.keyCredential")


async def remove_key(request: Request) -> Response:
    """Take a certificate from an application."""
    lab, found = lab_of(request), _own_application(request)
    body = await read_body(request, RemoveKeyBody)
    _require_proof(body.proof, found)
    left = [item.to_wire() for item in found.key_credentials if item.key_id != body.key_id]
    if len(left) == len(found.key_credentials):
        raise bad_request(f"The key credential '{body.key_id}' does not exist.")
    _replace(lab, found, left)
    return Response(status_code=204)


def _own_application(request: Request) -> ApplicationRecord:
    """The application, which the caller must be, or may manage."""
    caller = caller_of(request)
    found = application_named(request)
    if caller.app_id != found.app_id or caller.user is not None:
        permissions.may_change_application(caller, found)
    return found


def _require_proof(proof: str, found: ApplicationRecord) -> None:
    """Refuse (403) unless one of the application's current keys signed the proof, for it, for ten minutes."""
    for credential in found.key_credentials:
        certificate = base64.b64decode(credential.key or "")
        if _names(proof, certificate) and _proves(proof, certificate, found.id):
            return
    raise GraphError(
        FORBIDDEN, "Authorization_RequestDenied", "The proof of possession is not valid for this application."
    )


def _names(proof: str, certificate: bytes) -> bool:
    try:
        header = jwt.get_unverified_header(proof)
    except (jwt.PyJWTError, RecursionError):
        return False
    return str(header.get("x5t", "")).rstrip("=") == thumbprints(certificate)[0]


def _proves(proof: str, certificate: bytes, object_id: str) -> bool:
    read = x509.load_der_x509_certificate(certificate)
    if read.not_valid_after_utc < datetime.now(UTC):
        return False
    try:
        claims = jwt.decode(
            proof,
            read.public_key(),  # type: ignore[arg-type]  # bodies take RSA keys only
            algorithms=["RS256"],
            audience=_AUDIENCE,
            issuer=object_id,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "nbf", "aud", "iss"]},
        )
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
        return False
    return bool(claims["exp"] - claims["nbf"] <= _LONGEST.total_seconds())


def _replace(lab: Lab, found: ApplicationRecord, credentials: list[JsonObject]) -> None:
    document = found.document() | {"keyCredentials": credentials}
    lab.store.replace(ApplicationRecord.from_wire(document))


ROUTES = [
    Route("/applications/{id}/addKey", add_key, methods=["POST"]),
    Route("/applications/{id}/removeKey", remove_key, methods=["POST"]),
]
