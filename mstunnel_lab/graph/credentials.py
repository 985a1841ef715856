"""Graph: secrets and keys of applications; addKey and removeKey let an application roll its own keys.

Source: docs/reference/lab.md.
"""

import base64
import binascii
import hashlib
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import AwareDatetime, StrictStr, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import permissions
from mstunnel_lab.entra.tokens import thumbprints
from mstunnel_lab.errors import FORBIDDEN, GraphError, directory_bad_request, directory_not_found
from mstunnel_lab.graph.bodies import Body, BodyPart, FilledText, Guid, Text
from mstunnel_lab.graph.http import NO_CONTENT, admitted, caller_of, entity, read_body
from mstunnel_lab.records import ApplicationRecord, digest
from mstunnel_lab.state import Lab, lab_of
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import Application, KeyCredential, PasswordCredential

_MIN_KEY_BITS: Final = 2048
_HINT_LENGTH: Final = 3
_AUDIENCE: Final = "00000002-0000-0000-c000-000000000000"
"""The audience of proofs of possession: Azure AD Graph."""
_LEEWAY_SECONDS: Final = 60


class KeyCredentialBody(BodyPart):
    """A certificate of an application; without `key` it refers to an existing one by `keyId`."""

    key_id: Guid | None = None
    display_name: Text | None = None
    custom_key_identifier: StrictStr | None = None
    type: Literal["AsymmetricX509Cert"]
    usage: Literal["Verify"]
    key: StrictStr | None = None
    start_date_time: AwareDatetime | None = None
    end_date_time: AwareDatetime | None = None

    @property
    def certificate(self) -> x509.Certificate | None:
        """The certificate in `key`; raises ValueError for anything but base64 DER."""
        if self.key is None:
            return None
        try:
            return x509.load_der_x509_certificate(base64.b64decode(self.key, validate=True))
        except binascii.Error as error:
            raise ValueError("key must be base64") from error

    @model_validator(mode="after")
    def _certificate_is_usable(self) -> Self:
        certificate = self.certificate
        if certificate is None:
            if self.key_id is None:
                raise ValueError("a key credential needs a key")
            return self
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _MIN_KEY_BITS:
            raise ValueError(f"the certificate must have an RSA key of {_MIN_KEY_BITS} bits or more")
        if certificate.not_valid_after_utc <= datetime.now(UTC):
            raise ValueError("the certificate has expired")
        if self.end_date_time and self.end_date_time > certificate.not_valid_after_utc:
            raise ValueError("endDateTime is after the end of the certificate")
        return self


class PasswordCredentialBody(BodyPart):
    """The requested properties of a secret; Entra chooses the text."""

    display_name: Text | None = None
    start_date_time: AwareDatetime | None = None
    end_date_time: AwareDatetime | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        start = self.start_date_time or datetime.now(UTC)
        if self.end_date_time and self.end_date_time <= start:
            raise ValueError("endDateTime must be after startDateTime")
        return self


class DirectoryBody(Body):
    """The base of the bodies of Graph's directory."""

    code = "Request_BadRequest"


class AddPasswordBody(DirectoryBody, entity=Application, name="application"):
    """The parameters of the action addPassword."""

    password_credential: PasswordCredentialBody = PasswordCredentialBody()


class KeyReferenceBody(DirectoryBody, entity=Application, name="application"):
    """The parameters of the action removePassword."""

    key_id: Guid


class AddKeyBody(DirectoryBody, entity=KeyCredential, name="keyCredential"):
    """The parameters of the action addKey; a password belongs to a private key, which must not be sent."""

    key_credential: KeyCredentialBody
    password_credential: None = None
    proof: FilledText


class RemoveKeyBody(DirectoryBody, entity=KeyCredential, name="keyCredential"):
    """The parameters of the action removeKey."""

    key_id: Guid
    proof: FilledText


def application_named(request: Request) -> ApplicationRecord:
    """Return the application in the path; raises `GraphError` 404."""
    found = lab_of(request).store.get(ApplicationRecord, request.path_params["id"])
    if found is None:
        raise directory_not_found(request.path_params["id"])
    return found


def stored_credentials(
    bodies: tuple[KeyCredentialBody, ...], present: tuple[KeyCredential, ...]
) -> list[JsonObject]:
    """Return the credentials after a write: new certificates get an id, existing ones are kept.

    Raises `GraphError` 400 for an unknown id and for a certificate given twice.
    """
    known = {credential.key_id: credential for credential in present}
    result: list[JsonObject] = []
    for body in bodies:
        certificate = body.certificate
        if certificate is None:
            if body.key_id not in known:
                raise directory_bad_request(f"The key credential '{body.key_id}' does not exist.")
            result.append(known[body.key_id].to_wire())
            continue
        thumbprint = hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).digest()
        start = body.start_date_time or certificate.not_valid_before_utc
        end = body.end_date_time or certificate.not_valid_after_utc
        facts: JsonObject = {
            "keyId": body.key_id or str(uuid.uuid4()),
            "customKeyIdentifier": body.custom_key_identifier or base64.b64encode(thumbprint).decode(),
            "startDateTime": start.isoformat(),
            "endDateTime": end.isoformat(),
            "displayName": body.display_name or certificate.subject.rfc4514_string(),
        }
        result.append(body.document() | facts)
    keys = [credential["key"] for credential in result]
    if len(set(keys)) < len(keys):
        raise directory_bad_request("A certificate is given twice in keyCredentials.")
    return result


