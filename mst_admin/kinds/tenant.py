"""A tenant as it is declared, as it is, and what is planned to make one of the other."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field

from mst_admin.change import Change
from mst_admin.errors import NAME_AMBIGUOUS
from mst_admin.metrics import ThresholdObject
from mst_admin.objects.app import PresentApp, StoreAppObject
from mst_admin.objects.app_configuration import (
    AppConfigurationObject,
    PresentAppConfiguration,
    is_about_tunnel,
)
from mst_admin.objects.configuration import ConfigurationObject
from mst_admin.objects.mam import MamObject, PresentMam, PresentProtection, find_mam
from mst_admin.objects.parts import Trimmed
from mst_admin.objects.profile import ProfileObject, TrustedRootObject
from mst_admin.objects.profile_wire import PresentProfile, server_address
from mst_admin.objects.site import SiteObject
from mstunnel_setup.gateway.configuration import DEFAULT_PORT
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelSite
from mstunnel_setup.tenant.wire_apps import MobileApp


class Declarations(Trimmed):
    """Objects of a tenant, as one file declares them."""

    version: Literal[1] = Field(description="Version of this format")
    corporate_networks: tuple[str, ...] = Field(
        default=(), description="Your own networks (CIDR), which address ranges for devices must not overlap"
    )
    configurations: tuple[ConfigurationObject, ...] = Field(default=(), description="Server configurations")
    sites: tuple[SiteObject, ...] = Field(default=(), description="Sites")
    thresholds: tuple[ThresholdObject, ...] = Field(default=(), description="Health thresholds")
    trusted_roots: tuple[TrustedRootObject, ...] = Field(
        default=(), description="Trusted root profiles that do not go with a VPN profile"
    )
    profiles: tuple[ProfileObject, ...] = Field(default=(), description="VPN profiles")
    apps: tuple[StoreAppObject, ...] = Field(default=(), description="Apps and their assignments")
    app_configurations: tuple[AppConfigurationObject, ...] = Field(
        default=(), description="App configurations"
    )
    mam: tuple[MamObject, ...] = Field(default=(), description="Tunnel for MAM")

    def has_split_rules(self, site: str) -> bool | None:
        """Whether the site of this name has split tunnelling rules; None when it is not declared here."""
        used = {item.name.casefold(): item.configuration.casefold() for item in self.sites}
        for item in self.configurations:
            if item.name.casefold() == used.get(site.casefold()):
                return bool(item.route_includes or item.route_excludes)
        return None


@dataclass(frozen=True)
class TenantObjects:
    """What the tenant has; what stands after the thresholds is there only when it was requested.

    Among the profiles are trusted roots. `mobile_apps` are all apps, `apps` those with their assignments that
    declarations are about.
    """

    configurations: tuple[TunnelConfiguration, ...] = ()
    sites: tuple[TunnelSite, ...] = ()
    thresholds: tuple[HealthThreshold, ...] = ()
    profiles: tuple[PresentProfile, ...] = ()
    mobile_apps: tuple[MobileApp, ...] = ()
    apps: tuple[PresentApp, ...] = ()
    app_configurations: tuple[PresentAppConfiguration, ...] = ()
    protections: tuple[PresentProtection, ...] = ()

    @property
    def mam(self) -> list[PresentMam]:
        """What Tunnel for MAM consists of among the policies."""
        sites = {site.id: site.display_name for site in self.sites}
        return list(find_mam(self.app_configurations, self.protections, sites))

    @property
    def tunnel_profiles(self) -> list[PresentProfile]:
        """The VPN profiles for Microsoft Tunnel."""
        return [item for item in self.profiles if item.is_tunnel]

    @property
    def tunnel_configurations(self) -> list[PresentAppConfiguration]:
        """The app configurations about the tunnel that are not a part of Tunnel for MAM."""
        of_mam = {item.id for mam in self.mam for item in (mam.tunnel, mam.edge) if item is not None}
        return [item for item in self.app_configurations if is_about_tunnel(item) and item.id not in of_mam]


class SiteAddress(NamedTuple):
    """A site, and where devices find it; it has no id while it is still to be created."""

    name: str
    site_id: str
    address: str


@dataclass
class Planning:
    """A plan while it is made: `declared` is what the tenant is to have, `changes` are those so far."""

    declared: Declarations
    tenant: TenantObjects
    now: datetime
    deletions: list[Change] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def deleted(self) -> set[str]:
        """The ids of what will not stay."""
        return {change.identifier for change in self.deletions}

    def site(self, wanted: str) -> SiteAddress | None:
        """Where the site with this name or id is, or will be. Raises TenantError `name-ambiguous`."""
        key, deleted = wanted.casefold(), self.deleted
        staying = [site for site in self.tenant.sites if site.id not in deleted]
        found = [site for site in staying if site.id == key] or [
            site for site in staying if site.display_name.casefold() == key
        ]
        if len(found) > 1:
            ids = ", ".join(site.id for site in found)
            raise NAME_AMBIGUOUS(count=len(found), kind="site", name=wanted, ids=ids)
        present = found[0] if found else None
        name = present.display_name.casefold() if present else key
        planned = next((site for site in self.declared.sites if site.name.casefold() == name), None)
        if planned is not None:
            address = server_address(planned.public_address, self._port(planned.configuration))
            return SiteAddress(planned.name, present.id if present else "", address)
        if present is None:
            return None
        configuration = present.microsoft_tunnel_configuration
        port = (configuration.listen_port if configuration else None) or DEFAULT_PORT
        return SiteAddress(
            present.display_name, present.id, server_address(present.public_address or "", port)
        )

    def _port(self, configuration: str) -> int:
        """The port of a server configuration by its name or id, as it will be."""
        wanted = configuration.casefold()
        present = self.tenant.configurations
        found = next((item for item in present if wanted in {item.id, item.display_name.casefold()}), None)
        name = found.display_name.casefold() if found else wanted
        for item in self.declared.configurations:
            if item.name.casefold() == name:
                return item.listen_port
        return (found.listen_port if found else None) or DEFAULT_PORT


def names_of(
    objects: Iterable[ConfigurationObject | SiteObject | ProfileObject | AppConfigurationObject | MamObject],
) -> set[str]:
    """The names of declared objects, compared as Graph does: without regard to case."""
    return {item.name.casefold() for item in objects}
