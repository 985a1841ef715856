"""Graph below /deviceManagement: server configurations, sites, health thresholds.

Bodies check types and the wire format; the rules of mst-admin check the values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from ipaddress import ip_interface
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr, model_validator
from starlette.requests import Request
from starlette.responses import Response

from mst_admin.metrics import ThresholdObject, judge_threshold
from mst_admin.objects.configuration import SESSION_TIMEOUT, configuration_object, judge_configuration
from mst_admin.objects.site import judge_site, site_object
from mstunnel_lab.entra.permissions import (
    AccessRule,
    may_create_tunnel,
    may_delete_tunnel,
    may_read_tunnel,
    may_update_tunnel,
)
from mstunnel_lab.errors import bad_request, conflict
from mstunnel_lab.graph.bodies import Body, BodyPart, Name, ReferenceBody, Text, Texts, judge
from mstunnel_lab.graph.entities import Entities, Found
from mstunnel_lab.graph.http import NO_CONTENT, admitted, caller_of
from mstunnel_lab.health import MetricName
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import HealthStatus, HealthThreshold, TunnelConfiguration, TunnelSite

_ROUTE_PAIRS: Final = (("routeIncludes", "routesInclude"), ("routeExcludes", "routesExclude"))
# This rule is of our gateways: Intune cannot know which settings they pass on to ocserv.
_OF_THE_GATEWAY: Final = "advanced-setting-invalid"
DEFAULT_THRESHOLDS: Final = tuple(
    HealthThreshold(
        id=metric,
        healthy_threshold=healthy,
        unhealthy_threshold=unhealthy,
        default_healthy_threshold=healthy,
        default_unhealthy_threshold=unhealthy,
    )
    for metric, healthy, unhealthy in (
        ("cpuUsage", 50, 75),
        ("memoryUsage", 50, 75),
        ("diskSpace", 5, 3),
        ("latency", 10, 20),
    )
)
"""The thresholds of a new tenant, from the vendor's description: percent, percent, GB, milliseconds.

The names are the lab's own: no public source has those of Intune.
"""


def _unpadded(value: str) -> str:
    if value != value.strip():
        raise ValueError("must not have blanks around it")
    return value


def _without_host_bits(value: str) -> str:
    """Refuse an address within a network; the rules report anything that is not a network."""
    try:
        found = ip_interface(value)
    except ValueError:
        return value
    if found.ip != found.network.network_address:
        raise ValueError("has host bits set")
    return value


Value = Annotated[StrictStr, AfterValidator(_unpadded)]
Network = Annotated[Value, AfterValidator(_without_host_bits)]


class SettingBody(BodyPart):
    """The name and value of an advanced setting."""

    name: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    value: Annotated[StrictStr, Field(min_length=1, pattern=r"^[^\r\n]*$")]

    @model_validator(mode="after")
    def _timeout_is_seconds(self) -> Self:
        if self.name == SESSION_TIMEOUT and whole_number(self.value, 10) is None:
            raise ValueError(f"{SESSION_TIMEOUT} must be a number of seconds")
        return self


class ConfigurationBody(Body, entity=TunnelConfiguration, name="microsoftTunnelConfiguration"):
    """The body of a microsoftTunnelConfiguration."""

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
    role_scope_tag_ids: Texts = ("0",)

    @classmethod
    def superseded(cls, changes: Mapping[str, object]) -> set[str]:
        """Return the other name of a route property that is written."""
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
        """Return the findings of the rules for server configurations."""
        written = configuration_object(TunnelConfiguration.from_wire(self.document()))
        return (item for item in judge_configuration(written) if item.fatal and item.code != _OF_THE_GATEWAY)


class SiteBody(Body, entity=TunnelSite, name="microsoftTunnelSite"):
    """The body of a microsoftTunnelSite; a nested id or `@odata.bind` refers to the configuration."""

    display_name: Name
    description: Text | None = None
    public_address: Value
    internal_network_probe_url: Value | None = None
    upgrade_automatically: StrictBool = False
    upgrade_window_start_time: time | None = None
    upgrade_window_end_time: time | None = None
    upgrade_window_utc_offset_in_minutes: Annotated[StrictInt, Field(gt=-1440, lt=1440)] | None = None
    role_scope_tag_ids: Texts = ("0",)
    microsoft_tunnel_configuration: ReferenceBody | None = None
    configuration_bind: Annotated[
        StrictStr | None,
        Field(
            alias="microsoftTunnelConfiguration@odata.bind",
            pattern=r"/deviceManagement/microsoftTunnelConfigurations(/[0-9a-fA-F-]{36}|\('[0-9a-fA-F-]{36}'\))$",
        ),
    ] = None

    @property
    def configuration_id(self) -> str:
        """The id of the server configuration to which the body refers, or ""."""
        if self.microsoft_tunnel_configuration:
            return self.microsoft_tunnel_configuration.id
        return (self.configuration_bind or "").strip("')")[-36:]

    @model_validator(mode="after")
    def _window_has_both_ends(self) -> Self:
        if (self.upgrade_window_start_time is None) != (self.upgrade_window_end_time is None):
            raise ValueError("an upgrade window needs a start and an end")
        return self

    def findings(self) -> Iterable[Finding]:
        """Return the findings of the rules for sites."""
        written = site_object(TunnelSite.from_wire(self.document()))
        return (item for item in judge_site(written) if item.fatal)

    def document(self) -> JsonObject:
        """Return all properties, without the reference to the configuration."""
        reference = {"microsoft_tunnel_configuration", "configuration_bind"}
        return self.model_dump(mode="json", by_alias=True, exclude=reference)


class ThresholdBody(Body, entity=HealthThreshold, name="microsoftTunnelHealthThreshold"):
    """The body of a microsoftTunnelHealthThreshold; only a new one has the metric's name as `id`."""

    id: MetricName | None = None
    healthy_threshold: Annotated[StrictInt, Field(ge=0)]
    unhealthy_threshold: Annotated[StrictInt, Field(ge=0)]

    def findings(self) -> Iterable[Finding]:
        """Return the findings of the rules for thresholds, including an unknown metric."""
        if not self.id:
            return ()
        healthy, unhealthy = self.healthy_threshold, self.unhealthy_threshold
        return judge_threshold(ThresholdObject(metric=self.id, healthy=healthy, unhealthy=unhealthy))


