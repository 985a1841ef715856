"""The answer file as models. Descriptions here become `answers new`, the JSON Schema and the help."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from mstunnel_setup.answers.part import Part
from mstunnel_setup.answers.rules import RULES
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.answers.token import Issuer, TokenAnswers

VERSION = 1
GRAPH_COMMAND_LINE_TOOLS = "graph-command-line-tools"
"""Instead of a client id: the application of that name that every tenant can use."""

_DIGEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}")
_REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*")
_URL = re.compile(
    r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?|https://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?"
)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DOMAIN = re.compile(r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What useradd(8) takes everywhere.
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME = 200
_SHORTEST_RANGE, _LONGEST_RANGE = 16, 28


def _line(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_NAME or not text.isprintable():
        raise ValueError(
            f"must be one line of 1 to {_LONGEST_NAME} printable characters: shorten or complete it"
        )
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or "/../" in f"{text}/" or not text.isprintable():
        raise ValueError("must be the full path of a file: start it with `/`, without `..`")
    return text


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError("must be the name of an account, such as `mstunnel`: correct it")
    return text


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("must be an https address such as `https://login.example.com`: correct it")
    return text.rstrip("/")


def pem_certificates(text: str) -> str:
    """The certificates in a PEM text, without what stands around them; empty when there is none."""
    return "".join(_PEM.findall(text.replace("\r\n", "\n")))


def _certificates(text: str) -> str:
    """Nothing but certificates, so that no key comes to lie where all users read it."""
    found = pem_certificates(f"{text}\n")
    if not found or found.split() != text.split():
        raise ValueError("must be certificates in PEM and nothing else: correct it")
    return found


def _guid(text: str) -> str:
    if not _GUID.fullmatch(text):
        raise ValueError("must be a GUID such as `11111111-2222-3333-4444-555555555555`: correct it")
    return text.lower()


def _client_id(text: str) -> str:
    if text == GRAPH_COMMAND_LINE_TOOLS:
        return text
    if not _GUID.fullmatch(text):
        raise ValueError(
            "must be the id of an application (a GUID such as `11111111-2222-3333-4444-555555555555`) or "
            f"`{GRAPH_COMMAND_LINE_TOOLS}`: correct it"
        )
    return text.lower()


def _tenant_id(text: str) -> str:
    if text != "organizations" and not _GUID.fullmatch(text) and not _DOMAIN.fullmatch(text):
        raise ValueError("must be a tenant id (GUID), a domain of the tenant, or `organizations`: correct it")
    return text


def _registry(text: str) -> str:
    """What stands before `/name@sha256:…`."""
    if not _REGISTRY.fullmatch(text):
        raise ValueError("must be a registry: write `host[:port][/path]`, without `https://`")
    return text


def _image(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError("must name an image by digest: write `registry/name@sha256:` and 64 hex digits")
    return text


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("must be a variable name (letters, digits, `_`, no digit first): rename it")
    return name


def _variable_value(value: object) -> str:
    """Text as it is, numbers and truth values as env.sh writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise ValueError("must be text, a number or true/false: put it in quotes")  # noqa: TRY004 (pydantic's protocol)
    text = str(value)
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters: remove them")
    return text


def _range(text: str) -> str:
    try:
        network = IPv4Network(text)
    except ValueError:
        network = None
    if network is None or not _LONGEST_RANGE >= network.prefixlen >= _SHORTEST_RANGE:
        raise ValueError("must be an IPv4 range of /16 to /28 such as `192.168.240.0/24`: correct it")
    return str(network)


def _one_or_more(value: object) -> object:
    if not isinstance(value, str | list | tuple):
        raise ValueError("must be a path or a list of paths: correct it")  # noqa: TRY004 (pydantic's protocol)
    return (_path(value),) if isinstance(value, str) else value


Line: TypeAlias = Annotated[str, AfterValidator(_line)]
FilePath: TypeAlias = Annotated[str, AfterValidator(_path)]
Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Certificates: TypeAlias = Annotated[str, AfterValidator(_certificates)]
Guid: TypeAlias = Annotated[str, AfterValidator(_guid)]
ClientId: TypeAlias = Annotated[str, AfterValidator(_client_id)]
TenantId: TypeAlias = Annotated[str, AfterValidator(_tenant_id)]
ImageReference: TypeAlias = Annotated[str, AfterValidator(_image)]
ImageRegistry: TypeAlias = Annotated[str, AfterValidator(_registry)]
Ipv4Range: TypeAlias = Annotated[str, AfterValidator(_range)]
AccountName: TypeAlias = Annotated[str, AfterValidator(_account)]
FilePaths: TypeAlias = Annotated[tuple[FilePath, ...], BeforeValidator(_one_or_more)]
SecretPlace: TypeAlias = Annotated[
    SecretReference,
    PlainValidator(
        lambda value: value if isinstance(value, SecretReference) else SecretReference.parse(value)
    ),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(file:/.+|env:[A-Za-z_][A-Za-z0-9_]*|credential:.+)$"}),
]
Variables: TypeAlias = dict[
    Annotated[str, AfterValidator(_variable)],
    Annotated[
        str,
        PlainValidator(_variable_value),
        WithJsonSchema({"type": ["string", "integer", "boolean"]}),
    ],
]


