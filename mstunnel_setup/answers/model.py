"""The models of the answer file, which declare each setting once.

`answers new`, the JSON Schema, the environment variables and the reference page are generated from the
description, default and option (`Option`) of each setting.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from mstunnel_setup.answers.values import (
    GRAPH_COMMAND_LINE_TOOLS,
    AccountName,
    Balancers,
    Certificates,
    ClientId,
    FilePath,
    FilePaths,
    Guid,
    ImageReference,
    ImageRegistry,
    Ipv4Range,
    Line,
    Option,
    Part,
    SecretPlace,
    TenantId,
    Url,
    Variables,
    between,
    matching,
    one_or_several,
)

VERSION = 1


def setting(
    description: str, *, example: object = None, default: object = None, several: bool = False
) -> Any:
    """Return a field with a description, an example and a default; `several` accepts one value or a list."""
    return Field(
        default=default,
        description=description,
        examples=None if example is None else [example],
        json_schema_extra={"type": ["string", "array"]} if several else None,
    )


Issuer: TypeAlias = Annotated[
    str,
    matching(
        r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?",
        "must be an https address as in the claim `iss`, such as `https://sts.windows.net/TENANT/`: "
        "correct it",
    ),
]


class TenantAnswers(Part):
    """The tenant and its cloud."""

    cloud: Literal["public", "gcc-high", "dod", "custom"] = setting(
        "Cloud of the tenant: public, gcc-high, dod, or custom (a lab tenant)", default="public"
    )
    authority: Url | None = setting("Sign-in address; cloud custom only", example="https://login.example.com")
    graph: Url | None = setting(
        "Microsoft Graph address; cloud custom only", example="https://graph.example.com"
    )
    ca_file: Annotated[
        FilePath | None, Option("--ca-file", "Further trusted roots (PEM).", "PATH", file=True)
    ] = setting(
        "Further trusted roots (PEM), for a TLS-inspecting proxy or a private CA",
        example="/etc/ssl/private-root.pem",
    )
    ca_pem: Certificates | None = setting(
        "Instead of ca_file: the certificates themselves (PEM); `--lab` sets it",
        example="-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n",
    )
    id: TenantId = setting("Tenant id or domain; organizations: that of the account", default="organizations")
    issuer: Issuer | None = setting(
        "Issuer of devices' tokens, their claim iss; default: by cloud and token.version",
        example="https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
    )


class SignInAnswers(Part):
    """The sign-in to the tenant."""

    method: Literal["device-code", "client-secret", "client-certificate", "token-file"] = setting(
        "device-code (interactive), client-secret, client-certificate, or token-file", default="device-code"
    )
    client_id: ClientId | None = setting(
        "Id of your application for sign-in; default: graph-command-line-tools (device code, "
        "not in a custom cloud)",
        example="11111111-2222-3333-4444-555555555555",
    )
    client_secret: SecretPlace | None = setting(
        "Location of the client secret: file:PATH, env:NAME or credential:NAME",
        example="file:/root/client-secret",
    )
    certificate: FilePath | None = setting(
        "client-certificate: the certificate (PEM)", example="/root/app.pem"
    )
    key: FilePath | None = setting("client-certificate: its private key (PEM)", example="/root/app.key")
    pfx: FilePath | None = setting(
        "client-certificate: instead of certificate and key", example="/root/app.pfx"
    )
    passphrase: SecretPlace | None = setting(
        "Location of the passphrase of the PFX", example="file:/root/app-passphrase"
    )
    token_file: Annotated[
        FilePath | None, Option("--token-file", "Access token, instead of a device code.", "PATH", file=True)
    ] = setting("token-file: a file with an access token for Graph", example="/root/token")


class IdentityAnswers(Part):
    """This server's identity in the tenant: how it signs in, or an application created in advance."""

    credential: Literal["certificate", "secret"] = setting(
        "How the application that the installation creates signs in: certificate, or secret",
        default="certificate",
    )
    client_id: Guid | None = setting(
        "Id of the application; without it, the installation creates one",
        example="11111111-2222-3333-4444-555555555555",
    )
    certificate: FilePath | None = setting("Its certificate (PEM)", example="/root/agent.pem")
    key: FilePath | None = setting("The private key of the certificate (PEM)", example="/root/agent.key")
    pfx: FilePath | None = setting("Instead of certificate and key", example="/root/agent.pfx")
    passphrase: SecretPlace | None = setting(
        "Location of the passphrase of the PFX", example="file:/root/agent-passphrase"
    )
    client_secret: SecretPlace | None = setting(
        "Instead of a certificate: location of its client secret", example="file:/root/agent-secret"
    )


