"""Wire models of Microsoft Graph (beta) and Entra, shared by the tenant client and the lab tenant.

Property names are Graph's; Python names are their snake_case. Unknown properties are kept, because the
beta schema grows: a model read from Graph and written back loses nothing. Models are frozen.

Source: the models of msgraph-beta-sdk, generated from the metadata of Graph, and the Graph documentation.
"""

from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Final, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mstunnel_setup.base.parsing import aware
from mstunnel_setup.base.values import JsonObject

Moment: TypeAlias = Annotated[datetime, AfterValidator(aware)]
"""A time with its offset; a time without one is in UTC, like all of Graph's."""

GRAPH_APP_ID: Final = "00000003-0000-0000-c000-000000000000"
"""Application id of Microsoft Graph in every tenant."""

GATEWAY_APP_ID: Final = "3678c9e9-9681-447a-974d-d19f668fcd88"
"""Application id of Microsoft Tunnel Gateway: the audience of the tokens that devices present."""

GATEWAY_SCOPE: Final = "Tunnel_Allow"
"""The delegated permission of Microsoft Tunnel Gateway, as far as is known (docs/reference/tokens.md)."""

CONFIGURATION_READ: Final = "DeviceManagementConfiguration.Read.All"
CONFIGURATION_READ_WRITE: Final = "DeviceManagementConfiguration.ReadWrite.All"
APPLICATION_READ_WRITE: Final = "Application.ReadWrite.All"
APPLICATION_OWNED_BY: Final = "Application.ReadWrite.OwnedBy"
APP_ROLE_ASSIGNMENT_READ_WRITE: Final = "AppRoleAssignment.ReadWrite.All"
USER_READ: Final = "User.Read"
"""The delegated permission to read one's own licences."""
GROUP_MEMBER_READ: Final = "GroupMember.Read.All"
"""The permission to list groups (Graph documentation of `/groups`)."""

INTUNE_PLAN_1: Final = "c1ec4a95-1f05-45b3-a911-aa3fa01094f5"
"""Id of the service plan INTUNE_A, in every licence that contains Intune Plan 1."""

_IRREGULAR_NAMES: Final = {"split_dns": "splitDNS"}


def wire_name(name: str) -> str:
    """Return Graph's spelling of a snake_case property name."""
    return _IRREGULAR_NAMES.get(name) or to_camel(name)


def _none_as_empty(value: object) -> object:
    return () if value is None else value


StringList = Annotated[tuple[str, ...], BeforeValidator(_none_as_empty)]
"""A list of strings; Graph sometimes returns null for an empty one."""


class WireModel(BaseModel):
    """Base of all Graph entities: frozen, camelCase on the wire, unknown properties kept."""

    # Schemas are built on first use: a command reads only a few of these models.
    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=wire_name,
        populate_by_name=True,
        ser_json_bytes="base64",
        defer_build=True,
    )

    def to_wire(self) -> JsonObject:
        """Return the JSON object for a request body: wire names, only the properties that were set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def document(self) -> JsonObject:
        """Return the JSON object with all properties, under wire names."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_wire(cls, document: object) -> Self:
        """Read one entity of a response; raises `pydantic.ValidationError` for anything else."""
        return cls.model_validate(document)


class _GrowingEnum(StrEnum):
    """A Graph enumeration: a member added later is read as `unknownFutureValue`."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls("unknownFutureValue") if isinstance(value, str) and value != "unknownFutureValue" else None


class DeploymentMode(_GrowingEnum):
    """The mode in which the server's containers run; set at registration."""

    STANDALONE_ROOTFUL = "standaloneRootful"
    STANDALONE_ROOTLESS = "standaloneRootless"
    POD_ROOTFUL = "podRootful"
    POD_ROOTLESS = "podRootless"
    UNKNOWN_FUTURE_VALUE = "unknownFutureValue"


class HealthStatus(_GrowingEnum):
    """Health of one server as the admin center shows it."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    WARNING = "warning"
    OFFLINE = "offline"
    UPGRADE_IN_PROGRESS = "upgradeInProgress"
    UPGRADE_FAILED = "upgradeFailed"
    UNKNOWN_FUTURE_VALUE = "unknownFutureValue"


class AdvancedSetting(WireModel):
    """A name and value without a field in the admin center, such as `session-timeout` in seconds."""

    name: str = ""
    value: str = ""


class TunnelConfiguration(WireModel):
    """microsoftTunnelConfiguration: the settings that all servers of a site share."""

    id: str = ""
    display_name: str = ""
    description: str | None = None
    network: str | None = None
    ipv6_network: str | None = None
    dns_servers: StringList = ()
    default_domain_suffix: str | None = None
    route_includes: StringList = ()
    route_excludes: StringList = ()
    routes_include: StringList = ()
    routes_exclude: StringList = ()
    split_dns: StringList = ()
    listen_port: int | None = None
    disable_udp_connections: bool | None = None
    advanced_settings: Annotated[tuple[AdvancedSetting, ...], BeforeValidator(_none_as_empty)] = ()
    role_scope_tag_ids: StringList = ()
    last_update_date_time: Moment | None = None

    @property
    def includes(self) -> tuple[str, ...]:
        """Split tunnelling ranges to include: the current property, else the older one."""
        return self.route_includes or self.routes_include

    @property
    def excludes(self) -> tuple[str, ...]:
        """Split tunnelling ranges to exclude: the current property, else the older one."""
        return self.route_excludes or self.routes_exclude


class TunnelSite(WireModel):
    """microsoftTunnelSite: servers with one public address and one server configuration.

    `microsoft_tunnel_configuration` is set only if it was expanded.
    """

    id: str = ""
    display_name: str = ""
    description: str | None = None
    public_address: str | None = None
    internal_network_probe_url: str | None = None
    upgrade_automatically: bool | None = None
    upgrade_available: bool | None = None
    upgrade_window_start_time: time | None = None
    upgrade_window_end_time: time | None = None
    upgrade_window_utc_offset_in_minutes: Annotated[int, Field(gt=-1440, lt=1440)] | None = None
    role_scope_tag_ids: StringList = ()
    microsoft_tunnel_configuration: TunnelConfiguration | None = None


class TunnelServer(WireModel):
    """microsoftTunnelServer: one registered gateway."""

    id: str = ""
    display_name: str = ""
    tunnel_server_health_status: HealthStatus | None = None
    last_checkin_date_time: Moment | None = None
    agent_image_digest: str | None = None
    server_image_digest: str | None = None
    deployment_mode: DeploymentMode | None = None


class MetricValue(WireModel):
    """keyLongValuePair: the last value of one health metric."""

    name: str
    value: int


class MetricPoint(WireModel):
    """metricTimeSeriesDataPoint: a health metric at one time."""

    date_time: Moment
    value: int


class LogCollectionStatus(_GrowingEnum):
    """The state of a log collection."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN_FUTURE_VALUE = "unknownFutureValue"