class TenantAnswers(Part):
    """The tenant and the cloud it is in."""

    cloud: Literal["public", "gcc-high", "dod", "custom"] = Field(
        default="public", description="Cloud of the tenant: public, gcc-high, dod, or custom (a lab tenant)"
    )
    authority: Url | None = Field(
        default=None,
        description="Sign-in address; cloud custom only",
        examples=["https://login.example.com"],
    )
    graph: Url | None = Field(
        default=None,
        description="Microsoft Graph address; cloud custom only",
        examples=["https://graph.example.com"],
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="Further trusted roots (PEM), for a TLS-inspecting proxy or a private CA",
        examples=["/etc/ssl/private-root.pem"],
    )
    ca_pem: Certificates | None = Field(
        default=None,
        description="Instead of ca_file: the certificates themselves (PEM); `--lab` sets it",
        examples=["-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n"],
    )
    id: TenantId = Field(
        default="organizations", description="Tenant id or domain; organizations: that of the account"
    )
    issuer: Issuer | None = Field(
        default=None,
        description="Issuer of devices' tokens, their claim iss; default: by cloud and token.version",
        examples=["https://sts.windows.net/11111111-2222-3333-4444-555555555555/"],
    )


class SignInAnswers(Part):
    """How to sign in to the tenant."""

    method: Literal["device-code", "client-secret", "client-certificate", "token-file"] = Field(
        default="device-code",
        description="device-code (interactive), client-secret, client-certificate, or token-file",
    )
    client_id: ClientId | None = Field(
        default=None,
        description="Id of your application for sign-in; default: graph-command-line-tools (device code, "
        "not in a custom cloud)",
        examples=["11111111-2222-3333-4444-555555555555"],
    )
    client_secret: SecretPlace | None = Field(
        default=None,
        description="Location of the client secret: file:PATH, env:NAME or credential:NAME",
        examples=["file:/root/client-secret"],
    )
    certificate: FilePath | None = Field(
        default=None, description="client-certificate: the certificate (PEM)", examples=["/root/app.pem"]
    )
    key: FilePath | None = Field(
        default=None, description="client-certificate: its private key (PEM)", examples=["/root/app.key"]
    )
    pfx: FilePath | None = Field(
        default=None,
        description="client-certificate: instead of certificate and key",
        examples=["/root/app.pfx"],
    )
    passphrase: SecretPlace | None = Field(
        default=None,
        description="Location of the passphrase of the PFX",
        examples=["file:/root/app-passphrase"],
    )
    token_file: FilePath | None = Field(
        default=None,
        description="token-file: a file with an access token for Graph",
        examples=["/root/token"],
    )


class IdentityAnswers(Part):
    """This server's own identity in the tenant: how it signs in, or an application created in advance."""

    credential: Literal["certificate", "secret"] = Field(
        default="certificate",
        description="How the application that the installation creates signs in: certificate, or secret",
    )
    client_id: Guid | None = Field(
        default=None,
        description="Id of the application; without it, the installation creates one",
        examples=["11111111-2222-3333-4444-555555555555"],
    )
    certificate: FilePath | None = Field(
        default=None, description="Its certificate (PEM)", examples=["/root/agent.pem"]
    )
    key: FilePath | None = Field(
        default=None, description="The private key of the certificate (PEM)", examples=["/root/agent.key"]
    )
    pfx: FilePath | None = Field(
        default=None, description="Instead of certificate and key", examples=["/root/agent.pfx"]
    )
    passphrase: SecretPlace | None = Field(
        default=None,
        description="Location of the passphrase of the PFX",
        examples=["file:/root/agent-passphrase"],
    )
    client_secret: SecretPlace | None = Field(
        default=None,
        description="Instead of a certificate: location of its client secret",
        examples=["file:/root/agent-secret"],
    )


