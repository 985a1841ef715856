"""Causes of a refusal by Graph: a missing permission of the application, or a missing role of the user."""

import json
from typing import Any

import pytest

from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.tenant.roles import GLOBAL_ADMINISTRATOR, INTUNE_ADMINISTRATOR
from mstunnel_setup.tenant.transport import GraphTransport
from mstunnel_setup.tenant.wire import (
    APP_ROLE_ASSIGNMENT_READ_WRITE,
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
)
from tests.unit.tenant.fakes import FakeHttp, fixed_token, jwt, response

FORBIDDEN = {"error": {"code": "Forbidden", "message": "User is not authorized."}}
SITES = "/deviceManagement/microsoftTunnelSites"
ADA = "ada@contoso.example"
GROUP = "of the permission group Microsoft Tunnel Gateway"


def denied(
    token: str, method: str = "GET", path: str = SITES, needs: str = CONFIGURATION_READ, **sent: Any
) -> SignInError:
    """Send a request that Graph refuses, and return the error."""
    http = FakeHttp([response(sent.get("status", 403), sent.get("body", FORBIDDEN))])
    with pytest.raises(SignInError) as caught:
        GraphTransport(http, "https://graph.example/beta", fixed_token(token)).send(method, path, needs=needs)
    return caught.value


def person(scope: str = CONFIGURATION_READ_WRITE, **says: object) -> str:
    return jwt(**{"scp": f"openid {scope}", "upn": ADA, "wids": [], **says})


@pytest.mark.parametrize(
    ("method", "below", "right"),
    [
        ("GET", "", "Read"),
        ("POST", "", "Create"),
        ("PATCH", "/1", "Update"),
        ("DELETE", "/1", "Delete"),
        ("POST", "/1/requestUpgrade", "Update"),
        ("POST", "/1/microsoftTunnelServers/2/getHealthMetrics", "Read"),
    ],
)
def test_required_right_of_a_request_is_named(method: str, below: str, right: str) -> None:
    error = denied(person(), method, f"{SITES}{below}")
    assert (error.code, error.exit_code) == ("role-missing", 5)
    assert error.message.startswith(f"Graph denied access to {ADA}: {method} /beta{SITES}{below}: 403")
    assert f"Intune Administrator (or an Intune role with {right} {GROUP})" in error.hint


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/deviceManagement/deviceConfigurations", "Device configurations"),
        ("/deviceAppManagement/mobileApps", "Mobile apps"),
        ("/deviceAppManagement/iosManagedAppProtections", "Managed apps"),
    ],
)
def test_profiles_and_apps_need_another_permission_group(path: str, group: str) -> None:
    assert f"Read of the permission group {group}" in denied(person(), path=path).hint


def test_missing_permission_takes_precedence_over_the_role() -> None:
    error = denied(person(CONFIGURATION_READ), "POST", needs=CONFIGURATION_READ_WRITE)
    assert error.code == "permission-missing"
    assert f"consent to the permission {CONFIGURATION_READ_WRITE}" in error.hint
    assert (
        f"the user needs the role Intune Administrator (or an Intune role with Create {GROUP})" in error.hint
    )


@pytest.mark.parametrize(
    "token", ["opaque", "a.b.c", jwt(roles=[CONFIGURATION_READ])], ids=["opaque", "no JSON", "application"]
)
def test_token_without_permissions_is_a_missing_permission(token: str) -> None:
    assert denied(token).code == "permission-missing"


@pytest.mark.parametrize("role", [INTUNE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR])
def test_administrator_is_not_told_to_get_the_role(role: str) -> None:
    error = denied(person(wids=[role]))
    assert error.code == "role-without-effect"
    assert f"{ADA}, whose token lists" in error.message
    assert "Intune licence" in error.hint


def test_intune_administrator_cannot_grant_permissions() -> None:
    token = person(APP_ROLE_ASSIGNMENT_READ_WRITE, wids=[INTUNE_ADMINISTRATOR])
    error = denied(
        token, "POST", "/servicePrincipals/1/appRoleAssignments", needs=APP_ROLE_ASSIGNMENT_READ_WRITE
    )
    assert error.code == "role-missing"
    assert "the role Privileged Role Administrator, then" in error.hint


@pytest.mark.parametrize(
    "says",
    [{"acct": 1}, {"idp": "https://sts.example/home", "iss": "https://sts.example/contoso"}],
    ids=["acct", "idp"],
)
def test_guest_without_the_role_is_reported_as_a_guest(says: dict[str, Any]) -> None:
    error = denied(person(**says))
    assert f"{ADA}, a guest in this tenant: " in error.message
    assert "of the tenant itself" in error.hint


def test_missing_role_is_reported_for_status_401() -> None:
    """Check the form of msgraph-sdk-powershell issue 1257: JSON in JSON, status 401, code UnknownError."""
    trace = " - Operation ID (for customer support): 0 - Activity ID: 1 - Url: https://fef.example/x"
    service = json.dumps({"_version": 3, "Message": f"An error has occurred{trace}"})
    message = json.dumps({"ErrorCode": "Forbidden", "Message": service, "Target": None})
    error = denied(person(), status=401, body={"error": {"code": "UnknownError", "message": message}})
    assert error.code == "role-missing"
    assert error.message.endswith(": 401, An error has occurred")