class CertificateAnswers(Part):
    """The TLS certificate of the site: chain and key, or a PFX."""

    chain: Annotated[
        FilePaths, Option("--cert", "Certificate with its chain (PEM); may be repeated.", "PATH", file=True)
    ] = setting(
        "Certificate with its chain (PEM), or a list of files that hold them",
        example="/root/chain.pem",
        default=(),
        several=True,
    )
    key: Annotated[FilePath | None, Option("--key", "Private key (PEM).", "PATH", file=True)] = setting(
        "Private key, not encrypted (PEM)", example="/root/key.pem"
    )
    pfx: Annotated[
        FilePath | None, Option("--pfx", "PFX, instead of --cert and --key.", "PATH", file=True)
    ] = setting("Instead of chain and key: a PFX with both", example="/root/site.pfx")
    passphrase: Annotated[
        SecretPlace | None,
        Option("--passphrase-file", "File with the PFX passphrase.", "PATH", file=True, secret=True),
    ] = setting("Location of the passphrase of the PFX", example="file:/root/site-passphrase")
    renewal_hook: Literal["certbot", "acme.sh", "none"] | None = setting(
        "ACME client of this host whose renewals are imported: certbot, acme.sh; none: no hook, no offer",
        example="certbot",
    )


class DeviceAnswers(Part):
    """The CA and its revocation list, if devices authenticate with certificates."""

    ca_file: FilePath | None = setting(
        "The CA that issues the devices' certificates, or several (PEM)", example="/root/device-ca.pem"
    )
    crl_file: FilePath | None = setting(
        "Revocation list of that CA (PEM or DER)", example="/root/device-ca.crl"
    )


class ImageAnswers(Part):
    """The container images, by digest."""

    server: ImageReference | None = setting(
        "Image of the VPN server", example="registry.example.com/server@sha256:" + "0" * 64
    )
    agent: ImageReference | None = setting(
        "Image of the agent", example="registry.example.com/agent@sha256:" + "0" * 64
    )
    registry: ImageRegistry | None = setting(
        "Registry with the images of this release, instead of the one it was built for",
        example="registry.example.com/mstunnel",
    )
    archive: Annotated[
        FilePaths, Option("--offline", "Load the images from this archive.", "ARCHIVE", file=True)
    ] = setting(
        "Offline: archive with both images, or a list of archives",
        example="/root/images.tar",
        default=(),
        several=True,
    )


_SHORTEST, _LONGEST = 300, 7 * 24 * 3600
_DEFAULT_LIFETIME: Final = 30 * 3600


def _claim_value(value: object) -> str | int | bool:
    """Return the value unchanged: the gateway compares types as well."""
    if not isinstance(value, str | int) or (isinstance(value, str) and not value.isprintable()):
        raise ValueError("must be one line of text, a number or true/false: correct it")
    return value


# RFC 6749, section 3.3: a scope has printable characters of ASCII, without space, `"` and `\`.
_Scope: TypeAlias = Annotated[
    str,
    matching(
        r"[!#-\[\]-~]{1,200}", "must be one permission as in the claim `scp`, without spaces: correct it"
    ),
]
_Clients: TypeAlias = Annotated[tuple[Guid, ...], one_or_several]
Claims: TypeAlias = dict[
    Annotated[
        str,
        matching(
            r"[A-Za-z_][A-Za-z0-9_.:/-]{0,63}", "must be the name of a claim, such as `azp`: correct it"
        ),
    ],
    Annotated[
        str | int | bool,
        PlainValidator(_claim_value),
        WithJsonSchema({"type": ["string", "integer", "boolean"]}),
    ],
]


class TokenAnswers(Part):
    """The access tokens that let a device in, with `authentication: oidc`."""

    version: Annotated[Literal["1", "2"], BeforeValidator(str)] | None = setting(
        "Version of the tokens, their claim ver: 1 or 2; default: 1, in the cloud custom 2", example="1"
    )
    scope: _Scope | None = setting(
        "Delegated permission that the claim scp must contain; default: Tunnel_Allow", example="Tunnel_Allow"
    )
    clients: _Clients = setting(
        "Ids of the only apps whose tokens are accepted, one or a list (claim azp, in version 1 "
        "appid); default: any app",
        example="11111111-2222-3333-4444-555555555555",
        default=(),
        several=True,
    )
    maximum_lifetime: Annotated[int, between(_SHORTEST, _LONGEST, "seconds")] = setting(
        f"Seconds that a token may be valid for, {_SHORTEST} to {_LONGEST}; default: 30 hours",
        default=_DEFAULT_LIFETIME,
    )
    required_claims: Claims = Field(
        default_factory=dict,
        description="Further claims that a token must have, each with exactly this value",
        examples=[{"azp": "11111111-2222-3333-4444-555555555555", "acct": 0}],
    )


