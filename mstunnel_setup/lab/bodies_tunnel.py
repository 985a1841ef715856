"""Bodies that write Intune's tunnel entities (docs/reference/graph-api.md, configure-terms.md)."""

import ipaddress
from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, StrictBool, StrictInt, StrictStr, model_validator

from mstunnel_setup.admin.objects import ThresholdObject
from mstunnel_setup.admin.rules_site import judge_threshold
from mstunnel_setup.lab.bodies import Body, Guid, Name, Part, Text
from mstunnel_setup.lab.health import metric_in_graph
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

MAX_SPLIT_RULES: Final = 500
_MIN_WINDOW_MINUTES: Final = 60
_MINUTES_PER_DAY: Final = 24 * 60
_HOST_NAME: Final = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$"
_ROUTE_PAIRS: Final = (("routeIncludes", "routesInclude"), ("routeExcludes", "routesExclude"))


def _unscoped(value: str) -> str:
    """Refuse a zone such as `%eth0`: it may hold any character, even a line break."""
    if "%" in value:
        raise ValueError("must not have a zone")
    return value


def _network_of(version: int) -> AfterValidator:
    def check(value: str) -> str:
        network = ipaddress.ip_network(_unscoped(value))
        if network.version != version or "/" not in value:
            raise ValueError(f"must be an IPv{version} network in CIDR notation")
        return value

    return AfterValidator(check)


def _route(value: str) -> str:
    network = ipaddress.ip_network(_unscoped(value))
    if "/" not in value:
        raise ValueError("must be in CIDR notation")
    if network.prefixlen == 0:
        raise ValueError("0.0.0.0 is not allowed")
    return value


def _address(value: str) -> str:
    ipaddress.ip_address(_unscoped(value))
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


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return value


Route = Annotated[StrictStr, AfterValidator(_route)]
MetricName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$", max_length=100)]
GraphMetric = Annotated[MetricName, AfterValidator(_graph_metric)]
Domain = Annotated[StrictStr, Field(pattern=_HOST_NAME, max_length=253)]
PublicAddress = (
    Annotated[StrictStr, Field(pattern=_HOST_NAME, max_length=253)]
    | Annotated[StrictStr, AfterValidator(_address)]
)


class SettingBody(Part):
    """One advanced setting."""

    name: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    value: Annotated[StrictStr, Field(min_length=1, pattern=r"^[^\r\n]*$")]

    @model_validator(mode="after")
    def _timeout_is_seconds(self) -> Self:
        if self.name == "session-timeout" and not (self.value.isdecimal() and int(self.value) > 0):
            raise ValueError("session-timeout must be a positive number of seconds")
        return self


class ConfigurationBody(Body):
    """microsoftTunnelConfiguration."""

    entity = TunnelConfiguration
    type_name = "microsoft.graph.microsoftTunnelConfiguration"

    display_name: Name
    description: Text | None = None
    network: Annotated[StrictStr, _network_of(4)] | None = None
    ipv6_network: Annotated[StrictStr, _network_of(6)] | None = None
    dns_servers: tuple[Annotated[StrictStr, AfterValidator(_address)], ...] = ()
    default_domain_suffix: Domain | None = None
    route_includes: tuple[Route, ...] = ()
    route_excludes: tuple[Route, ...] = ()
    routes_include: tuple[Route, ...] = ()
    routes_exclude: tuple[Route, ...] = ()
    split_dns: tuple[Domain, ...] = ()
    listen_port: Annotated[StrictInt, Field(ge=1, le=65535)] = 443
    disable_udp_connections: StrictBool = False
    advanced_settings: tuple[SettingBody, ...] = ()
    role_scope_tag_ids: tuple[StrictStr, ...] = ("0",)

    @classmethod
    def superseded(cls, changes: Mapping[str, Any]) -> set[str]:
        """The other name of a route property that is written."""
        return {name for pair in _ROUTE_PAIRS if not changes.keys().isdisjoint(pair) for name in pair}

    @model_validator(mode="before")
    @classmethod
    def _both_route_names(cls, data: Any) -> Any:
        filled = dict(data)
        for new, old in _ROUTE_PAIRS:
            values = [filled[name] for name in (new, old) if name in filled]
            if len(values) > 1 and values[0] != values[1]:
                raise ValueError(f"{new} and {old} are two names of one property and differ")
            if values:
                filled[new] = filled[old] = values[0]
        return filled

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if len(self.route_includes) + len(self.route_excludes) > MAX_SPLIT_RULES:
            raise ValueError(f"at most {MAX_SPLIT_RULES} split tunneling rules are allowed")
        names = [setting.name for setting in self.advanced_settings]
        if len(set(names)) < len(names):
            raise ValueError("an advanced setting is given twice")
        return self


class Reference(Part):
    """A reference to an entity that exists: {"id": …}."""

    id: Guid


class SiteBody(Body):
    """microsoftTunnelSite; the configuration is referred to by a nested id or by `@odata.bind`."""

    entity = TunnelSite
    type_name = "microsoft.graph.microsoftTunnelSite"

    display_name: Name
    description: Text | None = None
    public_address: PublicAddress
    internal_network_probe_url: Annotated[StrictStr, AfterValidator(_web_address)] | None = None
    upgrade_automatically: StrictBool = False
    upgrade_window_start_time: time | None = None
    upgrade_window_end_time: time | None = None
    upgrade_window_utc_offset_in_minutes: Annotated[StrictInt, Field(ge=-840, le=840)] | None = None
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
    def _window_is_an_hour(self) -> Self:
        start, end = self.upgrade_window_start_time, self.upgrade_window_end_time
        if (start is None) != (end is None):
            raise ValueError("an upgrade window needs a start and an end")
        if start and end and (_minutes(end) - _minutes(start)) % _MINUTES_PER_DAY < _MIN_WINDOW_MINUTES:
            raise ValueError("an upgrade window must be at least one hour long")
        return self

    def properties(self) -> dict[str, Any]:
        """Return all properties, without the reference to the configuration."""
        reference = {"microsoft_tunnel_configuration", "configuration_bind"}
        return self.model_dump(mode="json", by_alias=True, exclude=reference)


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


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

    @model_validator(mode="after")
    def _like_mst_admin(self) -> Self:
        wish = ThresholdObject(
            metric=self.id or "", healthy=self.healthy_threshold, unhealthy=self.unhealthy_threshold
        )
        for finding in judge_threshold(wish) if self.id else ():
            raise ValueError(finding.message)
        return self


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
