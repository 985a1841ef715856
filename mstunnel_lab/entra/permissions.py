"""Who may do what: permissions of Microsoft Graph, Entra roles, and the `scope` that asks for them."""

from dataclasses import dataclass
from typing import Final

from mstunnel_lab.errors import FORBIDDEN, GraphError, OAuthError
from mstunnel_lab.records import (
    APPLICATION_ADMINISTRATOR,
    CLOUD_APPLICATION_ADMINISTRATOR,
    CONDITIONAL_ACCESS_ADMINISTRATOR,
    GLOBAL_ADMINISTRATOR,
    INTUNE_ADMINISTRATOR,
    PRIVILEGED_ROLE_ADMINISTRATOR,
    SECURITY_ADMINISTRATOR,
    ApplicationRecord,
    ServerRecord,
    UserRecord,
)
from mstunnel_lab.urls import Urls
from mstunnel_setup.tenant.wire import (
    APP_ROLE_ASSIGNMENT_READ_WRITE,
    APPLICATION_OWNED_BY,
    APPLICATION_READ_WRITE,
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
    GATEWAY_APP_ID,
    GATEWAY_SCOPE,
    GRAPH_APP_ID,
    USER_READ_BASIC,
)
from mstunnel_setup.tenant.wire_access import (
    APPLICATION_READ,
    POLICY_READ,
    POLICY_READ_CONDITIONAL_ACCESS,
    POLICY_READ_WRITE,
)

APP_ROLE_IDS: Final = {
    CONFIGURATION_READ_WRITE: "9241abd9-d0e6-425a-bd4f-47ba86e767a4",
    CONFIGURATION_READ: "dc377aa6-52d8-4e23-b271-2a7ae04cedf3",
    APPLICATION_READ_WRITE: "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    APPLICATION_OWNED_BY: "18a4783c-866b-4cc7-a460-3d5e5662c884",
    APP_ROLE_ASSIGNMENT_READ_WRITE: "06b708a9-e830-4db3-a914-8e69da51d44f",
    APPLICATION_READ: "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    POLICY_READ: "246dd0d5-5bd0-4def-940b-0421030a5b68",
    POLICY_READ_CONDITIONAL_ACCESS: "37730810-e9ba-4e46-b07e-8ca78d182097",
    POLICY_READ_WRITE: "01c0a623-fc9b-48e9-b794-0756f8e8f067",
    USER_READ_BASIC: "97235f07-e226-4f63-ace3-39588e11d3a1",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
}
"""Application permissions of Microsoft Graph that the lab knows (Graph permissions reference)."""

DELEGATED_SCOPES: Final = (
    "User.Read",
    USER_READ_BASIC,
    "Organization.Read.All",
    APPLICATION_READ,
    POLICY_READ,
    POLICY_READ_CONDITIONAL_ACCESS,
    POLICY_READ_WRITE,
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
    APPLICATION_READ_WRITE,
    APP_ROLE_ASSIGNMENT_READ_WRITE,
)
"""Delegated permissions of Microsoft Graph that the lab knows."""

_INTUNE_ROLES: Final = frozenset({INTUNE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR})
_APPLICATION_ROLES: Final = frozenset(
    {APPLICATION_ADMINISTRATOR, CLOUD_APPLICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR}
)
_POLICY_ROLES: Final = frozenset(
    {CONDITIONAL_ACCESS_ADMINISTRATOR, SECURITY_ADMINISTRATOR, GLOBAL_ADMINISTRATOR}
)
_GRANTING_ROLES: Final = frozenset({PRIVILEGED_ROLE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR})
_POLICY_DENIED: Final = "AccessDenied"


@dataclass(frozen=True)
class Caller:
    """Who calls Graph: a user through an application, or an application for itself (`user` is None).

    `object_id` is the id of the user, or of the application's service principal.
    """

    app_id: str
    object_id: str
    permissions: frozenset[str]
    user: UserRecord | None = None

    def has_role(self, roles: frozenset[str]) -> bool:
        """Return whether the user holds one of the Entra roles; an application needs none."""
        return self.user is None or not roles.isdisjoint(self.user.roles)


def may_read_tunnel(caller: Caller) -> None:
    """Refuse (403) unless the caller may read Intune device configuration."""
    _intune(caller, frozenset({CONFIGURATION_READ, CONFIGURATION_READ_WRITE}))


