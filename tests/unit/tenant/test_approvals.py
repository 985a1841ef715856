"""Refusals of Graph about a change that needs an approval are told apart from missing rights."""

import json
from typing import Any

import pytest

from mstunnel_setup.base.errors import ExitCode, SetupError
from mstunnel_setup.tenant.approvals import APPROVAL_CODES, ApprovalWaitingError, concerns_approval
from mstunnel_setup.tenant.transport import GraphTransport
from mstunnel_setup.tenant.wire import CONFIGURATION_READ_WRITE
from tests.unit.tenant.fakes import FakeHttp, fixed_token, response

CODE = "aabb1234-5678-9012-abcd-ef0123456789"
HEADER = {"x-msft-approval-code": CODE}
REQUIRED = f"Approval Required. Request Approval using the request ID. x-msft-approval-code: {CODE}"
MISSING = "Header 'x-msft-approval-justification' is required to request approval"


def refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> SetupError:
    """Return the error of a change that Graph refuses."""
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    graph = GraphTransport(
        FakeHttp([response(status, body, headers)]), "https://graph.example/beta", fixed_token()
    )
    with pytest.raises(SetupError) as caught:
        graph.send("POST", "/deviceAppManagement/mobileApps", {}, needs=CONFIGURATION_READ_WRITE)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "message", "headers"),
    [
        (403, "ApprovalRequired", REQUIRED, HEADER),
        (403, "ApprovalRequired", REQUIRED, {}),
        (412, "BadRequest", json.dumps({"_version": 3, "Message": REQUIRED}), HEADER),
        (412, "PreconditionFailed", "Precondition Failed", HEADER),
    ],
    ids=["documented", "without the header", "412 with JSON inside", "412"],
)
def test_required_approval_has_the_id_of_its_request(
    status: int, code: str, message: str, headers: dict[str, str]
) -> None:
    error = refusal(status, code, message, headers)
    assert isinstance(error, ApprovalWaitingError)
    assert (error.code, error.exit_code, error.approval) == ("approval-required", ExitCode.WAITING, CODE)
    assert f"approval request {CODE}" in error.message
    assert "Tenant administration, Multi Admin Approval" in error.hint


def test_required_approval_without_an_id_is_reported() -> None:
    error = refusal(403, "ApprovalRequired", "Approval Required.")
    assert isinstance(error, ApprovalWaitingError)
    assert error.approval == ""


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("message", [MISSING, json.dumps({"_version": 3, "Message": MISSING})])
def test_missing_justification_names_the_option(status: int, message: str) -> None:
    error = refusal(status, "BadRequest", message)
    assert (error.code, error.exit_code) == ("approval-justification-missing", ExitCode.TENANT)
    assert "--justification TEXT" in error.hint


def test_second_change_of_a_waiting_object_is_named() -> None:
    error = refusal(409, "Conflict", "An active Approval Request already exists for this object.")
    assert error.code == "approval-active"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(403, "Forbidden", "permission-missing"), (412, "Etag", "changed-meanwhile"), (409, "Busy", "conflict")],
)
def test_other_refusals_keep_their_code(status: int, code: str, expected: str) -> None:
    error = refusal(status, code, "No.")
    assert error.code == expected
    assert error.code not in APPROVAL_CODES


def test_refusal_about_an_approval_is_not_about_the_account() -> None:
    """A stored sign-in is kept then."""
    message = {"error": {"code": "ApprovalRequired", "message": REQUIRED}}
    assert concerns_approval(response(403, message))
    assert concerns_approval(response(403, {"error": {"message": MISSING}}))
    assert not concerns_approval(response(403, {"error": {"code": "Forbidden"}}))
