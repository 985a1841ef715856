"""The `scope` parameter: one resource and names of its permissions (Microsoft identity platform v2.0)."""

from dataclasses import dataclass
from typing import Final

from mstunnel_lab.entra.permissions import DELEGATED_SCOPES
from mstunnel_lab.errors import OAuthError
from mstunnel_lab.records import ApplicationRecord
from mstunnel_lab.urls import Urls
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID, GATEWAY_SCOPE, GRAPH_APP_ID

_OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
DEFAULT: Final = ".default"


@dataclass(frozen=True)
class Resource:
    """What a token is for: its application, and the audience as it was asked for."""

    app_id: str
    audience: str

    @property
    def is_gateway(self) -> bool:
        """Tell whether the tokens are for the VPN gateway."""
        return self.app_id == GATEWAY_APP_ID


@dataclass(frozen=True)
class Request:
    """A scope parameter, read: `names` are permissions of `resource`, `openid` those of OpenID Connect."""

    resource: Resource
    names: tuple[str, ...]
    openid: frozenset[str]


def graph_audiences(urls: Urls) -> tuple[str, ...]:
    """Return all `aud` values that mean Graph in this lab."""
    return (urls.resource, urls.graph, GRAPH_APP_ID)


def parse_scope(text: str, urls: Urls) -> Request:
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
    return Request(resources.pop() if resources else Resource(GRAPH_APP_ID, urls.resource), names, openid)


def _split(word: str, urls: Urls) -> tuple[Resource, str]:
    address, _, name = word.rpartition("/")
    resource = _resource(address.removesuffix("/"), urls)
    known = (GATEWAY_SCOPE,) if resource.is_gateway else DELEGATED_SCOPES
    if name not in known and name != DEFAULT:
        raise OAuthError("invalid_scope", 70011, f"The scope '{word}' is not valid: no such permission.")
    return resource, name


def _resource(address: str, urls: Urls) -> Resource:
    if not address:
        return Resource(GRAPH_APP_ID, urls.resource)
    if address in graph_audiences(urls):
        return Resource(GRAPH_APP_ID, address)
    if address in {GATEWAY_APP_ID, f"api://{GATEWAY_APP_ID}"}:
        return Resource(GATEWAY_APP_ID, address)
    raise OAuthError(
        "invalid_resource", 500011, f"The resource principal named {address} was not found in the tenant."
    )


def granted_scopes(application: ApplicationRecord, request: Request) -> tuple[str, ...]:
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
