"""Graph: secrets of applications (addPassword, removePassword). Source: docs/reference/lab.md."""

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import permissions
from mstunnel_lab.graph.bodies_directory import AddPasswordBody, KeyReferenceBody
from mstunnel_lab.graph.directory import application_named, bad_request
from mstunnel_lab.graph.http import caller_of, entity, read_body
from mstunnel_lab.records import ApplicationRecord, digest
from mstunnel_lab.state import lab_of
from mstunnel_setup.tenant.wire import PasswordCredential

_DEFAULT_LIFE: Final = timedelta(days=730)
_HINT_LENGTH: Final = 3


def _owned(request: Request) -> ApplicationRecord:
    caller = caller_of(request)
    permissions.may_create_application(caller)
    found = application_named(request)
    permissions.may_change_application(caller, found)
    return found


async def add_password(request: Request) -> Response:
    """Make a secret; it is shown in this answer only."""
    found = _owned(request)
    wish = (await read_body(request, AddPasswordBody)).password_credential
    text = secrets.token_urlsafe(30)
    start = wish.start_date_time or datetime.now(UTC)
    made = PasswordCredential(
        key_id=str(uuid.uuid4()),
        display_name=wish.display_name,
        hint=text[:_HINT_LENGTH],
        start_date_time=start,
        end_date_time=wish.end_date_time or start + _DEFAULT_LIFE,
    )
    update = {
        "password_credentials": (*found.password_credentials, made),
        "secrets": {**found.secrets, digest(text): str(made.key_id)},
    }
    lab_of(request).store.replace(found.model_copy(update=update))
    shown = made.model_copy(update={"secret_text": text}).document()
    return entity(request, shown, "microsoft.graph.passwordCredential")


async def remove_password(request: Request) -> Response:
    """Remove a secret by its id."""
    found = _owned(request)
    key_id = (await read_body(request, KeyReferenceBody)).key_id
    kept = tuple(item for item in found.password_credentials if item.key_id != key_id)
    if len(kept) == len(found.password_credentials):
        raise bad_request(f"No password credential found with keyId '{key_id}'.")
    remaining = {name: value for name, value in found.secrets.items() if value != key_id}
    update = {"password_credentials": kept, "secrets": remaining}
    lab_of(request).store.replace(found.model_copy(update=update))
    return Response(status_code=204)


ROUTES = [
    Route("/applications/{id}/addPassword", add_password, methods=["POST"]),
    Route("/applications/{id}/removePassword", remove_password, methods=["POST"]),
]