class LogCollection(WireModel):
    """microsoftTunnelServerLogCollectionResponse: logs requested from a server."""

    id: str = ""
    server_id: str = ""
    status: LogCollectionStatus | None = None
    request_date_time: Moment | None = None
    start_date_time: Moment | None = None
    end_date_time: Moment | None = None
    expiry_date_time: Moment | None = None
    size_in_bytes: int | None = None


class HealthThreshold(WireModel):
    """microsoftTunnelHealthThreshold: the limits of healthy and unhealthy for the metric `id`."""

    id: str = ""
    healthy_threshold: int | None = None
    unhealthy_threshold: int | None = None
    default_healthy_threshold: int | None = None
    default_unhealthy_threshold: int | None = None


class KeyCredential(WireModel):
    """A certificate of an application. `key` is the base64 of the certificate in DER."""

    key_id: str | None = None
    display_name: str | None = None
    custom_key_identifier: str | None = None
    type: str = "AsymmetricX509Cert"
    usage: str = "Verify"
    key: str | None = None
    start_date_time: Moment | None = None
    end_date_time: Moment | None = None


class PasswordCredential(WireModel):
    """A secret of an application. Only the response that created it contains `secret_text`."""

    key_id: str | None = None
    display_name: str | None = None
    hint: str | None = None
    secret_text: str | None = None
    start_date_time: Moment | None = None
    end_date_time: Moment | None = None


class Application(WireModel):
    """An application object. `id` is the object id used in paths, `app_id` the client id."""

    id: str = ""
    app_id: str = ""
    display_name: str = ""
    description: str | None = None
    notes: str | None = None
    sign_in_audience: str | None = None
    tags: StringList = ()
    key_credentials: Annotated[tuple[KeyCredential, ...], BeforeValidator(_none_as_empty)] = ()
    password_credentials: Annotated[tuple[PasswordCredential, ...], BeforeValidator(_none_as_empty)] = ()
    created_date_time: Moment | None = None


class AppRole(WireModel):
    """A permission that an application offers to other applications; `value` is its name."""

    id: str = ""
    value: str | None = None
    display_name: str | None = None
    description: str | None = None
    allowed_member_types: StringList = ()
    is_enabled: bool = True


class ServicePrincipal(WireModel):
    """The presence of an application in a tenant. `id` is the object id, `app_id` the client id."""

    id: str = ""
    app_id: str = ""
    display_name: str = ""
    service_principal_type: str | None = None
    app_roles: Annotated[tuple[AppRole, ...], BeforeValidator(_none_as_empty)] = ()

    def app_role_id(self, value: str) -> str | None:
        """Return the id of the app role called `value`, such as "Application.ReadWrite.All"."""
        return next((role.id for role in self.app_roles if role.value == value), None)


class AppRoleAssignment(WireModel):
    """An app role of `resource_id` granted to `principal_id` (both ids of service principals)."""

    id: str = ""
    app_role_id: str = ""
    principal_id: str = ""
    principal_type: str | None = None
    principal_display_name: str | None = None
    resource_id: str = ""
    resource_display_name: str | None = None
    created_date_time: Moment | None = None


class Group(WireModel):
    """A group of the directory; names are not unique."""

    id: str = ""
    display_name: str = ""


class Organization(WireModel):
    """The tenant, from `/organization`."""

    id: str = ""
    display_name: str = ""


class ServicePlan(WireModel):
    """A service within a licence, such as Intune within Microsoft 365."""

    service_plan_id: str = ""
    service_plan_name: str = ""
    provisioning_status: str | None = None
    applies_to: str | None = None


class LicenseDetails(WireModel):
    """A licence of the signed-in user, from `/me/licenseDetails`."""

    id: str = ""
    sku_id: str = ""
    sku_part_number: str = ""
    service_plans: tuple[ServicePlan, ...] = ()


class User(WireModel):
    """A user, from `/me`."""

    id: str = ""
    display_name: str | None = None
    user_principal_name: str = ""