def may_write_tunnel(caller: Caller) -> None:
    """Refuse (403) unless the caller may write Intune device configuration."""
    _intune(caller, frozenset({CONFIGURATION_READ_WRITE}))


def may_register_server(caller: Caller) -> None:
    """Refuse (403) unless the caller may write and, being a user, has an Intune licence."""
    may_write_tunnel(caller)
    if caller.user is not None and not caller.user.licensed:
        raise GraphError(
            FORBIDDEN, "Forbidden", "The user has no Intune licence, which registering a server takes."
        )


def may_change_server(caller: Caller, server: ServerRecord) -> None:
    """Refuse (403) unless the caller may write; an application only where no other one checks in."""
    may_write_tunnel(caller)
    if caller.user is None and server.agent_app_id not in {"", caller.app_id}:
        raise GraphError(FORBIDDEN, "Forbidden", "The server checks in with another application identity.")


def may_remove_server(caller: Caller, server: ServerRecord) -> None:
    """Refuse (403) unless the caller may change the server, or is the application that registered it."""
    may_write_tunnel(caller)
    if caller.user is not None or caller.app_id != server.registrar_app_id:
        may_change_server(caller, server)


def may_read_directory(caller: Caller) -> None:
    """Refuse (403) unless the caller may read applications."""
    _permission(
        caller,
        frozenset({APPLICATION_READ, APPLICATION_READ_WRITE, APPLICATION_OWNED_BY}),
        "Authorization_RequestDenied",
    )


def may_create_application(caller: Caller) -> None:
    """Refuse (403) unless the caller may create applications; every user may by Entra's default."""
    _permission(
        caller, frozenset({APPLICATION_READ_WRITE, APPLICATION_OWNED_BY}), "Authorization_RequestDenied"
    )


def may_change_application(caller: Caller, application: ApplicationRecord | None) -> None:
    """Refuse (403) unless the caller manages applications or owns this one (None: one of Microsoft's)."""
    may_create_application(caller)
    owns = application is not None and caller.object_id in application.owner_ids
    manages = APPLICATION_READ_WRITE in caller.permissions and caller.has_role(_APPLICATION_ROLES)
    if not owns and not manages:
        raise _denied()


def may_grant_app_role(caller: Caller) -> None:
    """Refuse (403) unless the caller may grant permissions of Microsoft Graph to applications."""
    _permission(caller, frozenset({APP_ROLE_ASSIGNMENT_READ_WRITE}), "Authorization_RequestDenied")
    if not caller.has_role(_GRANTING_ROLES):
        raise _denied()


def may_read_policies(caller: Caller) -> None:
    """Refuse (403) unless the caller may read Conditional Access policies."""
    _permission(caller, frozenset({POLICY_READ, POLICY_READ_CONDITIONAL_ACCESS}), _POLICY_DENIED)
    _policy_role(caller)


def may_evaluate_policies(caller: Caller) -> None:
    """Refuse (403) unless the caller may ask which policies would apply."""
    accepted = frozenset({POLICY_READ, POLICY_READ_CONDITIONAL_ACCESS, POLICY_READ_WRITE})
    _permission(caller, accepted, _POLICY_DENIED)
    _policy_role(caller)


def may_write_policies(caller: Caller) -> None:
    """Refuse (403) unless the caller has all three permissions that Graph's documentation names."""
    for needed in ({POLICY_READ}, {POLICY_READ_WRITE}, {APPLICATION_READ, APPLICATION_READ_WRITE}):
        _permission(caller, frozenset(needed), _POLICY_DENIED)
    _policy_role(caller)


def may_consent(user: UserRecord) -> bool:
    """Return whether a user may consent to permissions of Microsoft Graph for the whole tenant."""
    return not _GRANTING_ROLES.isdisjoint(user.roles)


def may_administer(user: UserRecord) -> bool:
    """Return whether a user may use the admin center."""
    return not _INTUNE_ROLES.isdisjoint(user.roles)


def may_read_organization(caller: Caller) -> None:
    """Refuse (403) unless the caller may read the tenant's name."""
    _permission(caller, frozenset({"User.Read", "Organization.Read.All"}), "Authorization_RequestDenied")


def may_read_users(caller: Caller) -> None:
    """Refuse (403) unless the caller may read the names of all users."""
    _permission(caller, frozenset({USER_READ_BASIC}), "Authorization_RequestDenied")