def server_document(lab: Lab, server: ServerRecord) -> JsonObject:
    """Return a server as Graph shows it: offline without a recent check-in."""
    return server.model_copy(update={"tunnel_server_health_status": status_of(lab, server)}).public()


def status_of(lab: Lab, server: ServerRecord) -> HealthStatus:
    """Return the health of a server as of now."""
    oldest = datetime.now(UTC) - timedelta(seconds=lab.tenant.offline_after)
    seen = server.last_checkin_date_time
    if seen is not None and seen < oldest:
        return HealthStatus.OFFLINE
    return server.tunnel_server_health_status or HealthStatus.UNKNOWN


@dataclass(frozen=True)
class TunnelEntities(Entities[Found]):
    """Entities in the permission group Microsoft Tunnel Gateway of custom roles."""

    may_read: AccessRule = may_read_tunnel
    may_write: AccessRule = may_update_tunnel
    may_create: AccessRule | None = may_create_tunnel
    may_delete: AccessRule | None = may_delete_tunnel


@dataclass(frozen=True)
class _Configurations(TunnelEntities[TunnelConfiguration]):
    def state(self, _lab: Lab, body: Body, known: JsonObject) -> TunnelConfiguration:
        return new_configuration(body, str(known["id"]))

    def remove(self, lab: Lab, found: TunnelConfiguration) -> None:
        """Remove a configuration; raises `GraphError` 409 if a site uses it."""
        for site in lab.store.each(SiteRecord):
            if site.configuration_id == found.id:
                message = text(
                    "The server configuration is used by the site '{site}'.", site=site.display_name
                )
                raise conflict(message)
        super().remove(lab, found)


def new_configuration(body: Body, identifier: str) -> TunnelConfiguration:
    """Return the state of a configuration after a body was written."""
    now = datetime.now(UTC).isoformat()
    return TunnelConfiguration.from_wire({"id": identifier, "lastUpdateDateTime": now, **body.document()})


