"""Roles: the meaning of a denied access for the application and for the signed-in person.

Source of the permission groups: "Create a custom role in Intune" and the prerequisites of Microsoft Tunnel.
"""

from collections.abc import Mapping
from typing import Final

from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.token_sources import claims
from mstunnel_setup.tenant.wire import (
    APP_ROLE_ASSIGNMENT_READ_WRITE,
    APPLICATION_READ_WRITE,
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
)

INTUNE_ADMINISTRATOR: Final = "3a2c62db-5318-420d-8d74-23affee5d9d5"
GLOBAL_ADMINISTRATOR: Final = "62e90394-69f5-4237-9190-012177145e10"
"""Template ids of the Entra roles that may do everything in Intune (Microsoft Entra built-in roles)."""

ACCESS_DENIED: Final = frozenset({"permission-missing", "role-missing", "role-without-effect"})
"""The codes of the errors that `access_denied` returns."""

_INTUNE: Final = {CONFIGURATION_READ, CONFIGURATION_READ_WRITE}
_ADMINISTRATORS: Final = {
    INTUNE_ADMINISTRATOR: text("Intune Administrator"),
    GLOBAL_ADMINISTRATOR: text("Global Administrator"),
}
_ENTRA_ROLES: Final = {
    CONFIGURATION_READ: _ADMINISTRATORS[INTUNE_ADMINISTRATOR],
    CONFIGURATION_READ_WRITE: _ADMINISTRATORS[INTUNE_ADMINISTRATOR],
    APPLICATION_READ_WRITE: text("Cloud Application Administrator"),
    APP_ROLE_ASSIGNMENT_READ_WRITE: text("Privileged Role Administrator"),
}
"""The least Entra role that a person needs in addition to each permission (Entra built-in roles)."""

_PERMISSION_GROUPS: Final = {
    "/deviceManagement/microsoftTunnel": "Microsoft Tunnel Gateway",
    "/deviceManagement/deviceConfigurations": "Device configurations",
    "/deviceManagement/androidManagedStoreAccountEnterpriseSettings": "Android Enterprise",
    "/deviceAppManagement/mobileApp": "Mobile apps",
    "/deviceAppManagement/": "Managed apps",
}
"""The permission group of Intune's custom roles, by a part of the request's path; the first match counts."""

_RIGHTS: Final = {"GET": "Read", "POST": "Create", "PATCH": "Update", "DELETE": "Delete"}
_RIGHTS_OF_ACTIONS: Final = {
    "getHealthMetrics": "Read",
    "getHealthMetricTimeSeries": "Read",
    "requestUpgrade": "Update",
    "assign": "Assign",
    "targetApps": "Update",
    "approveApps": "Update app sync",
    "syncApps": "Update app sync",
}


def access_denied(request: str, method: str, path: str, needs: str, token: str) -> SignInError:
    """Return the error for a request that Graph denied to the owner of `token`.

    `needs` is the permission that the request takes, empty if unknown. If the token of a person has it, the
    person lacks a role (`role-missing`); otherwise the application lacks it (`permission-missing`). The
    token's claims only determine the message: Graph has made the decision.
    """
    found = claims(token)
    role = _role(method, path, needs)
    if "scp" in found and needs and _granted(str(found["scp"]), needs):
        decisive = {GLOBAL_ADMINISTRATOR, INTUNE_ADMINISTRATOR if needs in _INTUNE else ""}
        return _role_missing(request, role, found, decisive)
    permission = text("the permission {needs}", needs=needs) if needs else text("another permission")
    return SignInError(
        "permission-missing",
        "Graph denied access: {request}",
        hint="Grant the application consent to {permission}{role}.",
        request=request,
        permission=permission,
        role=text(", and the user needs the role {needs}", needs=role) if role else "",
    )


def _granted(scopes: str, needs: str) -> bool:
    """Return whether these delegated permissions include `needs`; write access includes read access."""
    return not {needs, needs.replace(".Read.", ".ReadWrite.")}.isdisjoint(scopes.split())


def _role(method: str, path: str, needs: str) -> str:
    """Return the least role for a request: an Entra role, for Intune also a custom role; empty if unknown."""
    role = _ENTRA_ROLES.get(needs, "")
    group = next((name for part, name in _PERMISSION_GROUPS.items() if part in path), "")
    if needs not in _INTUNE or not group:
        return role
    return text(
        "{role} (or an Intune role with {right} of the permission group {group})",
        role=role,
        right=_RIGHTS_OF_ACTIONS.get(path.rpartition("/")[2], _RIGHTS.get(method, method)),
        group=group,
    )


def _role_missing(request: str, role: str, found: Mapping[str, object], decisive: set[str]) -> SignInError:
    """Return the error for a person; one of the `decisive` roles in the token should have been enough."""
    name = plain(found.get("upn") or found.get("preferred_username") or text("the account"), 120)
    # A guest has the claim `acct`, or an `idp` other than the issuer (access token claims).
    guest = found.get("acct") in {1, "1"} or found.get("idp", found.get("iss")) != found.get("iss")
    listed = found.get("wids")
    ids = decisive.intersection(map(str, listed)) if isinstance(listed, list) else set()
    held = [title for each, title in _ADMINISTRATORS.items() if each in ids]
    if held:
        return SignInError(
            "role-without-effect",
            "Graph denied access to {account}, whose token lists {role}: {request}",
            hint=(
                "Check that the account has an Intune licence and that the role is still assigned, then sign "
                "in again."
            ),
            account=name,
            role=held[0],
            request=request,
        )
    return SignInError(
        "role-missing",
        "Graph denied access to {account}{guest}: {request}",
        hint="Activate or assign {role}{alternative}, then run the command again.",
        account=name,
        guest=text(", a guest in this tenant") if guest else "",
        request=request,
        role=text("the role {role}", role=role) if role else text("a role that allows this request"),
        alternative=text(", or sign in with an account of the tenant itself") if guest else "",
    )
