"""The addresses of a lab tenant, and the host names of the clouds that a lab can simulate."""

from dataclasses import dataclass
from typing import Final, NamedTuple

TENANT_ALIASES: Final = frozenset({"common", "organizations"})


class CloudNames(NamedTuple):
    """Host names of a cloud ("National cloud deployments"): sign-in and Graph."""

    login: str
    graph: str


CLOUD_NAMES: Final = {
    "public": CloudNames("login.microsoftonline.com", "graph.microsoft.com"),
    "gcc-high": CloudNames("login.microsoftonline.us", "graph.microsoft.us"),
    "dod": CloudNames("login.microsoftonline.us", "dod-graph.microsoft.us"),
    "china": CloudNames("login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
}


@dataclass(frozen=True)
class Urls:
    """Addresses below `base` (https://HOST:PORT) for one tenant.

    `graph_base` is empty if Graph has the same host; `resource` is the audience of tokens for Graph, as in
    the simulated cloud.
    """

    base: str
    tenant_id: str
    graph_base: str = ""
    resource: str = "https://graph.microsoft.com"

    @property
    def authority(self) -> str:
        """The authority for MSAL."""
        return f"{self.base}/{self.tenant_id}"

    @property
    def token_endpoint(self) -> str:
        """The v2.0 token endpoint, also the audience of client assertions."""
        return f"{self.authority}/oauth2/v2.0/token"

    @property
    def graph(self) -> str:
        """The replacement for https://graph.microsoft.com."""
        return self.graph_base or self.base

    @property
    def device_login(self) -> str:
        """The page on which a user enters the code of a device sign-in."""
        return f"{self.base}/devicelogin"

    def issuer(self, version: int) -> str:
        """Return the `iss` claim of v1 or v2 tokens; in the lab both are on one host."""
        return f"{self.authority}/v2.0" if version == 2 else f"{self.authority}/"  # noqa: PLR2004

    def openid_configuration(self, version: int) -> str:
        """Return the address of the OpenID discovery document with that issuer."""
        return f"{self.issuer(version).rstrip('/')}/.well-known/openid-configuration"