class CertificateAnswers(Part):
    """The TLS certificate of the site: chain and key, or a PFX."""

    chain: FilePaths = Field(
        default=(),
        description="Certificate with its chain (PEM), or a list of files that hold them",
        examples=["/root/chain.pem"],
        json_schema_extra={"type": ["string", "array"]},
    )
    key: FilePath | None = Field(
        default=None, description="Private key, not encrypted (PEM)", examples=["/root/key.pem"]
    )
    pfx: FilePath | None = Field(
        default=None, description="Instead of chain and key: a PFX with both", examples=["/root/site.pfx"]
    )
    passphrase: SecretPlace | None = Field(
        default=None,
        description="Location of the passphrase of the PFX",
        examples=["file:/root/site-passphrase"],
    )


class ImageAnswers(Part):
    """The container images, always by digest."""

    server: ImageReference | None = Field(
        default=None,
        description="Image of the VPN server",
        examples=["registry.example.com/server@sha256:" + "0" * 64],
    )
    agent: ImageReference | None = Field(
        default=None,
        description="Image of the agent",
        examples=["registry.example.com/agent@sha256:" + "0" * 64],
    )
    registry: ImageRegistry | None = Field(
        default=None,
        description="Registry with the images of this release, instead of the one it was built for",
        examples=["registry.example.com/mstunnel"],
    )
    archive: FilePaths = Field(
        default=(),
        description="Offline: archive with both images, or a list of archives",
        examples=["/root/images.tar"],
        json_schema_extra={"type": ["string", "array"]},
    )


class AnswerFile(Part):
    """Answers for mstunnel-setup."""

    model_config = ConfigDict(title="Answer file of mstunnel-setup")

    version: Literal[1] = Field(description="Version of this format")
    eula: Literal["accept"] | None = Field(
        default=None,
        description="accept: you have read the licence terms and accept them",
        examples=["accept"],
    )
    mode: Literal["rootful", "rootless"] = Field(default="rootful", description="rootful, or rootless Podman")
    account: AccountName = Field(
        default="mstunnel",
        description="Account that a rootless gateway runs as; created if it does not exist",
    )
    engine: Literal["auto", "podman", "docker"] = Field(
        default="auto", description="Container engine; auto uses Podman, else Docker"
    )
    bridge: Ipv4Range | None = Field(
        default=None,
        description="Range for the bridge of the container engine, when its default conflicts",
        examples=["192.168.240.0/24"],
    )
    server_name: Line | None = Field(
        default=None,
        description="Name of this server in the tenant; default: the host name",
        examples=["gw1"],
    )
    tenant: TenantAnswers = Field(default=TenantAnswers(), description="The tenant and its cloud")
    sign_in: SignInAnswers = Field(default=SignInAnswers(), description="How to sign in")
    identity: IdentityAnswers = Field(
        default=IdentityAnswers(), description="This server's own identity in the tenant"
    )
    site: Line | None = Field(
        default=None, description="Site to join: its id (GUID) or its name", examples=["Berlin"]
    )
    left_record: Literal["refuse", "remove"] = Field(
        default="refuse",
        description="If the site has the record of an offline server of this name: refuse, or remove it",
    )
    certificate: CertificateAnswers = Field(
        default=CertificateAnswers(), description="TLS certificate of the site"
    )
    environment: Variables = Field(
        default_factory=dict,
        description="Variables for env.sh, for example https_proxy, no_proxy, TRACE_SESSIONS",
        examples=[{"https_proxy": "http://proxy.example.com:3128", "TRACE_SESSIONS": 1}],
    )
    images: ImageAnswers = Field(default=ImageAnswers(), description="Container images")
    authentication: Literal["oidc", "certificate", "radius"] = Field(
        default="oidc", description="How devices authenticate: oidc (an Entra token), certificate or radius"
    )
    token: TokenAnswers = Field(default=TokenAnswers(), description="Which Entra tokens the gateway accepts")

    client_to_client: bool = Field(
        default=False, description="true: devices can reach each other through the gateway"
    )

    @property
    def client_id(self) -> str | None:
        """The application to sign in with: the one named, else for a device code that of every tenant."""
        if self.sign_in.client_id or self.sign_in.method != "device-code" or self.tenant.cloud == "custom":
            return self.sign_in.client_id
        return GRAPH_COMMAND_LINE_TOOLS

    @property
    def eula_accepted(self) -> bool:
        """Whether the licence terms are accepted."""
        return self.eula == "accept"

    @model_validator(mode="after")
    def _sections_fit(self) -> "AnswerFile":
        findings = [f"{name}.{key}: {text}" for name, key, text in self._findings()]
        if findings:
            raise ValueError("; ".join(findings))
        return self

    def _findings(self) -> Iterator[tuple[str, str, str]]:
        for name, rule in RULES.items():
            section = getattr(self, name)
            given = section if isinstance(section, dict) else cast("Part", section).given()
            for key, text in rule(given):
                yield name, key, text
