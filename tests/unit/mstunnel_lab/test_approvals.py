"""Multi Admin Approval in the lab: changes of protected collections wait for a second administrator."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.unit.mstunnel_lab.conftest import CONFIGURATIONS

CODE = "x-msft-approval-code"
JUSTIFICATION = "x-msft-approval-justification"
REQUESTS = "/deviceManagement/operationApprovalRequests"
NEW = {"displayName": "Protected", "network": "169.254.0.0/16"}


@pytest.fixture
def send(lab: Any) -> Iterator[Callable[..., requests.Response]]:
    """Protect server configurations; return a function that sends a change with an approval header."""
    lab.control("PUT", "access-policies", {"protected": ["microsoftTunnelConfigurations"]})

    def change(method: str, path: str, body: Any = None, who: str = "admin", **headers: str) -> Any:
        named = {"Authorization": f"Bearer {lab.token_as(who)}", **headers}
        address = f"{lab.description['graph']}/beta{path}"
        return lab.session.request(method, address, json=body, headers=named, timeout=20)

    yield change
    lab.control("PUT", "access-policies", {"protected": []})


def because(text: str = "Change 42") -> dict[str, str]:
    return {JUSTIFICATION: base64.b64encode(text.encode()).decode()}


def decided(lab: Any, code: str, status: str, note: str = "") -> None:
    found = lab.control("PATCH", f"approvals/{code}", {"status": status, "note": note})
    assert found.status_code == 200, found.text


def test_protected_change_needs_a_justification(lab: Any, send: Callable[..., requests.Response]) -> None:
    refused = send("POST", CONFIGURATIONS, NEW)
    assert refused.status_code == 400
    assert "Header 'x-msft-approval-justification' is required" in refused.json()["error"]["message"]
    assert send("POST", CONFIGURATIONS, NEW, **{JUSTIFICATION: "Ü"}).status_code == 400
    assert lab.status("admin", "GET", CONFIGURATIONS) == 200, "reading is not affected"


def test_change_is_made_once_after_its_approval(lab: Any, send: Callable[..., requests.Response]) -> None:
    asked = send("POST", CONFIGURATIONS, NEW, **because())
    assert (asked.status_code, asked.json()["error"]["code"]) == (403, "ApprovalRequired")
    code = asked.headers[CODE]
    assert f"{CODE}: {code}" in asked.json()["error"]["message"]
    shown = lab.read(f"{REQUESTS}/{code}")
    assert (shown["status"], shown["requestJustification"]) == ("needsApproval", "Change 42")
    assert "changeDigest" not in shown
    (listed,) = lab.read(f"{REQUESTS}?$filter=requestId eq '{code}'")["value"]
    assert listed["id"] == code
    waiting = send("POST", CONFIGURATIONS, NEW, **{CODE: code})
    assert (waiting.status_code, waiting.headers[CODE]) == (403, code)

    decided(lab, code, "approved", "Fine")
    other = send("POST", CONFIGURATIONS, {**NEW, "network": "172.20.0.0/16"}, **{CODE: code})
    assert other.status_code == 400, "only the change that was approved"
    assert send("POST", CONFIGURATIONS, NEW, "app:agent", **{CODE: code}).status_code == 400, (
        "by its requestor"
    )
    made = send("POST", CONFIGURATIONS, NEW, **{CODE: code})
    assert made.status_code == 201, made.text
    assert lab.read(f"{REQUESTS}/{code}")["status"] == "completed"
    assert send("POST", CONFIGURATIONS, NEW, **{CODE: code}).status_code == 403, "only once"


@pytest.mark.parametrize("status", ["rejected", "cancelled", "expired"])
def test_ended_request_allows_nothing(lab: Any, send: Callable[..., requests.Response], status: str) -> None:
    code = send("POST", CONFIGURATIONS, NEW, **because()).headers[CODE]
    decided(lab, code, status, "No")
    refused = send("POST", CONFIGURATIONS, NEW, **{CODE: code})
    assert (refused.status_code, CODE in refused.headers) == (403, False)
    assert lab.control("PATCH", f"approvals/{code}", {"status": "approved"}).status_code == 400


def test_one_change_of_an_object_waits_at_a_time(lab: Any, send: Callable[..., requests.Response]) -> None:
    path = f"{CONFIGURATIONS}/{lab.configuration_id()}"
    code = send("PATCH", path, {"description": "One"}, **because()).headers[CODE]
    second = send("PATCH", path, {"description": "Two"}, **because())
    assert second.status_code == 409
    assert "active Approval Request already exists" in second.json()["error"]["message"]
    decided(lab, code, "cancelled")


def test_role_is_judged_before_the_approval(lab: Any, send: Callable[..., requests.Response]) -> None:
    refused = send("POST", CONFIGURATIONS, NEW, "reader", **because())
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "access-policies", {"protected": ["everything"]}, 400),
        ("PATCH", "approvals/none", {"status": "approved"}, 404),
        ("PATCH", "approvals/none", {"status": "completed"}, 400),
    ],
)
def test_invalid_control_request_is_refused(lab: Any, method: str, path: str, body: Any, status: int) -> None:
    assert lab.control(method, path, body).status_code == status
