"""Faults, keys and users on demand: control requests of a test, and their effects on clients."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from tests.unit.mstunnel_lab.conftest import SITES


@pytest.fixture
def control(lab: Any) -> Iterator[Callable[..., Any]]:
    """Return a function for control requests; remove faults and changes of users afterwards."""
    yield lab.control
    lab.control("DELETE", "faults")
    lab.control("PATCH", "users/admin@lab.example", {"refused_with": 0, "mfa_code": ""})


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["faults", "keys"])
def test_control_paths_require_the_key(control: Any, method: str, path: str) -> None:
    assert control(method, path, {"faults": []}, key="guess").status_code == 401


@pytest.fixture
def fault(control: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that adds a fault."""
    return lambda **fault: control("POST", "faults", {"faults": [fault]})


def test_throttling_sends_the_time_to_wait(lab: Any, fault: Callable[..., Any]) -> None:
    fault(path="/beta/*Sites", status=429, retry_after=7, times=2)
    answers = [lab.graph("admin", "GET", SITES) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json()["error"]["code"] == "TooManyRequests"


def test_fault_applies_only_to_matching_requests(lab: Any, control: Any, fault: Callable[..., Any]) -> None:
    fault(path="/beta/*Sites", method="POST", status=503, times=None)
    assert lab.status("admin", "GET", SITES) == 200
    assert [lab.status("admin", "POST", SITES, {}) for _ in range(2)] == [503, 503]
    assert control("GET", "faults").json()["faults"][0]["status"] == 503
    control("DELETE", "faults")
    assert lab.status("admin", "POST", SITES, {}) == 400


def test_captive_portal_replaces_responses_of_graph(lab: Any, fault: Callable[..., Any]) -> None:
    fault(path="/beta/*", status=200, body="html")
    answer = lab.graph("admin", "GET", SITES)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


def test_delayed_response_is_unchanged(lab: Any, fault: Callable[..., Any]) -> None:
    fault(path="/beta/*", status=0, delay=0.3)
    answer = lab.graph("admin", "GET", SITES)
    assert (answer.status_code, answer.elapsed.total_seconds() >= 0.3) == (200, True)


@pytest.mark.parametrize(("number", "error"), [(53003, "invalid_grant"), (50097, "interaction_required")])
def test_token_endpoint_returns_the_requested_error(
    lab: Any, fault: Callable[..., Any], number: int, error: str
) -> None:
    fault(path="*/oauth2/v2.0/token", status=400, aadsts=number)
    answer = lab.oauth("token", {"grant_type": "password"}).json()
    assert (answer["error"], answer["error_codes"]) == (error, [number])
    assert answer["error_description"].startswith(f"AADSTS{number}: ")


@pytest.mark.parametrize("number", [53000, 53003, 50097, 50079])
def test_user_can_be_set_to_be_refused(lab: Any, control: Any, number: int) -> None:
    assert control("PATCH", "users/admin@lab.example", {"refused_with": number}).status_code == 200
    form = lab.password_form("admin", scope="User.Read")
    assert lab.oauth("token", form).json()["error_codes"] == [number]
    control("PATCH", "users/admin@lab.example", {"refused_with": 0})
    assert "access_token" in lab.oauth("token", form).json()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "users/nobody@lab.example", {"refused_with": 0}, 404),
        ("PATCH", "users/admin@lab.example", {"refused_with": 1}, 400),
        ("PATCH", "users/admin@lab.example", {"roles": ["King"]}, 400),
        ("PATCH", "users/admin@lab.example", {"mfa_code": "12"}, 400),
        ("PATCH", "sites/none", {"upgrade_available": True}, 404),
        ("PATCH", "servers/none", {"status": "healthy"}, 404),
        ("PATCH", "servers/none", {"status": "splendid"}, 400),
        ("PATCH", "servers/none", {"status": "healthy", "metrics": {"cpu-usage": "many"}}, 400),
        ("PUT", "logs/none", "logs", 404),
        ("POST", "faults", {"faults": [{"status": 700}]}, 400),
        ("POST", "faults", {"faults": [{"colour": "red"}]}, 400),
        ("POST", "faults", {"faults": [{"times": 0}]}, 400),
        ("POST", "faults", {"faults": [{"delay": -1}]}, 400),
        ("POST", "faults", {"faults": [{"method": "BREW"}]}, 400),
        ("POST", "limit", {"requests": 0, "seconds": 1}, 400),
        ("POST", "limit", {"requests": 1}, 400),
        ("POST", "limit", {"requests": 1, "seconds": 0}, 400),
    ],
)
def test_invalid_control_requests_are_refused(
    control: Any, method: str, path: str, body: Any, status: int
) -> None:
    assert control(method, path, body).status_code == status


def test_upgrade_can_be_offered(lab: Any, control: Any) -> None:
    site = lab.site_id()
    control("PATCH", f"sites/{site}", {"upgrade_available": True})
    assert lab.read(f"{SITES}/{site}")["upgradeAvailable"] is True
    control("PATCH", f"sites/{site}", {"upgrade_available": False})


def test_rotation_of_keys_keeps_older_tokens_valid(lab: Any, control: Any) -> None:
    """Check that a token of the older key is valid until that key is retired, even if cached."""
    before = lab.app_token("agent")
    assert lab.status("", "GET", SITES, token=before) == 200
    control("POST", "keys")
    after = lab.app_token("agent")
    names = [jwt.get_unverified_header(token)["kid"] for token in (before, after)]
    published = lab.session.get(f"{lab.description['authority']}/discovery/v2.0/keys", timeout=20).json()
    assert [key["kid"] for key in published["keys"][:2]] == names[::-1]
    statuses = [lab.status("", "GET", SITES, token=token) for token in (before, after)]
    assert statuses == [200, 200]
    control("DELETE", "keys")
    statuses = [lab.status("", "GET", SITES, token=token) for token in (before, after)]
    assert statuses == [401, 200]
    lab.tokens.clear()


def test_changes_above_the_limit_are_refused_for_its_period(lab: Any, control: Any) -> None:
    assert control("POST", "limit", {"requests": 2, "seconds": 1.5}).json()["limit"]["requests"] == 2
    try:
        answers = [lab.graph("admin", "POST", SITES, {}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [400, 400, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 2
        assert lab.status("admin", "GET", SITES) == 200
        assert control("GET", "limit").json()["refused"] == 1
        time.sleep(int(answers[2].headers["retry-after"]))
        assert lab.status("admin", "POST", SITES, {}) == 400
    finally:
        assert control("DELETE", "limit").json() == {"limit": None, "refused": 0}
    assert {lab.status("admin", "POST", SITES, {}) for _ in range(4)} == {400}
