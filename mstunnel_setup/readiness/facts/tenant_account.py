"""The account: role and licence, from its token and the tenant. No token leaves this module."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import Field

from mstunnel_setup.base.errors import NetworkError, SignInError, TenantError, WaitingError
from mstunnel_setup.base.text import plain
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http_port import HttpPort
from mstunnel_setup.readiness.facts.host import TunnelFacts
from mstunnel_setup.readiness.facts.section import Section
from mstunnel_setup.tenant.clouds import Cloud
from mstunnel_setup.tenant.graph import Graph, has_intune
from mstunnel_setup.tenant.token_sources import TokenSource, claims
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID, TunnelSite


class AccountFacts(Section):
    """The tenant's data about the signed-in account; None if unavailable. It contains no token.

    `denied` is why Graph does not let it read the sites, `hint` the remedy for that or for `error`.
    """

    tried: bool = True
    error: str = ""
    denied: str = ""
    hint: str = ""
    name: str = ""
    roles: tuple[str, ...] | None = None
    licensed: bool | None = None
    sites: tuple[str, ...] | None = None
    gateway_application: bool | None = None
    tunnels: dict[str, TunnelFacts] = Field(default_factory=dict)


Reply = TypeVar("Reply")


def ask_tenant(
    http: HttpPort, clock: Clock, cloud: Cloud, sign_in: Callable[[], TokenSource]
) -> AccountFacts:
    """Sign in with `sign_in` and query the tenant."""
    try:
        source = sign_in()
        token = claims(source())
        graph = Graph(http, cloud, source, clock)
        sites, denied = _sites(graph)
        licensed = _allowed(lambda: has_intune(graph.licences()))
        application = _allowed(lambda: graph.service_principal(GATEWAY_APP_ID) is not None)
    except (SignInError, WaitingError, NetworkError) as error:
        return AccountFacts(error=error.message, hint=error.hint)
    name = token.get("upn") or token.get("preferred_username") or token.get("app_displayname") or ""
    roles = token.get("wids")
    return AccountFacts(
        denied=denied.message if denied else "",
        hint=denied.hint if denied else "",
        name=plain(name, 120),
        roles=tuple(map(str, roles)) if isinstance(roles, list) else None,
        licensed=licensed,
        sites=None if sites is None else tuple(plain(site.display_name, 60) for site in sites),
        gateway_application=application,
        tunnels={site.display_name: _tunnel(site) for site in sites or ()},
    )


def _sites(graph: Graph) -> tuple[list[TunnelSite] | None, SignInError | None]:
    """Return the sites, or None, and the refusal if the account has no role to read them."""
    try:
        return graph.sites(), None
    except TenantError:
        return None, None
    except SignInError as error:
        return None, error if error.code in {"role-missing", "role-without-effect"} else None


def _allowed(question: Callable[[], Reply]) -> Reply | None:
    """Return the response; None if the tenant refuses it, which is not the account's fault."""
    try:
        return question()
    except (SignInError, TenantError):
        return None


def _tunnel(site: TunnelSite) -> TunnelFacts:
    found = site.microsoft_tunnel_configuration
    if found is None:
        return TunnelFacts()
    return TunnelFacts(
        source=f"site {plain(site.display_name, 60)}",
        pool=found.network or "",
        ipv6_pool=found.ipv6_network or "",
        dns_servers=found.dns_servers,
        includes=found.includes,
    )
