"""Authorization: permissions of Microsoft Graph, Entra roles, and the `scope` that requests them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from mstunnel_lab.errors import FORBIDDEN, GraphError, OAuthError
from mstunnel_lab.records import ApplicationRecord, ServerRecord, TunnelRight, UserRecord
from mstunnel_lab.urls import Urls
from mstunnel_setup.tenant import wire
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID, GATEWAY_SCOPE, GRAPH_APP_ID

APP_ROLE_IDS: Final = {
    wire.CONFIGURATION_READ_WRITE: "9241abd9-d0e6-425a-bd4f-47ba86e767a4",
    wire.CONFIGURATION_READ: "dc377aa6-52d8-4e23-b271-2a7ae04cedf3",
    wire.APPLICATION_READ_WRITE: "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    wire.APPLICATION_OWNED_BY: "18a4783c-866b-4cc7-a460-3d5e5662c884",
    wire.APP_ROLE_ASSIGNMENT_READ_WRITE: "06b708a9-e830-4db3-a914-8e69da51d44f",
    wire.GROUP_MEMBER_READ: "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
}
"""Application permissions of Microsoft Graph that the lab supports (Graph permissions reference)."""

DELEGATED_SCOPES: Final = ("User.Read", *(name for name in APP_ROLE_IDS if name != wire.APPLICATION_OWNED_BY))
"""Delegated permissions of Microsoft Graph that the lab supports."""

_GLOBAL: Final = "Global Administrator"
_INTUNE_ROLES: Final = frozenset({"Intune Administrator", _GLOBAL})
_APPLICATION_ROLES: Final = frozenset(
    {"Application Administrator", "Cloud Application Administrator", _GLOBAL}
)
_GRANTING_ROLES: Final = frozenset({"Privileged Role Administrator", _GLOBAL})


@dataclass(frozen=True)
class Caller:
    """A caller of Graph: a user through an application, or an application for itself (`user` is None).

    `object_id` is the id of the user, or of the application's service principal. `tunnel_rights` come from
    the custom roles of the user.
    """

    app_id: str
    object_id: str
    permissions: frozenset[str]
    user: UserRecord | None = None
    tunnel_rights: frozenset[TunnelRight] = frozenset()

    def has_role(self, roles: frozenset[str]) -> bool:
        """Return whether the user has one of the Entra roles; an application needs none."""
        return self.user is None or not roles.isdisjoint(self.user.roles)


class _Area(NamedTuple):
    """The refusals of a part of Graph: its error code, and the message for a missing role."""

    code: str
    role_missing: str


_INTUNE: Final = _Area("Forbidden", "User is not authorized to perform this operation.")
_DIRECTORY: Final = _Area("Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


AccessRule: TypeAlias = Callable[[Caller], None]
"""Raises `GraphError` 403 for a caller without the necessary permissions."""


def _rule(
    area: _Area, *permissions: set[str], roles: frozenset[str] = frozenset(), right: TunnelRight | None = None
) -> AccessRule:
    """Return a rule that requires one permission of each set, and for a user one of the roles, if any.

    A custom role with the `right`, if given, replaces a role.
    """

    def require(caller: Caller) -> None:
        for accepted in permissions:
            if accepted.isdisjoint(caller.permissions):
                raise GraphError(
                    FORBIDDEN,
                    area.code,
                    "Application is not authorized to perform this operation. It must have one of: "
                    + ", ".join(sorted(accepted)),
                )
        if roles and not caller.has_role(roles) and right not in caller.tunnel_rights:
            raise GraphError(FORBIDDEN, *area)

    return require


_CONFIGURATION_READ: Final = {wire.CONFIGURATION_READ, wire.CONFIGURATION_READ_WRITE}
_CONFIGURATION_WRITE: Final = {wire.CONFIGURATION_READ_WRITE}
may_read_intune: Final = _rule(_INTUNE, _CONFIGURATION_READ, roles=_INTUNE_ROLES)
may_write_intune: Final = _rule(_INTUNE, _CONFIGURATION_WRITE, roles=_INTUNE_ROLES)
# Custom roles need rights of the permission group Multi Admin Approval for this, which the lab does not have.
may_read_approvals: Final = may_read_intune
may_read_tunnel: Final = _rule(_INTUNE, _CONFIGURATION_READ, roles=_INTUNE_ROLES, right=TunnelRight.READ)
may_create_tunnel: Final = _rule(_INTUNE, _CONFIGURATION_WRITE, roles=_INTUNE_ROLES, right=TunnelRight.CREATE)
may_update_tunnel: Final = _rule(_INTUNE, _CONFIGURATION_WRITE, roles=_INTUNE_ROLES, right=TunnelRight.UPDATE)
may_delete_tunnel: Final = _rule(_INTUNE, _CONFIGURATION_WRITE, roles=_INTUNE_ROLES, right=TunnelRight.DELETE)
may_read_directory: Final = _rule(
    _DIRECTORY, {"Application.Read.All", wire.APPLICATION_READ_WRITE, wire.APPLICATION_OWNED_BY}
)
# By Entra's default every user may create applications.
may_create_application: Final = _rule(_DIRECTORY, {wire.APPLICATION_READ_WRITE, wire.APPLICATION_OWNED_BY})
may_grant_app_role: Final = _rule(_DIRECTORY, {wire.APP_ROLE_ASSIGNMENT_READ_WRITE}, roles=_GRANTING_ROLES)
may_read_groups: Final = _rule(_DIRECTORY, {wire.GROUP_MEMBER_READ})
may_read_organization: Final = _rule(_DIRECTORY, {"User.Read", "Organization.Read.All"})


def may_register_server(caller: Caller) -> None:
    """Refuse (403) unless the caller may create and, if it is a user, has an Intune licence."""
    may_create_tunnel(caller)
    if caller.user is not None and not caller.user.licensed:
        message = "The user has no Intune licence, which registering a server takes."
        raise GraphError(FORBIDDEN, "Forbidden", message)


def may_change_server(caller: Caller, server: ServerRecord) -> None:
    """Refuse (403) unless the caller may update; an application may not update another one's server."""
    may_update_tunnel(caller)
    _require_own(caller, server)


