"""The issuers of devices' tokens, by cloud and token version, as data with their sources.

The sources are the pages that docs/reference/tokens.md lists.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

TokenVersion: TypeAlias = Literal[1, 2]

_V2: Final = 2
_TENANT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class IssuerForm:
    """The claim `iss` of one version in some clouds.

    In it `{authority}` stands for the sign-in host's URL and `{tenant}` for the tenant's id.
    `default` marks the version that these clouds use unless the answers name another one.
    """

    clouds: tuple[str, ...]
    version: TokenVersion
    form: str
    source: str
    default: bool = False


ISSUERS: Final = (
    IssuerForm(("public",), 1, "https://sts.windows.net/{tenant}/", "tokens", default=True),
    IssuerForm(("gcc-high", "dod"), 1, "https://sts.windows.net/{tenant}/", "community answer", default=True),
    IssuerForm(("custom",), 1, "{authority}/{tenant}/", "the lab tenant"),
    IssuerForm(("public",), 2, "https://login.microsoftonline.com/{tenant}/v2.0", "tokens"),
    IssuerForm(
        ("gcc-high", "dod"),
        2,
        "https://login.microsoftonline.us/{tenant}/v2.0",
        "clouds for the host; the form is inferred",
    ),
    IssuerForm(("custom",), 2, "{authority}/{tenant}/v2.0", "the lab tenant", default=True),
)
"""Each cloud has one form of each version."""


def tenant_of(issuer: str) -> str:
    """The tenant id that an issuer names, in lower case; empty for an issuer that names none."""
    found = _TENANT_ID.search(issuer.lower())
    return found[0] if found else ""


@dataclass(frozen=True)
class Issuers:
    """The issuers of one tenant's tokens, and where its OpenID documents are.

    `authority` is the sign-in host's URL.
    """

    cloud: str
    authority: str
    tenant_id: str

    def version(self, issuer: str | None) -> TokenVersion:
        """The token version of an issuer; without one the default of the cloud."""
        if issuer:
            return 2 if issuer.endswith("/v2.0") else 1
        return next(each.version for each in ISSUERS if self.cloud in each.clouds and each.default)

    def issuer(self, version: TokenVersion) -> str:
        """The issuer in tokens of this version."""
        form = next(each.form for each in ISSUERS if self.cloud in each.clouds and each.version == version)
        return form.format(authority=self.authority.rstrip("/"), tenant=self.tenant_id)

    def metadata(self, version: TokenVersion) -> str:
        """The tenant's own OpenID document, never `common`, with the keys for tokens of this version."""
        base = f"{self.authority.rstrip('/')}/{self.tenant_id}{'/v2.0' if version == _V2 else ''}"
        return f"{base}/.well-known/openid-configuration"