class AnswerFile(Part):
    """Answers for mstunnel-setup."""

    model_config = ConfigDict(title="Answer file of mstunnel-setup")

    version: Literal[1] = Field(description="Version of this format")
    eula: Annotated[
        Literal["accept"] | None,
        Option("--accept-eula", "I have read the licence terms and accept them.", flag="accept"),
    ] = setting("accept: you have read the licence terms and accept them", example="accept")
    mode: Annotated[
        Literal["rootful", "rootless"], Option("--rootless", "Install in rootless Podman.", flag="rootless")
    ] = setting("rootful, or rootless Podman", default="rootful")
    account: Annotated[AccountName, Option("--account", "Account of a rootless gateway.", "NAME")] = setting(
        "Account that a rootless gateway runs as; created if it does not exist", default="mstunnel"
    )
    engine: Annotated[Literal["auto", "podman", "docker"], Option("--engine", "Container engine.")] = setting(
        "Container engine; auto uses Podman, else Docker", default="auto"
    )
    bridge: Ipv4Range | None = setting(
        "Range for the bridge of the container engine, when its default conflicts", example="192.168.240.0/24"
    )
    server_name: Line | None = setting(
        "Name of this server in the tenant; default: the host name", example="gw1"
    )
    tenant: TenantAnswers = Field(description="The tenant and its cloud", default_factory=TenantAnswers)
    sign_in: SignInAnswers = Field(description="How to sign in", default_factory=SignInAnswers)
    identity: IdentityAnswers = Field(
        description="This server's own identity in the tenant", default_factory=IdentityAnswers
    )
    site: Annotated[Line | None, Option("--site", "Site to join.", "ID_OR_NAME")] = setting(
        "Site to join: its id (GUID) or its name", example="Berlin"
    )
    deployment: Literal["standalone", "pod"] = setting(
        "How the tenant lists this server: standalone, or pod (see `render kubernetes`); "
        "fixed at registration",
        default="standalone",
    )
    existing_record: Literal["fail", "replace"] = setting(
        "If the site has a record of an offline server with this name: fail, or replace it", default="fail"
    )
    certificate: CertificateAnswers = Field(
        description="TLS certificate of the site", default_factory=CertificateAnswers
    )
    environment: Variables = Field(
        default_factory=dict,
        description="Variables for env.sh, for example https_proxy, no_proxy, TRACE_SESSIONS",
        examples=[{"https_proxy": "http://proxy.example.com:3128", "TRACE_SESSIONS": 1}],
    )
    images: ImageAnswers = Field(description="Container images", default_factory=ImageAnswers)
    authentication: Literal["oidc", "certificate"] = setting(
        "How devices authenticate: oidc (an Entra token) or certificate", default="oidc"
    )
    authentication_also: Literal["none", "certificate"] = setting(
        "certificate: a certificate alone is sufficient, too; none: it is not", default="none"
    )
    devices: DeviceAnswers = Field(
        description="Whose certificates let a device in, where certificates do", default_factory=DeviceAnswers
    )
    token: TokenAnswers = Field(
        description="Which Entra tokens the gateway accepts", default_factory=TokenAnswers
    )

    newer_version: Literal["notify", "ignore"] = setting(
        "When the release feed has a newer version of this program: notify (in `mst-cli status`), or ignore",
        default="notify",
    )
    client_to_client: bool = setting("true: devices can reach each other through the gateway", default=False)
    proxy_protocol_from: Balancers = setting(
        "Balancers that send the PROXY protocol: address or network, or a list; other addresses "
        "cannot connect by TCP",
        example=["192.0.2.10", "192.0.2.11"],
        default=(),
        several=True,
    )

    @property
    def client_id(self) -> str | None:
        """The application to sign in with: the named one, else for a device code every tenant's."""
        if self.sign_in.client_id or self.sign_in.method != "device-code" or self.tenant.cloud == "custom":
            return self.sign_in.client_id
        return GRAPH_COMMAND_LINE_TOOLS

    @property
    def certificates_of_devices(self) -> bool:
        """True if a certificate lets a device in."""
        return "certificate" in (self.authentication, self.authentication_also)
