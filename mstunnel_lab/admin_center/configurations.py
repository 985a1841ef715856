"""Admin center: server configurations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from typing_extensions import override

from mst_admin.objects.configuration import (
    ConfigurationObject,
    configuration_body,
    configuration_object,
    judge_configuration,
)
from mstunnel_lab.admin_center.forms import Field, FieldGroup, Values, empty, fields_of, shown, typed
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.sections import AdminSection, ObjectForm, Submission
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.graph.tunnel import CONFIGURATIONS
from mstunnel_lab.records import SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.tenant.wire import TunnelConfiguration

GROUPS: Final = (
    FieldGroup(
        "Basics",
        (
            Field("name", "Name", hint="Name of the server configuration.", required=True),
            Field("description", "Description (optional)", hint="What the server configuration is for."),
        ),
    ),
    FieldGroup(
        "Settings",
        (
            Field(
                "network",
                "IP address range",
                required=True,
                hint="IPv4 network for devices, such as 169.254.0.0/16. It must not overlap your networks.",
            ),
            Field("ipv6_network", "IPv6 address range (optional)", hint="Such as fd00:1::/64."),
            Field("listen_port", "Server port", "number", hint="TCP and UDP.", required=True),
            Field("dns_servers", "DNS servers", "lines", hint="One address per line."),
            Field("default_domain_suffix", "DNS suffix search (optional)", hint="One domain."),
            Field(
                "split_dns", "Domains for these DNS servers only (optional)", "lines", hint="One per line."
            ),
            Field(
                "disable_udp_connections",
                "Disable UDP connections",
                "check",
                hint="Clients connect by TCP only. First move all devices to Microsoft Defender.",
            ),
            Field("session_timeout", "Session timeout (optional)", "number", hint="Seconds; 3600 if empty."),
            Field(
                "advanced_settings", "Advanced settings (optional)", "pairs", hint="name=value, one per line."
            ),
        ),
    ),
    FieldGroup(
        "Split tunneling rules",
        (
            Field(
                "route_includes",
                "IP ranges to include",
                "lines",
                hint="One network per line, such as 10.0.0.0/8.",
            ),
            Field("route_excludes", "IP ranges to exclude", "lines", hint="At most 500 rules in total."),
        ),
    ),
)
_DEFAULTS: Final = {"network": "169.254.0.0/16", "listen_port": "443"}


@dataclass(frozen=True)
class ConfigurationForm(ObjectForm[TunnelConfiguration]):
    """The form of a server configuration."""

    entities: ClassVar[Entities[Any]] = CONFIGURATIONS

    @property
    @override
    def groups(self) -> tuple[FieldGroup, ...]:
        return GROUPS

    @property
    @override
    def present(self) -> ConfigurationObject | None:
        return configuration_object(self.found) if self.found else None

    @property
    @override
    def begin(self) -> Values:
        return shown(fields_of(GROUPS), self.present) if self.found else empty(GROUPS) | _DEFAULTS

    @property
    @override
    def details(self) -> Mapping[str, object]:
        own = self.found.id if self.found else ""
        return {"sites": [site for site in self.lab.store.each(SiteRecord) if site.configuration_id == own]}

    @override
    def declared(self, values: Values) -> ConfigurationObject:
        return ConfigurationObject.model_validate(typed(fields_of(GROUPS), values))

    @override
    def judge(self, declared: ConfigurationObject) -> tuple[Finding, ...]:
        return judge_configuration(declared)

    @override
    def submission(self, declared: ConfigurationObject) -> Submission:
        return Submission(configuration_body(declared))


def sorted_configurations(lab: Lab) -> list[TunnelConfiguration]:
    """Return all server configurations by their names."""
    return sorted(lab.store.each(TunnelConfiguration), key=lambda item: item.display_name.casefold())


SECTION: Final = AdminSection(
    tab="configurations",
    title="Server configurations",
    what="server configuration",
    columns=lambda _lab: (
        Column[TunnelConfiguration]("name", "Name", lambda item: item.display_name),
        Column[TunnelConfiguration]("network", "IP address range", lambda item: item.network or ""),
        Column[TunnelConfiguration]("port", "Server port", lambda item: str(item.listen_port)),
        Column[TunnelConfiguration]("dns", "DNS servers", lambda item: ", ".join(item.dns_servers)),
    ),
    each=sorted_configurations,
    new=lambda lab, _kind: ConfigurationForm(lab),
    open=lambda lab, identifier: ConfigurationForm(lab, found=CONFIGURATIONS.find(lab, identifier)),
    create="Create new",
    template="configuration.html",
)
