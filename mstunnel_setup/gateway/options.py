"""The gateway options: the settings of this host for rendering `ocserv.conf`, stored in one file.

Step `configure` writes it from the answers; the monitor and `mst-cli config` read it, so all of them render
the same `ocserv.conf`. Only root can write it, so neither the tenant nor the agent can change how
devices authenticate.
"""

import re
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError, UsageError, declare
from mstunnel_setup.base.text import text
from mstunnel_setup.io.files import Files

SETTINGS_UNREADABLE = declare(
    StepError,
    "settings-unreadable",
    "{path} is missing or damaged: {reason}",
    "Run mstunnel-setup; it writes the file again.",
)


class Authentication(StrEnum):
    """The method by which devices authenticate."""

    OIDC = "oidc"
    CERTIFICATE = "certificate"

    @classmethod
    def _missing_(cls, value: object) -> "Authentication":
        raise UsageError(
            "authentication-unsupported",
            "unsupported authentication method {value}",
            hint="Use one of: {supported}.",
            value=value,
            supported=", ".join(cls),
        )


class GatewayOptions(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """The content of the file; each setting is a field, None without an answer.

    `certificate_too`: a certificate is accepted, too. `revocation_list`: a revocation list exists.
    `balancers`: who may begin a TCP connection with a header that names the device (PROXY protocol).
    """

    version: Literal[1] = 1
    authentication: Authentication = Authentication.OIDC
    certificate_too: bool = False
    revocation_list: bool = False
    balancers: tuple[str, ...] = ()

    @property
    def certificates(self) -> bool:
        """Return whether devices can authenticate with a certificate."""
        return self.certificate_too or self.authentication is Authentication.CERTIFICATE


_SETTING: Final = re.compile(r"^([a-z0-9-]+) = (.*)$", re.MULTILINE)


def served_settings(configuration: bytes) -> dict[str, list[str]]:
    """Return the values of each setting in the text of an `ocserv.conf`, without quotes."""
    settings: dict[str, list[str]] = {}
    for name, value in _SETTING.findall(configuration.decode(errors="replace")):
        settings.setdefault(name, []).append(value.strip('"'))
    return settings


def read_gateway_options(files: Files) -> GatewayOptions:
    """Read the gateway options. Raises StepError `settings-unreadable` on a host without a gateway.

    If the file is missing, after an installation by an earlier release, or was written by a newer one, the
    options are derived from `ocserv.conf`.
    """
    try:
        return GatewayOptions.model_validate_json(files.read(paths.GATEWAY_SETTINGS) or b"")
    except (ValidationError, UsageError):
        served = served_settings(files.read(paths.OCSERV_CONF) or b"")
    if "auth" not in served:
        raise SETTINGS_UNREADABLE(
            path=paths.GATEWAY_SETTINGS, reason=text("nor does ocserv.conf show the settings")
        )
    balancers = (files.read(paths.BALANCERS) or b"").decode().split()
    return GatewayOptions(
        authentication=Authentication(served["auth"][-1].partition("[")[0]),
        certificate_too=served.get("enable-auth", [""])[-1] == Authentication.CERTIFICATE,
        revocation_list="crl" in served,
        balancers=tuple(balancers) if served.get("listen-proxy-proto") == ["true"] else (),
    )
