"""Faults, keys and users on demand: what a test asks the lab for, and what clients then see."""

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

SITES = "/deviceManagement/microsoftTunnelSites"


@pytest.fixture
def control(lab: Any) -> Iterator[Any]:
    """Ask the control paths; faults and users are as before afterwards."""

    def ask(method: str, path: str, document: object = None, key: str = "") -> Any:
        known = lab.description["control"]
        headers = {"Authorization": f"Bearer {key or known['key']}"}
        return lab.session.request(
            method, f"{known['address']}/{path}", json=document, headers=headers, timeout=20
        )

    yield ask
    ask("DELETE", "faults")
    ask("PATCH", "users/admin@lab.example", {"refused_with": 0, "mfa_code": ""})


def faults(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"faults": list(listed)}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["faults", "keys"])
def test_only_the_key_opens_the_control_paths(control: Any, method: str, path: str) -> None:
    assert control(method, path, faults(), key="guess").status_code == 401


def test_throttling_says_how_long_to_wait(lab: Any, control: Any) -> None:
    control("POST", "faults", faults({"path": "/beta/*Sites", "status": 429, "retry_after": 7, "times": 2}))
    answers = [lab.graph("admin", "GET", SITES) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json()["error"]["code"] == "TooManyRequests"


def test_a_fault_is_for_its_requests_only(lab: Any, control: Any) -> None:
    fault = {"path": "/beta/*Sites", "method": "POST", "status": 503, "times": None}
    control("POST", "faults", faults(fault))
    assert lab.graph("admin", "GET", SITES).status_code == 200
    assert lab.graph("admin", "POST", SITES, {}).status_code == 503
    assert lab.graph("admin", "POST", SITES, {}).status_code == 503
    assert control("GET", "faults").json()["faults"][0]["status"] == 503
    control("DELETE", "faults")
    assert lab.graph("admin", "POST", SITES, {}).status_code == 400


def test_a_portal_answers_instead_of_graph(lab: Any, control: Any) -> None:
    control("POST", "faults", faults({"path": "/beta/*", "status": 200, "body": "html"}))
    answer = lab.graph("admin", "GET", SITES)
    assert answer.headers["content-type"] == "text/html"
    assert answer.status_code == 200


def test_a_slow_answer_is_a_true_one(lab: Any, control: Any) -> None:
    control("POST", "faults", faults({"path": "/beta/*", "status": 0, "delay": 0.3}))
    answer = lab.graph("admin", "GET", SITES)
    assert (answer.status_code, answer.elapsed.total_seconds() >= 0.3) == (200, True)


@pytest.mark.parametrize(("number", "error"), [(53003, "invalid_grant"), (50097, "interaction_required")])
def test_the_token_endpoint_refuses_by_number(lab: Any, control: Any, number: int, error: str) -> None:
    control("POST", "faults", faults({"path": "*/oauth2/v2.0/token", "status": 400, "aadsts": number}))
    answer = lab.oauth("token", {"grant_type": "password"}).json()
    assert (answer["error"], answer["error_codes"]) == (error, [number])
    assert answer["error_description"].startswith(f"AADSTS{number}: ")


@pytest.mark.parametrize(
    "bad", [{"status": 700}, {"colour": "red"}, {"times": 0}, {"delay": -1}, {"method": "BREW"}]
)
def test_a_fault_must_be_one(control: Any, bad: dict[str, Any]) -> None:
    assert control("POST", "faults", faults(bad)).status_code == 400


@pytest.mark.parametrize("number", [53000, 53003, 50097, 50079])
def test_a_user_is_refused_on_demand(lab: Any, control: Any, number: int) -> None:
    assert control("PATCH", "users/admin@lab.example", {"refused_with": number}).status_code == 200
    form = {"grant_type": "password", "client_id": lab.description["client_id"], "scope": "User.Read"}
    form |= {"username": "admin@lab.example", "password": lab.password("admin")}
    assert lab.oauth("token", form).json()["error_codes"] == [number]
    control("PATCH", "users/admin@lab.example", {"refused_with": 0})
    assert "access_token" in lab.oauth("token", form).json()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("users/nobody@lab.example", {"refused_with": 0}, 404),
        ("users/admin@lab.example", {"refused_with": 1}, 400),
        ("users/admin@lab.example", {"roles": ["King"]}, 400),
        ("users/admin@lab.example", {"mfa_code": "12"}, 400),
        ("sites/none", {"upgrade_available": True}, 404),
    ],
)
def test_control_is_strict_too(control: Any, path: str, body: dict[str, Any], status: int) -> None:
    assert control("PATCH", path, body).status_code == status


