"""Bodies that write Intune's tunnel entities (Graph beta, `microsoftTunnel…`).

Here are types, and what only the wire knows; the values are judged by the rules of mst-admin.
"""

from collections.abc import Iterable, Mapping
from datetime import time
from enum import StrEnum
from ipaddress import ip_interface
from typing import Annotated, Final, Self

from pydantic import AfterValidator, AwareDatetime, Field, StrictBool, StrictInt, StrictStr, model_validator

from mst_admin.objects.configuration import SESSION_TIMEOUT, configuration_object, judge_configuration
from mst_admin.objects.site import judge_site, site_object
from mst_admin.objects.threshold import ThresholdObject, judge_threshold
from mstunnel_lab.graph.bodies import Body, Guid, Name, Part, Text
from mstunnel_lab.health import metric_in_graph
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import (
    DeploymentMode,
    HealthStatus,
    HealthThreshold,
    LogCollection,
    LogCollectionStatus,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
)

_ROUTE_PAIRS: Final = (("routeIncludes", "routesInclude"), ("routeExcludes", "routesExclude"))
# A rule of our gateways: Intune cannot know which settings they pass on to ocserv.
_OF_THE_GATEWAY: Final = "advanced-setting-invalid"


def _unpadded(value: str) -> str:
    if value != value.strip():
        raise ValueError("must not have blanks around it")
    return value


def _without_host_bits(value: str) -> str:
    """Refuse an address within a network; what is no network at all is left for the rules to find."""
    try:
        found = ip_interface(value)
    except ValueError:
        return value
    if found.ip != found.network.network_address:
        raise ValueError("has host bits set")
    return value


def _known_member(value: StrEnum) -> StrEnum:
    """Refuse what reading maps later members to: it cannot be written."""
    if value == "unknownFutureValue":
        raise ValueError("is not a member of the enumeration")
    return value


def _graph_metric(value: str) -> str:
    if metric_in_graph(value) is None:
        raise ValueError(f"there is no metric {value}")
    return value


Value = Annotated[StrictStr, AfterValidator(_unpadded)]
Network = Annotated[Value, AfterValidator(_without_host_bits)]
MetricName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$", max_length=100)]
GraphMetric = Annotated[MetricName, AfterValidator(_graph_metric)]


class SettingBody(Part):
    """One advanced setting."""

    name: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    value: Annotated[StrictStr, Field(min_length=1, pattern=r"^[^\r\n]*$")]

    @model_validator(mode="after")
    def _timeout_is_seconds(self) -> Self:
        if self.name == SESSION_TIMEOUT and whole_number(self.value, 10) is None:
            raise ValueError(f"{SESSION_TIMEOUT} must be a number of seconds")
        return self


class ConfigurationBody(Body):
    """microsoftTunnelConfiguration."""

    entity = TunnelConfiguration
    type_name = "microsoft.graph.microsoftTunnelConfiguration"

    display_name: Name
    description: Text | None = None
    network: Network
    ipv6_network: Network | None = None
    dns_servers: tuple[Value, ...] = ()
    default_domain_suffix: Value | None = None
    route_includes: tuple[Network, ...] = ()
    route_excludes: tuple[Network, ...] = ()
    routes_include: tuple[Network, ...] = ()
    routes_exclude: tuple[Network, ...] = ()
    split_dns: tuple[Value, ...] = ()
    listen_port: StrictInt = 443
    disable_udp_connections: StrictBool = False
    advanced_settings: tuple[SettingBody, ...] = ()
    role_scope_tag_ids: tuple[StrictStr, ...] = ("0",)

    @classmethod
    def superseded(cls, changes: Mapping[str, object]) -> set[str]:
        """The other name of a route property that is written."""
        return {name for pair in _ROUTE_PAIRS if not changes.keys().isdisjoint(pair) for name in pair}

    @model_validator(mode="before")
    @classmethod
    def _both_route_names(cls, data: Mapping[str, object]) -> dict[str, object]:
        filled = dict(data)
        for new, old in _ROUTE_PAIRS:
            values = [filled[name] for name in (new, old) if name in filled]
            if len(values) > 1 and values[0] != values[1]:
                raise ValueError(f"{new} and {old} are two names of one property and differ")
            if values:
                filled[new] = filled[old] = values[0]
        return filled

    @model_validator(mode="after")
    def _settings_have_one_value(self) -> Self:
        names = [setting.name for setting in self.advanced_settings]
        if len(set(names)) < len(names):
            raise ValueError("an advanced setting is given twice")
        return self

    def findings(self) -> Iterable[Finding]:
        """Return what the rules for server configurations refuse."""
        wish = configuration_object(TunnelConfiguration.from_wire(self.document()))
        return (item for item in judge_configuration(wish) if item.fatal and item.code != _OF_THE_GATEWAY)


class Reference(Part):
    """A reference to an entity that exists: {"id": …}."""

    id: Guid