def managed_application(request: Request) -> tuple[Lab, ApplicationRecord]:
    """Return the application that the caller must be allowed to change."""
    lab, caller = admitted(request, permissions.may_create_application)
    found = application_named(request)
    permissions.may_change_application(caller, found)
    return lab, found


async def add_password(request: Request) -> Response:
    """Create a secret; only this response shows it."""
    lab, found = managed_application(request)
    wanted = (await read_body(request, AddPasswordBody)).password_credential
    text = secrets.token_urlsafe(30)
    start = wanted.start_date_time or datetime.now(UTC)
    made = PasswordCredential(
        key_id=str(uuid.uuid4()),
        display_name=wanted.display_name,
        hint=text[:_HINT_LENGTH],
        start_date_time=start,
        end_date_time=wanted.end_date_time or start + timedelta(days=730),
    )
    update = {
        "password_credentials": (*found.password_credentials, made),
        "secrets": {**found.secrets, digest(text): str(made.key_id)},
    }
    lab.store.replace(found.model_copy(update=update))
    shown = made.model_copy(update={"secret_text": text}).document()
    return entity(request, shown, "microsoft.graph.passwordCredential")


async def remove_password(request: Request) -> Response:
    """Remove a secret by its id."""
    lab, found = managed_application(request)
    key_id = (await read_body(request, KeyReferenceBody)).key_id
    kept = tuple(item for item in found.password_credentials if item.key_id != key_id)
    if len(kept) == len(found.password_credentials):
        raise directory_bad_request(f"No password credential found with keyId '{key_id}'.")
    remaining = {name: value for name, value in found.secrets.items() if value != key_id}
    lab.store.replace(found.model_copy(update={"password_credentials": kept, "secrets": remaining}))
    return Response(status_code=NO_CONTENT)


async def add_key(request: Request) -> Response:
    """Add a certificate to an application."""
    found = _own_application(request)
    body = await read_body(request, AddKeyBody)
    _require_proof(body.proof, found)
    kept = tuple(
        KeyCredentialBody.model_validate({"keyId": item.key_id, "type": item.type, "usage": item.usage})
        for item in found.key_credentials
    )
    stored = stored_credentials((*kept, body.key_credential), found.key_credentials)
    _replace_keys(request, found, stored)
    return entity(request, {**stored[-1], "key": None}, "microsoft.graph.keyCredential")


async def remove_key(request: Request) -> Response:
    """Remove a certificate from an application."""
    found = _own_application(request)
    body = await read_body(request, RemoveKeyBody)
    _require_proof(body.proof, found)
    left = [item.to_wire() for item in found.key_credentials if item.key_id != body.key_id]
    if len(left) == len(found.key_credentials):
        raise directory_bad_request(f"The key credential '{body.key_id}' does not exist.")
    _replace_keys(request, found, left)
    return Response(status_code=NO_CONTENT)


def _own_application(request: Request) -> ApplicationRecord:
    """Return the application that the caller must be, or may manage."""
    caller = caller_of(request)
    found = application_named(request)
    if caller.app_id != found.app_id or caller.user is not None:
        permissions.may_change_application(caller, found)
    return found


def _replace_keys(request: Request, found: ApplicationRecord, credentials: list[JsonObject]) -> None:
    document = found.document() | {"keyCredentials": credentials}
    lab_of(request).store.replace(ApplicationRecord.from_wire(document))


def _require_proof(proof: str, found: ApplicationRecord) -> None:
    """Refuse (403) unless a current key of the application signed the proof for it within ten minutes."""
    try:
        named = str(jwt.get_unverified_header(proof).get("x5t", "")).rstrip("=")
    except (jwt.PyJWTError, RecursionError):
        named = ""
    for credential in found.key_credentials:
        certificate = base64.b64decode(credential.key or "")
        if named == thumbprints(certificate)[0] and _proves(proof, certificate, found.id):
            return
    raise GraphError(
        FORBIDDEN, "Authorization_RequestDenied", "The proof of possession is not valid for this application."
    )


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
    return bool(claims["exp"] - claims["nbf"] <= timedelta(minutes=10).total_seconds())


_ACTIONS: Final = {
    "addPassword": add_password,
    "removePassword": remove_password,
    "addKey": add_key,
    "removeKey": remove_key,
}
ROUTES = [
    Route(f"/applications/{{id}}/{name}", endpoint, methods=["POST"]) for name, endpoint in _ACTIONS.items()
]
