"""A new tenant from a seed file: YAML, strict, errors with line and column."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from mstunnel_lab.entra.permissions import APP_ROLE_IDS, DELEGATED_SCOPES
from mstunnel_lab.errors import LAB_SEED_INVALID, LAB_SEED_NOT_YAML, REFUSALS, GraphError
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.directory import FIRST_PARTY, new_assignment, new_principal
from mstunnel_lab.graph.tunnel import (
    DEFAULT_THRESHOLDS,
    ConfigurationBody,
    SiteBody,
    new_configuration,
    new_site,
)
from mstunnel_lab.records import (
    ROLE_TEMPLATES,
    ApplicationRecord,
    CustomRoleRecord,
    TenantRecord,
    TunnelRight,
    UserRecord,
    digest,
)
from mstunnel_lab.store import Store
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import problem_of
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import GRAPH_APP_ID, AppRole, Group, wire_name

Name = Annotated[str, Field(min_length=1, max_length=200)]
Upn = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+$")]
Seconds = Annotated[int, Field(ge=1)]


def _one_of(values: Iterable[object]) -> AfterValidator:
    known = tuple(values)

    def check(value: object) -> object:
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(map(str, known))}")
        return value

    return AfterValidator(check)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeedTenant(_Part):
    """Name and domain of the tenant, and optionally its id."""

    name: Name
    domain: Name
    id: UUID | None = None


class SeedSignIn(_Part):
    """Times of the sign-in, in seconds."""

    poll_interval: Seconds = 5
    device_code_lifetime: Seconds = 900
    token_lifetime: Seconds = 3600


class SeedCustomRole(_Part):
    """A custom role of Intune, with rights of the permission group Microsoft Tunnel Gateway."""

    name: Name
    microsoft_tunnel_gateway: Annotated[tuple[TunnelRight, ...], Field(min_length=1)]


class SeedUser(_Part):
    """A user; a missing password is generated.

    `mfa` requires a code after the password; `refused_with` is an AADSTS number that ends each sign-in; a
    `guest` is an account of another tenant; `custom_roles` are names of custom roles.
    """

    id: UUID | None = None
    upn: Upn
    name: Name
    password: Annotated[str, Field(min_length=8)] | None = None
    roles: tuple[Annotated[str, _one_of(ROLE_TEMPLATES)], ...] = ()
    custom_roles: tuple[Name, ...] = ()
    licensed: bool = False
    mfa: bool = False
    refused_with: Annotated[int, _one_of(REFUSALS)] | None = None
    guest: bool = False


class SeedGroup(_Part):
    """A group; two may have the same name, as in Entra."""

    id: UUID | None = None
    name: Annotated[str, Field(min_length=1, max_length=256)]


class SeedTrustedIssuer(_Part):
    """Another OpenID provider whose tokens Graph accepts; `key_set` is a file with its JSON Web Key Set."""

    issuer: Annotated[str, Field(pattern=r"^https://\S+$")]
    key_set: str


class SeedConfiguration(_Part):
    """A server configuration; its values are validated like a POST to Graph."""

    name: Name
    network: str
    ipv6_network: str | None = None
    dns_servers: tuple[str, ...] = ()
    default_domain_suffix: str | None = None
    route_includes: tuple[str, ...] = ()
    route_excludes: tuple[str, ...] = ()
    split_dns: tuple[str, ...] = ()
    listen_port: int = 443
    disable_udp_connections: bool = False
    advanced_settings: dict[str, str] = Field(default_factory=dict)


class SeedSite(_Part):
    """A site; `configuration` is the name of its server configuration."""

    name: Name
    configuration: Name
    public_address: Name
    internal_network_probe_url: str | None = None
    upgrade_automatically: bool = False


class SeedApplication(_Part):
    """An application with its service principal; `use` selects it for a purpose in lab.json."""

    name: Name
    app_id: UUID | None = None
    use: Literal["setup", "device"] | None = None
    public_client: bool = False
    password_grant: bool = False
    gateway_access: bool = False
    secret: Annotated[str, Field(min_length=16)] | None = None
    scopes: tuple[Annotated[str, _one_of(DELEGATED_SCOPES)], ...] = ()
    app_roles: tuple[Annotated[str, _one_of(APP_ROLE_IDS)], ...] = ()


class Seed(_Part):
    """The whole seed file."""

    version: Literal[1]
    tenant: SeedTenant
    sign_in: SeedSignIn = SeedSignIn()
    gateway_token_version: Literal[1, 2] = 2
    gateway_app: bool = True
    offline_after: Seconds = 300
    trend_block: Seconds = 10800
    trusted_issuer: SeedTrustedIssuer | None = None
    page_size: Annotated[int, Field(ge=1, le=999)] = 100
    internal_url: str
    custom_roles: tuple[SeedCustomRole, ...] = ()
    groups: tuple[SeedGroup, ...] = ()
    users: Annotated[tuple[SeedUser, ...], Field(min_length=1)]
    configurations: tuple[SeedConfiguration, ...] = ()
    sites: tuple[SeedSite, ...] = ()
    applications: Annotated[tuple[SeedApplication, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Seed":
        known = [configuration.name for configuration in self.configurations]
        lost = [site.configuration for site in self.sites if site.configuration not in known]
        if lost:
            raise ValueError(f"no configuration is called {lost[0]!r}")
        roles = [role.name for role in self.custom_roles]
        unknown = [name for user in self.users for name in user.custom_roles if name not in roles]
        if unknown:
            raise ValueError(f"no custom role is called {unknown[0]!r}")
        for names in (
            [user.upn.lower() for user in self.users],
            roles,
            known,
            [site.name for site in self.sites],
            [str(group.id) for group in self.groups if group.id],
            [str(application.app_id) for application in self.applications if application.app_id],
        ):
            duplicates = [name for name in names if names.count(name) > 1]
            if duplicates:
                raise ValueError(f"{duplicates[0]!r} is there twice")
        uses = sorted(application.use for application in self.applications if application.use)
        if uses != ["device", "setup"]:
            raise ValueError("exactly one application with `use: setup` and one with `use: device` is needed")
        return self


def default_seed() -> str:
    """Return the text of the seed file in the package."""
    return resources.files("mstunnel_lab").joinpath("seed.yaml").read_text(encoding="utf-8")


def read_seed(path: Path | None) -> str:
    """Return the text of a seed file, or of the package's own for None. Raises `UsageError`."""
    if path is None:
        return default_seed()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            "lab-seed-unreadable",
            "cannot read the seed file {path}: {reason}",
            hint="Check the path given with --seed.",
            path=path,
            reason=reason,
        ) from error