def may_remove_server(caller: Caller, server: ServerRecord) -> None:
    """Refuse (403) unless the caller may delete; an application only its own or registered servers."""
    may_delete_tunnel(caller)
    if caller.app_id != server.registrar_app_id:
        _require_own(caller, server)


def _require_own(caller: Caller, server: ServerRecord) -> None:
    if caller.user is None and server.agent_app_id not in {"", caller.app_id}:
        raise GraphError(FORBIDDEN, "Forbidden", "The server checks in with another application identity.")


def may_change_application(caller: Caller, application: ApplicationRecord | None) -> None:
    """Refuse (403) unless the caller manages applications or owns this one (None: one of Microsoft's)."""
    may_create_application(caller)
    owns = application is not None and caller.object_id in application.owner_ids
    manages = wire.APPLICATION_READ_WRITE in caller.permissions and caller.has_role(_APPLICATION_ROLES)
    if not owns and not manages:
        raise GraphError(FORBIDDEN, *_DIRECTORY)


def may_read_me(caller: Caller) -> None:
    """Refuse (403) unless the caller may read the user on whose behalf it calls."""
    if "User.Read" not in caller.permissions:
        raise GraphError(FORBIDDEN, *_DIRECTORY)


def may_consent(user: UserRecord) -> bool:
    """Return whether a user may consent to permissions of Microsoft Graph for the whole tenant."""
    return not _GRANTING_ROLES.isdisjoint(user.roles)


def may_administer(user: UserRecord) -> bool:
    """Return whether a user may use the admin center."""
    return not _INTUNE_ROLES.isdisjoint(user.roles)


_OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
DEFAULT: Final = ".default"


class Resource(NamedTuple):
    """The target of a token: its application, and the audience as requested."""

    app_id: str
    audience: str

    @property
    def is_gateway(self) -> bool:
        """True if the tokens are for the VPN gateway."""
        return self.app_id == GATEWAY_APP_ID


class ScopeRequest(NamedTuple):
    """A parsed scope: `names` are permissions of `resource`, `openid` those of OpenID Connect."""

    resource: Resource
    names: tuple[str, ...]
    openid: frozenset[str]


def graph_audiences(urls: Urls) -> tuple[str, ...]:
    """Return all `aud` values of Graph in this lab."""
    return (urls.resource, urls.graph, GRAPH_APP_ID)


def parse_scope(text: str, urls: Urls) -> ScopeRequest:
    """Parse a scope parameter.

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
    """Return the permissions in a user's token for this application.

    Raises `OAuthError` (consent required) for a permission that was not granted. A request by name returns
    everything granted for the resource, as Entra does.
    """
    gateway = (GATEWAY_SCOPE,) if application.gateway_access else ()
    granted = gateway if request.resource.is_gateway else application.scopes
    if set(request.names) - {DEFAULT} - set(granted) or not granted:
        message = "The user or administrator has not consented to use the application with ID "
        raise OAuthError("invalid_grant", 65001, f"{message}'{application.app_id}'.")
    return granted
