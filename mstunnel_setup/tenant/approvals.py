"""Multi Admin Approval: answers of Intune to a change that another administrator must approve.

Source: "Use Multi Admin Approval with the Microsoft Graph API" (2026-05-26), which has status 403 for a
change that waits. Tenants also answer with 412, and with 409 where another change of the object waits.
"""

import re
from http import HTTPStatus
from typing import Final

from mstunnel_setup.base.errors import SetupError, TenantError, WaitingError, declare
from mstunnel_setup.base.text import plain
from mstunnel_setup.io.http_port import HttpAnswer
from mstunnel_setup.tenant.wire_intune import APPROVAL_CODE, APPROVAL_JUSTIFICATION


class ApprovalWaitingError(WaitingError):
    """A change waits for an approval; `approval` is the id of the request, empty if Graph sent none."""

    approval: str = ""


APPROVAL_REQUIRED = declare(
    ApprovalWaitingError,
    "approval-required",
    "another administrator must approve the change, approval request {approval}: {request}",
    (
        "Ask a member of the approver group to approve it within three days in the Intune admin center "
        "(Tenant administration, Multi Admin Approval), then run the same command again."
    ),
)
APPROVAL_PENDING = declare(
    ApprovalWaitingError,
    "approval-pending",
    "nobody has approved the change yet, approval request {approval}: {request}",
    (
        "Ask a member of the approver group to approve it in the Intune admin center (Tenant administration, "
        "Multi Admin Approval), then run the same command again."
    ),
)
APPROVAL_REJECTED = declare(
    TenantError,
    "approval-rejected",
    "an administrator rejected the change{note}, approval request {approval}: {request}",
    "Correct the change, or run the command again with --justification TEXT to request it once more.",
)
APPROVAL_CANCELLED = declare(
    TenantError,
    "approval-cancelled",
    "the approval request {approval} was cancelled: {request}",
    "Run the command again with --justification TEXT to request the approval once more.",
)
APPROVAL_EXPIRED = declare(
    TenantError,
    "approval-expired",
    "the approval request {approval} has expired, because it was not completed within three days: {request}",
    "Run the command again with --justification TEXT to request the approval once more.",
)
APPROVAL_ACTIVE = declare(
    TenantError,
    "approval-active",
    "another change of the object waits for approval already: {request}",
    (
        "Have that one approved or rejected, or cancel it, in the Intune admin center (Tenant "
        "administration, Multi Admin Approval), then run the command again."
    ),
)
APPROVAL_JUSTIFICATION_MISSING = declare(
    TenantError,
    "approval-justification-missing",
    "the tenant requires an approval for this change (Multi Admin Approval): {request}",
    (
        "Run the command again with --justification TEXT, which requests it. An application can be excluded "
        "from the access policy instead."
    ),
)
APPROVAL_CODES: Final = frozenset(
    declared.code
    for declared in (
        APPROVAL_REQUIRED,
        APPROVAL_PENDING,
        APPROVAL_REJECTED,
        APPROVAL_CANCELLED,
        APPROVAL_EXPIRED,
        APPROVAL_ACTIVE,
        APPROVAL_JUSTIFICATION_MISSING,
    )
)
"""The codes of all errors about approvals; none of them prevents the changes of other objects."""

_IN_MESSAGE: Final = re.compile(rf"{APPROVAL_CODE}: ([0-9a-fA-F-]{{36}})")


def approval_code(answer: HttpAnswer) -> str:
    """Return the id of the approval request that a refusal names, or ""."""
    return plain(answer.headers.get(APPROVAL_CODE, ""), 64)


def concerns_approval(answer: HttpAnswer) -> bool:
    """Return whether a refusal is about a missing approval, and not about a right of the account."""
    return bool(approval_code(answer)) or b"x-msft-approval-" in answer.content.lower()


def approval_refusal(answer: HttpAnswer, message: str, code: str, request: str) -> SetupError | None:
    """Return the error for a refusal about an approval, or None for another refusal.

    `message` and `code` are those of Graph's error, `request` is the method and path of the change.
    """
    status, words = answer.status_code, message.lower()
    in_message = _IN_MESSAGE.search(message)
    approval = approval_code(answer) or (in_message[1] if in_message else "")
    if code == "ApprovalRequired" or (
        approval and status in {HTTPStatus.FORBIDDEN, HTTPStatus.PRECONDITION_FAILED}
    ):
        error = APPROVAL_REQUIRED(approval=approval or "?", request=request)
        error.approval = approval
        return error
    if APPROVAL_JUSTIFICATION in words:
        return APPROVAL_JUSTIFICATION_MISSING(request=request)
    if status == HTTPStatus.CONFLICT and "approval request" in words:
        return APPROVAL_ACTIVE(request=request)
    return None