class SiteBody(Body):
    """microsoftTunnelSite; the configuration is referred to by a nested id or by `@odata.bind`."""

    entity = TunnelSite
    type_name = "microsoft.graph.microsoftTunnelSite"

    display_name: Name
    description: Text | None = None
    public_address: Value
    internal_network_probe_url: Value | None = None
    upgrade_automatically: StrictBool = False
    upgrade_window_start_time: time | None = None
    upgrade_window_end_time: time | None = None
    upgrade_window_utc_offset_in_minutes: Annotated[StrictInt, Field(gt=-1440, lt=1440)] | None = None
    role_scope_tag_ids: tuple[StrictStr, ...] = ("0",)
    microsoft_tunnel_configuration: Reference | None = None
    configuration_bind: Annotated[
        StrictStr | None,
        Field(
            alias="microsoftTunnelConfiguration@odata.bind",
            pattern=r"/deviceManagement/microsoftTunnelConfigurations(/[0-9a-fA-F-]{36}|\('[0-9a-fA-F-]{36}'\))$",
        ),
    ] = None

    @property
    def configuration_id(self) -> str:
        """Id of the server configuration that the body refers to, or ""."""
        if self.microsoft_tunnel_configuration:
            return self.microsoft_tunnel_configuration.id
        return (self.configuration_bind or "").strip("')")[-36:]

    @model_validator(mode="after")
    def _window_has_both_ends(self) -> Self:
        if (self.upgrade_window_start_time is None) != (self.upgrade_window_end_time is None):
            raise ValueError("an upgrade window needs a start and an end")
        return self

    def findings(self) -> Iterable[Finding]:
        """Return what the rules for sites refuse."""
        wish = site_object(TunnelSite.from_wire(self.document()))
        return (item for item in judge_site(wish) if item.fatal)

    def document(self) -> JsonObject:
        """Return all properties, without the reference to the configuration."""
        reference = {"microsoft_tunnel_configuration", "configuration_bind"}
        return self.model_dump(mode="json", by_alias=True, exclude=reference)


class CheckBody(Part):
    """One row of a server's own health table."""

    id: MetricName
    status: Annotated[HealthStatus, AfterValidator(_known_member)]
    text: Annotated[StrictStr, Field(max_length=300)] = ""


class HealthBody(Part):
    """What a server tells about itself: the lab's extension `labHealth`."""

    status: Annotated[HealthStatus, AfterValidator(_known_member)]
    server_image_digest: Text | None = None
    agent_image_digest: Text | None = None
    metrics: Annotated[dict[MetricName, StrictInt], Field(max_length=100)] = Field(default_factory=dict)
    checks: Annotated[tuple[CheckBody, ...], Field(max_length=100)] = ()


class ServerBody(Body):
    """microsoftTunnelServer."""

    entity = TunnelServer
    type_name = "microsoft.graph.microsoftTunnelServer"

    display_name: Name
    deployment_mode: Annotated[DeploymentMode, AfterValidator(_known_member)] = (
        DeploymentMode.STANDALONE_ROOTFUL
    )
    lab_health: HealthBody | None = None


class ThresholdBody(Body):
    """microsoftTunnelHealthThreshold; `id` is the name of the metric and only given on creation."""

    entity = HealthThreshold
    type_name = "microsoft.graph.microsoftTunnelHealthThreshold"

    id: MetricName | None = None
    healthy_threshold: Annotated[StrictInt, Field(ge=0)]
    unhealthy_threshold: Annotated[StrictInt, Field(ge=0)]

    def findings(self) -> Iterable[Finding]:
        """Return what the rules for thresholds say, a metric without thresholds included."""
        if not self.id:
            return ()
        healthy, unhealthy = self.healthy_threshold, self.unhealthy_threshold
        return judge_threshold(ThresholdObject(metric=self.id, healthy=healthy, unhealthy=unhealthy))


class MetricNamesBody(Body):
    """Parameters of getHealthMetrics."""

    entity = TunnelServer
    type_name = "microsoft.graph.microsoftTunnelServer"

    metric_names: Annotated[tuple[GraphMetric, ...], Field(min_length=1, max_length=100)]


class LogRequestBody(Body):
    """Parameters of createServerLogCollectionRequest and generateServerLogCollectionRequest."""

    entity = TunnelServer
    type_name = "microsoft.graph.microsoftTunnelServer"

    start_date_time: AwareDatetime
    end_date_time: AwareDatetime

    @model_validator(mode="after")
    def _end_is_later(self) -> Self:
        if self.end_date_time <= self.start_date_time:
            raise ValueError("endDateTime must be after startDateTime")
        return self


class TimeSeriesBody(LogRequestBody):
    """Parameters of getHealthMetricTimeSeries."""

    metric_name: GraphMetric


class LogCollectionBody(Body):
    """microsoftTunnelServerLogCollectionResponse."""

    entity = LogCollection
    type_name = "microsoft.graph.microsoftTunnelServerLogCollectionResponse"

    server_id: Guid
    status: Annotated[LogCollectionStatus, AfterValidator(_known_member)] = LogCollectionStatus.PENDING
    request_date_time: AwareDatetime | None = None
    start_date_time: AwareDatetime | None = None
    end_date_time: AwareDatetime | None = None
    expiry_date_time: AwareDatetime | None = None
    size_in_bytes: Annotated[StrictInt, Field(ge=0)] = 0