def parse_seed(text: str, name: str = "seed.yaml") -> Seed:
    """Parse a seed; raises `UsageError` whose message has NAME:LINE:COLUMN for each error."""
    try:
        document: object = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise LAB_SEED_NOT_YAML(place=place, reason=error.problem or error.context) from error
    except YAMLError as error:
        raise LAB_SEED_NOT_YAML(place=name, reason=error) from error
    try:
        return Seed.model_validate(document)
    except ValidationError as error:
        mistakes = [""]
        for item in error.errors():
            line, column = _position(document, item["loc"])
            path = ".".join(map(str, item["loc"]))
            about = f"{path}: " if path else ""
            mistakes.append(f"{name}:{line + 1}:{column + 1}: {about}{problem_of(item)!s}")
        raise LAB_SEED_INVALID(reason="\n".join(mistakes)) from error


def _position(node: object, location: tuple[int | str, ...]) -> tuple[int, int]:
    """Return line and column (from 0) of the deepest part of `location` that the file contains."""
    found = (0, 0)
    for part in location:
        if not isinstance(node, CommentedMap | CommentedSeq) or part not in (node.lc.data or ()):
            break
        found = (node.lc.data[part][0], node.lc.data[part][1])
        node = node[part]
    return found


def open_tenant(store: Store, text: str, name: str, *, seed_given: bool) -> TenantRecord:
    """Return the tenant in the store, created from the seed text the first time.

    `name` is the seed's name in messages. Raises `UsageError` for an invalid seed, and for a given seed from
    which the tenant was not created.
    """
    text_digest = hashlib.sha256(text.encode()).hexdigest()
    for tenant in store.each(TenantRecord):
        if seed_given and tenant.seed_digest != text_digest:
            raise UsageError(
                "lab-seed-differs",
                "this lab was created from a different seed file than {name}",
                hint="Use another --dir for a new lab, or omit --seed to continue with this one.",
                name=name,
            )
        return tenant
    seed = parse_seed(text, name)
    with store.transaction():
        return _plant(store, seed, text_digest)


