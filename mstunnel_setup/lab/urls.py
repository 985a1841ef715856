"""The addresses of a lab tenant."""

from dataclasses import dataclass
from typing import Final

TENANT_ALIASES: Final = frozenset({"common", "organizations"})


@dataclass(frozen=True)
class Urls:
    """Addresses below `base` (https://HOST:PORT) for one tenant."""

    base: str
    tenant_id: str

    @property
    def authority(self) -> str:
        """What MSAL takes as authority."""
        return f"{self.base}/{self.tenant_id}"

    @property
    def token_endpoint(self) -> str:
        """The v2.0 token endpoint, also the audience of client assertions."""
        return f"{self.authority}/oauth2/v2.0/token"

    @property
    def graph(self) -> str:
        """What plays https://graph.microsoft.com."""
        return self.base

    @property
    def device_login(self) -> str:
        """Where a user types the code of a device sign-in."""
        return f"{self.base}/devicelogin"

    @property
    def admin_center(self) -> str:
        """The lab's admin center."""
        return f"{self.base}/admin"

    def issuer(self, version: int) -> str:
        """Return the `iss` claim of v1 or v2 tokens; in the lab both live on one host."""
        return f"{self.authority}/v2.0" if version == 2 else f"{self.authority}/"  # noqa: PLR2004

    def openid_configuration(self, version: int) -> str:
        """Return the address of the OpenID discovery document with that issuer."""
        return f"{self.issuer(version).rstrip('/')}/.well-known/openid-configuration"

    def is_tenant(self, name: str) -> bool:
        """Tell whether a path names this tenant, by id or by an alias that means any tenant."""
        return name == self.tenant_id or name in TENANT_ALIASES