@dataclass(frozen=True)
class _Sites(TunnelEntities[SiteRecord]):
    def document(self, lab: Lab, found: SiteRecord, expand: frozenset[str] = frozenset()) -> JsonObject:
        """Return a site; expanded servers are one page with a link to the next (OData JSON 4.5.5)."""
        shown = found.public()
        if "microsoftTunnelConfiguration" in expand:
            used = lab.store.get(TunnelConfiguration, found.configuration_id)
            shown["microsoftTunnelConfiguration"] = used.document() if used else None
        if "microsoftTunnelServers" in expand:
            size, name = lab.tenant.page_size, "microsoftTunnelServers"
            servers = lab.store.each(ServerRecord, parent=found.id)
            shown[name] = [server_document(lab, server) for server in servers[:size]]
            if len(servers) > size:
                address = f"{lab.urls.graph}/beta/{self.context()}/{found.id}/{name}"
                shown[f"{name}@odata.nextLink"] = f"{address}?$skiptoken={size}"
        return shown

    def state(self, lab: Lab, body: Body, known: JsonObject) -> SiteRecord:
        """Return the state after a body was written; raises `GraphError` 400 without a configuration."""
        named = body.configuration_id if isinstance(body, SiteBody) else ""
        wanted = named or str(known.get("configurationId", ""))
        if not wanted or lab.store.get(TunnelConfiguration, wanted) is None:
            message = f"The site needs a server configuration that exists, not '{wanted}'."
            raise bad_request(message)
        return new_site(body, known, wanted)

    def remove(self, lab: Lab, found: SiteRecord) -> None:
        """Remove a site; raises `GraphError` 409 if it has servers."""
        if lab.store.each(ServerRecord, parent=found.id):
            raise conflict("The site has servers; remove them first.")
        super().remove(lab, found)


def new_site(body: Body, known: JsonObject, configuration_id: str) -> SiteRecord:
    """Return the state of a site after a body was written; `known` is its previous state."""
    reference = {"configurationId": configuration_id}
    return SiteRecord.from_wire({"upgradeAvailable": False, **known, **body.document(), **reference})


@dataclass(frozen=True)
class _Thresholds(TunnelEntities[HealthThreshold]):
    def create(self, lab: Lab, document: object) -> HealthThreshold:
        body = judge(ThresholdBody, document)
        if body.id is None or lab.store.get(HealthThreshold, body.id):
            raise conflict("A new threshold needs the id of a metric that has none.")
        created = HealthThreshold.from_wire(body.document())
        lab.store.add(created)
        return created

    def state(self, _lab: Lab, body: Body, known: JsonObject) -> HealthThreshold:
        changed = HealthThreshold.from_wire(known | body.document())
        if changed.id != known["id"]:
            raise bad_request("The property 'id' is read-only and cannot be set.")
        return changed


CONFIGURATIONS: Final = _Configurations(
    "microsoftTunnelConfigurations", TunnelConfiguration, (ConfigurationBody,)
)
SITES: Final = _Sites(
    "microsoftTunnelSites",
    SiteRecord,
    (SiteBody,),
    navigation=("microsoftTunnelConfiguration", "microsoftTunnelServers"),
)
THRESHOLDS: Final = _Thresholds("microsoftTunnelHealthThresholds", HealthThreshold, (ThresholdBody,))


async def site_configuration(request: Request) -> Response:
    """Read, change or delete the server configuration of a site, which other sites may share."""
    caller_of(request)
    return await CONFIGURATIONS.answer(request, SITES.named_in(request).configuration_id)


async def answer_upgrade(request: Request) -> Response:
    """Request an upgrade of a site's servers."""
    lab, _ = admitted(request, may_update_tunnel)
    found = SITES.named_in(request)
    if await request.body():
        raise bad_request("The action requestUpgrade takes no body.")
    request_upgrade(lab, found)
    return Response(status_code=NO_CONTENT)


def request_upgrade(lab: Lab, found: SiteRecord) -> None:
    """Note when the servers of a site were asked to upgrade; only the admin center shows it."""
    lab.store.replace(found.model_copy(update={"upgrade_requested": datetime.now(UTC)}))


ROUTES = [
    *CONFIGURATIONS.routes,
    *SITES.routes,
    *THRESHOLDS.routes,
    SITES.below("requestUpgrade", answer_upgrade, "POST"),
    SITES.below("microsoftTunnelConfiguration", site_configuration, "GET", "PATCH", "DELETE"),
]