def _plant(store: Store, seed: Seed, text_digest: str) -> TenantRecord:
    trusted = seed.trusted_issuer
    kept = {
        *("internal_url", "gateway_token_version", "offline_after", "page_size", "trend_block"),
    }
    tenant = TenantRecord(
        id=str(seed.tenant.id or uuid.uuid4()),
        name=seed.tenant.name,
        domain=seed.tenant.domain,
        seed_digest=text_digest,
        trusted_issuer=trusted.issuer if trusted else "",
        trusted_key_set=trusted.key_set if trusted else "",
        **seed.sign_in.model_dump(),
        **seed.model_dump(include=kept),
    )
    store.add(tenant)
    for role in seed.custom_roles:
        store.add(CustomRoleRecord(id=role.name, microsoft_tunnel_gateway=role.microsoft_tunnel_gateway))
    for user in seed.users:
        given = user.model_dump(include={"name", "roles", "custom_roles", "licensed", "guest"})
        record = UserRecord(
            id=str(user.id or uuid.uuid4()),
            upn=user.upn.lower(),
            password=user.password or secrets.token_urlsafe(12),
            mfa_code=f"{secrets.randbelow(10**6):06}" if user.mfa else "",
            refused_with=user.refused_with or 0,
            **given,
        )
        store.add(record)
    for group in seed.groups:
        store.add(Group(id=str(group.id or uuid.uuid4()), display_name=group.name))
    roles = tuple(
        AppRole(id=identifier, value=value, display_name=value, allowed_member_types=("Application",))
        for value, identifier in APP_ROLE_IDS.items()
    )
    graph = new_principal(GRAPH_APP_ID, "Microsoft Graph").model_copy(update={"app_roles": roles})
    store.add(graph)
    for app_id, display_name in FIRST_PARTY.items() if seed.gateway_app else ():
        store.add(new_principal(app_id, display_name))
    for item in seed.applications:
        application = ApplicationRecord(
            id=str(uuid.uuid4()),
            app_id=str(item.app_id or uuid.uuid4()),
            display_name=item.name,
            secret_digests=(digest(item.secret),) if item.secret else (),
            **item.model_dump(include={"public_client", "password_grant", "scopes", "gateway_access"}),
        )
        principal = new_principal(application.app_id, item.name)
        store.add(application, parent=item.use or "")
        store.add(principal)
        for name in item.app_roles:
            store.add(new_assignment(principal, graph, APP_ROLE_IDS[name]), parent=principal.id)
    _plant_sites(store, seed)
    for threshold in DEFAULT_THRESHOLDS:
        store.add(threshold)
    return tenant


def _plant_sites(store: Store, seed: Seed) -> None:
    """Add the server configurations and sites, validated like a POST to Graph."""

    def document(item: SeedConfiguration | SeedSite) -> JsonObject:
        values = item.model_dump(exclude={"name", "configuration"}, exclude_none=True)
        return {"displayName": item.name} | {wire_name(name): value for name, value in values.items()}

    identifiers = {item.name: str(uuid.uuid4()) for item in seed.configurations}
    try:
        for item in seed.configurations:
            pairs = [{"name": name, "value": value} for name, value in item.advanced_settings.items()]
            body = judge(ConfigurationBody, document(item) | {"advancedSettings": pairs})
            store.add(new_configuration(body, identifiers[item.name]))
        for site in seed.sites:
            configuration = identifiers[site.configuration]
            body_of_site = judge(SiteBody, document(site))
            store.add(new_site(body_of_site, {"id": str(uuid.uuid4())}, configuration))
    except GraphError as error:
        raise LAB_SEED_INVALID(reason=error.message) from error
