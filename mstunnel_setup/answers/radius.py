"""The section `radius`: the servers that verify names and passwords of devices' users."""

import re
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from mstunnel_setup.answers.values import Part, SecretPlace, matching
from mstunnel_setup.base.parsing import whole_number

MOST_SERVERS: Final = 8
"""As many as radcli, the library of ocserv, takes."""
_HIGHEST_PORT: Final = 65535
_PORT: Final = re.compile(r":(\d+)$")


def _port(server: str) -> str:
    port = _PORT.search(server)
    if port and not 0 < (whole_number(port[1]) or 0) <= _HIGHEST_PORT:
        raise ValueError(f"must have a port from 1 to {_HIGHEST_PORT}: correct it")
    return server


def _few(servers: tuple[str, ...]) -> tuple[str, ...]:
    if len(servers) > MOST_SERVERS:
        raise ValueError(f"must have at most {MOST_SERVERS} servers: remove some")
    return servers


# radcli keeps 63 characters of a name.
_Server: TypeAlias = Annotated[
    str,
    matching(
        r"((?=[^:]{1,63}(:|$))[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]{2,45}\])(:[0-9]{1,5})?",
        "must be a server such as `radius.example.com`, `192.0.2.7:1645` or `[2001:db8::7]:1812`: correct it",
    ),
    AfterValidator(_port),
]
_Servers: TypeAlias = Annotated[
    tuple[_Server, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    AfterValidator(_few),
]
_Identifier: TypeAlias = Annotated[
    str,
    matching(r"[A-Za-z0-9._-]{1,63}", "must be 1 to 63 letters, digits, `.`, `_` or `-`: correct it"),
]


class RadiusAnswers(Part):
    """The servers that verify names and passwords, with `authentication: radius`."""

    servers: _Servers = Field(
        default=(),
        description="RADIUS server, or a list in the order to ask them: host or host:port; default port 1812",
        examples=["radius.example.com"],
        json_schema_extra={"type": ["string", "array"]},
    )
    secret: SecretPlace | None = Field(
        default=None,
        description="Location of the secret that these servers share with the gateway",
        examples=["file:/root/radius-secret"],
    )
    nas_identifier: _Identifier | None = Field(
        default=None, description="Name of this gateway for these servers (NAS-Identifier)", examples=["gw1"]
    )
