"""Multi Admin Approval: changes of protected collections wait until another administrator approves them.

Source: "Use Multi Admin Approval with the Microsoft Graph API" (2026-05-26). Access policies and decisions
come from the control paths; in Intune an administrator makes them in the admin center.
"""

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra.permissions import Caller, may_read_approvals
from mstunnel_lab.errors import FORBIDDEN, GraphError, bad_request, conflict, not_found
from mstunnel_lab.graph import http
from mstunnel_lab.records import AccessPolicyRecord, ApprovalRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire_intune import (
    APPROVAL_CODE,
    APPROVAL_JUSTIFICATION,
    OperationApprovalRequest,
)

PENDING: Final = "needsApproval"
APPROVED: Final = "approved"
_COMPLETED: Final = "completed"
_LIFE: Final = timedelta(days=3)
_NAME: Final = "operationApprovalRequest"
_CONTEXT: Final = f"deviceManagement/{_NAME}s"
_KIND: Final = http.EntityType(_NAME, OperationApprovalRequest, filterable=("status", "requestId"))


@asynccontextmanager
async def approved_change(request: Request, lab: Lab, caller: Caller, segment: str) -> AsyncIterator[None]:
    """Run the block, which makes a change, if its collection is not protected or the change is approved.

    Raises `GraphError`: 400 without a justification, 403 while nobody has approved it, 409 if another change
    of the object waits already.
    """
    if lab.store.get(AccessPolicyRecord, segment) is None:
        yield
        return
    digest, code = await _digest(request), request.headers.get(APPROVAL_CODE, "")
    if not code:
        raise _required(_requested(request, lab, caller, digest))
    found = lab.store.get(ApprovalRecord, code)
    if found is None or (found.change_digest, found.requestor_id) != (digest, caller.object_id):
        raise bad_request("The approval request is not about this change.")
    status = status_of(found)
    if status == PENDING:
        raise _required(found)
    if status != APPROVED:
        raise GraphError(FORBIDDEN, "Forbidden", f"The approval request is {status}.")
    yield
    decide(lab, found, _COMPLETED)


async def _digest(request: Request) -> str:
    """Return a digest of method, address and body, which must be the same in the approved request."""
    content = await request.body()
    body = await http.read_json(request) if content else None
    change = json.dumps([request.method, request.url.path, body], sort_keys=True)
    return hashlib.sha256(change.encode()).hexdigest()


def _requested(request: Request, lab: Lab, caller: Caller, digest: str) -> ApprovalRecord:
    given = request.headers.get(APPROVAL_JUSTIFICATION, "")
    if not given:
        message = f"Header '{APPROVAL_JUSTIFICATION}' is required to request approval"
        # Intune's services put JSON into the message.
        raise bad_request(json.dumps({"_version": 3, "Message": message}))
    try:
        justification = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"Header '{APPROVAL_JUSTIFICATION}' must be Base64.") from error
    target = request.url.path if "id" in request.path_params else ""
    active = {PENDING, APPROVED}
    if target and any(
        each.target == target and status_of(each) in active for each in lab.store.each(ApprovalRecord)
    ):
        raise conflict("An active Approval Request already exists for this object.")
    now = datetime.now(UTC)
    made = ApprovalRecord(
        id=str(uuid.uuid4()),
        request_date_time=now,
        expiration_date_time=now + _LIFE,
        last_modified_date_time=now,
        status=PENDING,
        request_justification=justification,
        change_digest=digest,
        target=target,
        requestor_id=caller.object_id,
    )
    lab.store.add(made)
    return made


def _required(found: ApprovalRecord) -> GraphError:
    message = (
        "Approval Required. Request Approval using the request ID returned as part of the "
        f"{APPROVAL_CODE} response header. {APPROVAL_CODE}: {found.id}"
    )
    return GraphError(FORBIDDEN, "ApprovalRequired", message, headers={APPROVAL_CODE: found.id})


def status_of(found: ApprovalRecord) -> str:
    """Return the status of a request as of now: one that is not completed within three days expires."""
    end = found.expiration_date_time
    late = end is not None and end < datetime.now(UTC)
    return "expired" if late and found.status in {PENDING, APPROVED} else found.status


def decide(lab: Lab, found: ApprovalRecord, status: str, note: str = "") -> ApprovalRecord:
    """Store the new status of a request, with the note of the approver, and return it."""
    changed = found.model_copy(
        update={
            "status": status,
            "approval_justification": note or found.approval_justification,
            "last_modified_date_time": datetime.now(UTC),
        }
    )
    lab.store.replace(changed)
    return changed


def shown(found: ApprovalRecord, _expand: frozenset[str] = frozenset()) -> JsonObject:
    """Return a request as Graph shows it.

    The documented type has no `requestId`, but the documented way to find a request filters by it.
    """
    return {**found.model_copy(update={"status": status_of(found)}).public(), "requestId": found.id}


async def answer_collection(request: Request) -> Response:
    """List the approval requests."""
    lab, _ = http.admitted(request, may_read_approvals)
    return http.collection(request, lab.store.each(ApprovalRecord), shown, _KIND, _CONTEXT)


async def answer(request: Request) -> Response:
    """Read one approval request."""
    lab, _ = http.admitted(request, may_read_approvals)
    found = lab.store.get(ApprovalRecord, request.path_params["id"])
    if found is None:
        raise not_found(_NAME, request.path_params["id"])
    return http.one(request, found, shown, _KIND, f"{_CONTEXT}/$entity")


ROUTES = [
    Route(f"/{_NAME}s", answer_collection, methods=["GET"]),
    Route(f"/{_NAME}s/{{id}}", answer, methods=["GET"]),
]