def test_an_upgrade_is_offered(lab: Any, control: Any) -> None:
    site = lab.site_id()
    control("PATCH", f"sites/{site}", {"upgrade_available": True})
    assert lab.graph("admin", "GET", f"{SITES}/{site}").json()["upgradeAvailable"] is True
    control("PATCH", f"sites/{site}", {"upgrade_available": False})


def test_keys_rotate_without_a_gap(lab: Any, control: Any) -> None:
    """A token of the older key is valid until that key is retired, even if it was checked before."""
    before = lab.app_token("agent")
    assert lab.graph("", "GET", SITES, token=before).status_code == 200
    control("POST", "keys")
    after = lab.app_token("agent")
    names = [jwt.get_unverified_header(token)["kid"] for token in (before, after)]
    published = lab.session.get(f"{lab.description['authority']}/discovery/v2.0/keys", timeout=20).json()
    assert [key["kid"] for key in published["keys"][:2]] == names[::-1]
    statuses = [lab.graph("", "GET", SITES, token=token).status_code for token in (before, after)]
    assert statuses == [200, 200]
    control("DELETE", "keys")
    statuses = [lab.graph("", "GET", SITES, token=token).status_code for token in (before, after)]
    assert statuses == [401, 200]
    lab.tokens.clear()


def test_the_commands(lab: Any, process: Any, lab_program: str, control: Any) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [lab_program, *arguments, "--dir", str(process.directory)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert run("fault", "--path", "/beta/*Sites", "--status", "429", "--retry-after", "1").returncode == 0
    assert lab.graph("admin", "GET", SITES).status_code == 429
    assert run("fault", "--status", "503", "--times", "9").returncode == 0
    assert run("fault", "--clear").returncode == 0
    assert lab.graph("admin", "GET", SITES).status_code == 200
    assert run("user", "admin@lab.example", "--refused-with", "53003").returncode == 0
    refused = run("user", "admin@lab.example", "--refused-with", "7")
    assert (refused.returncode, "7 is not one of" in " ".join(refused.stderr.split())) == (6, True)
    assert run("rotate-keys").returncode == 0
    assert len(control("GET", "keys").json()["keys"]) == 2
    assert run("rotate-keys", "--retire").returncode == 0
    assert len(control("GET", "keys").json()["keys"]) == 1
    lab.tokens.clear()


def test_more_changes_than_the_limit_are_refused_until_its_time_is_over(lab: Any, control: Any) -> None:
    assert control("POST", "limit", {"requests": 2, "seconds": 1.5}).json()["limit"]["requests"] == 2
    try:
        answers = [lab.graph("admin", "POST", SITES, {}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [400, 400, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 2
        assert lab.graph("admin", "GET", SITES).status_code == 200
        assert control("GET", "limit").json()["refused"] == 1
        time.sleep(int(answers[2].headers["retry-after"]))
        assert lab.graph("admin", "POST", SITES, {}).status_code == 400
    finally:
        assert control("DELETE", "limit").json() == {"limit": None, "refused": 0}
    assert {lab.graph("admin", "POST", SITES, {}).status_code for _ in range(4)} == {400}


@pytest.mark.parametrize(
    "bad", [{"requests": 0, "seconds": 1}, {"requests": 1}, {"requests": 1, "seconds": 0}]
)
def test_a_limit_that_makes_no_sense_is_refused(control: Any, bad: dict[str, Any]) -> None:
    assert control("POST", "limit", bad).status_code == 400
