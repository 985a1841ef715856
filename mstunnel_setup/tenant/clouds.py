"""The clouds: addresses for sign-in and Graph, as data.

Source: "National cloud deployments" (Microsoft Graph documentation). Tokens of one cloud are invalid in
another.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID, GATEWAY_SCOPE

CLIENT_ALIASES: Final = {"graph-command-line-tools": "14d82eec-204b-4c2f-b7e8-296a70dab67e"}
"""Applications that every tenant can use, by name instead of client id (docs/how-to/sign-in.md)."""

ANY_TENANT: Final = frozenset({"common", "organizations"})
"""Tenant names that stand for the tenant of the signed-in user."""


@dataclass(frozen=True)
class Cloud:
    """One cloud. Addresses have no trailing slash.

    `authority` is the sign-in host, `graph` the base of Graph and the resource of its tokens, `tenant` the
    tenant id that a custom authority already names (else empty).
    """

    name: str
    authority: str
    graph: str
    device_login: str = ""
    tenant: str = ""
    gateway_audience: str = GATEWAY_APP_ID
    gateway_scope: str = GATEWAY_SCOPE

    def authority_of(self, tenant: str) -> str:
        """Return the authority of a tenant, MSAL's parameter `authority`."""
        named = self.tenant if tenant in ANY_TENANT or not tenant else tenant
        return f"{self.authority}/{named or tenant or 'organizations'}"

    def consent_address(self, tenant: str, app_id: str) -> str:
        """Return the page where an administrator consents to an application's permissions."""
        return f"{self.authority_of(tenant)}/adminconsent?client_id={app_id}"


CLOUDS: Final = {
    "public": Cloud(
        "public",
        "https://login.microsoftonline.com",
        "https://graph.microsoft.com",
        "https://microsoft.com/devicelogin",
    ),
    "gcc-high": Cloud(
        "gcc-high",
        "https://login.microsoftonline.us",
        "https://graph.microsoft.us",
        "https://microsoft.com/deviceloginus",
    ),
    "dod": Cloud(
        "dod",
        "https://login.microsoftonline.us",
        "https://dod-graph.microsoft.us",
        "https://microsoft.com/deviceloginus",
    ),
}
"""The clouds with fixed addresses, by the names of the answer file."""


def cloud(name: str, authority: str | None = None, graph: str | None = None) -> Cloud:
    """Return the cloud called `name`; "custom" takes its addresses from `authority` and `graph`.

    `authority` may be a bare host or end in a tenant id. Raises UsageError: unknown name, addresses missing
    or given for a cloud that has fixed ones, an address that is not plain https.
    """
    if name == "custom":
        if not authority or not graph:
            raise UsageError(
                "cloud-incomplete",
                "a custom cloud needs both tenant.authority and tenant.graph",
                hint="Set both, for example to the values in lab.json.",
            )
        host, tenant = _address(authority, "tenant.authority")
        base, path = _address(graph, "tenant.graph")
        return Cloud("custom", host, f"{base}/{path}".rstrip("/"), tenant=tenant)
    if name not in CLOUDS:
        raise UsageError(
            "cloud-unknown",
            "there is no cloud called {name}",
            hint="Use one of: {names}.",
            name=name,
            names=", ".join([*CLOUDS, "custom"]),
        )
    if authority or graph:
        raise UsageError(
            "cloud-fixed",
            "the addresses of the cloud {name} cannot be changed",
            hint="Remove tenant.authority and tenant.graph, or set tenant.cloud to custom.",
            name=name,
        )
    return CLOUDS[name]


def _address(text: str, setting: str) -> tuple[str, str]:
    """Split an address into https://HOST[:PORT] and the path without slashes around it."""
    parts, usable = urlsplit(""), False
    with suppress(ValueError):
        parts = urlsplit(text.strip())
        tail = parts.query or parts.fragment or parts.username
        usable = parts.scheme == "https" and bool(parts.hostname) and not tail and parts.port != 0
    if not usable:
        raise UsageError(
            "cloud-address",
            "{setting} is not an address of the form https://HOST[:PORT][/PATH]: {address}",
            hint="Write it with https: sign-in and Graph require it.",
            setting=setting,
            address=text,
        )
    return f"https://{parts.netloc}", parts.path.strip("/")