def _policy_role(caller: Caller) -> None:
    if not caller.has_role(_POLICY_ROLES):
        raise GraphError(FORBIDDEN, _POLICY_DENIED, "You cannot perform the requested operation.")


def _intune(caller: Caller, accepted: frozenset[str]) -> None:
    _permission(caller, accepted, "Forbidden")
    if not caller.has_role(_INTUNE_ROLES):
        raise GraphError(
            FORBIDDEN,
            "Forbidden",
            "User is not authorized to perform this operation: the role Intune Administrator is missing.",
        )


def _permission(caller: Caller, accepted: frozenset[str], code: str) -> None:
    if accepted.isdisjoint(caller.permissions):
        wanted = ", ".join(sorted(accepted))
        raise GraphError(
            FORBIDDEN,
            code,
            f"Application is not authorized to perform this operation. It must have one of: {wanted}",
        )


def _denied() -> GraphError:
    return GraphError(
        FORBIDDEN, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
    )


_OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
DEFAULT: Final = ".default"


@dataclass(frozen=True)
class Resource:
    """What a token is for: its application, and the audience as it was asked for."""

    app_id: str
    audience: str

    @property
    def is_gateway(self) -> bool:
        """Return whether the tokens are for the VPN gateway."""
        return self.app_id == GATEWAY_APP_ID


@dataclass(frozen=True)
class ScopeRequest:
    """A scope parameter, read: `names` are permissions of `resource`, `openid` those of OpenID Connect."""

    resource: Resource
    names: tuple[str, ...]
    openid: frozenset[str]


def graph_audiences(urls: Urls) -> tuple[str, ...]:
    """Return all `aud` values that mean Graph in this lab."""
    return (urls.resource, urls.graph, GRAPH_APP_ID)


def parse_scope(text: str, urls: Urls) -> ScopeRequest:
    """Read a scope parameter.

    Raises `OAuthError`: no scope at all, an unknown resource, more than one resource, `.default` together
    with names, a permission that the resource does not have.
    """
    words = text.split()
    if not words:
        raise OAuthError("invalid_request", 900144, "The request body must contain the parameter: 'scope'.")
    openid = _OPENID.intersection(words)
    wanted = [_split(word, urls) for word in words if word not in _OPENID]
    resources = {resource for resource, _ in wanted}
    if len(resources) > 1:
        raise OAuthError("invalid_request", 28000, "The scope is not valid: it names more than one resource.")
    names = tuple(dict.fromkeys(name for _, name in wanted)) or ("User.Read",)
    if DEFAULT in names and len(names) > 1:
        raise OAuthError("invalid_scope", 70011, "The .default scope cannot be combined with other scopes.")
    return ScopeRequest(
        resources.pop() if resources else Resource(GRAPH_APP_ID, urls.resource), names, openid
    )


def _split(word: str, urls: Urls) -> tuple[Resource, str]:
    address, _, name = word.rpartition("/")
    address = address.removesuffix("/")
    if not address:
        resource = Resource(GRAPH_APP_ID, urls.resource)
    elif address in graph_audiences(urls):
        resource = Resource(GRAPH_APP_ID, address)
    elif address in {GATEWAY_APP_ID, f"api://{GATEWAY_APP_ID}"}:
        resource = Resource(GATEWAY_APP_ID, address)
    else:
        message = f"The resource principal named {address} was not found in the tenant."
        raise OAuthError("invalid_resource", 500011, message)
    known = (GATEWAY_SCOPE,) if resource.is_gateway else DELEGATED_SCOPES
    if name not in known and name != DEFAULT:
        raise OAuthError("invalid_scope", 70011, f"The scope '{word}' is not valid: no such permission.")
    return resource, name


def granted_scopes(application: ApplicationRecord, request: ScopeRequest) -> tuple[str, ...]:
    """Return the permissions that a user's token for this application carries.

    Raises `OAuthError` (consent required) for what the application was not granted. Asking for names gives
    everything granted for the resource, as Entra does.
    """
    gateway = (GATEWAY_SCOPE,) if application.gateway_access else ()
    granted = gateway if request.resource.is_gateway else application.scopes
    missing = set(request.names) - {DEFAULT} - set(granted)
    if missing or not granted:
        raise OAuthError(
            "invalid_grant",
            65001,
            "The user or administrator has not consented to use the application with ID "
            f"'{application.app_id}'.",
        )
    return granted
