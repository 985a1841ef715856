"""The declared state of a tenant, its actual state, and the plan of changes between them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field

from mst_admin.change import Change
from mst_admin.kinds.lookup import only
from mst_admin.metrics import ThresholdObject
from mst_admin.objects.app import PresentApp, StoreAppObject, is_tunnel_app
from mst_admin.objects.app_configuration import (
    AppConfigurationObject,
    PresentAppConfiguration,
    is_about_tunnel,
)
from mst_admin.objects.configuration import ConfigurationObject
from mst_admin.objects.mam import MamObject, PresentMam, PresentProtection, find_mam, mam_object
from mst_admin.objects.parts import Trimmed
from mst_admin.objects.profile import ProfileObject, TrustedRootObject
from mst_admin.objects.profile_wire import ROOT_PLATFORMS, PresentProfile, is_root_name, server_address
from mst_admin.objects.site import SiteObject
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelSite
from mstunnel_setup.tenant.wire_intune import MobileApp


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
        """Return whether the site of this name has split tunnelling rules; None if it is not declared."""
        used = {item.name.casefold(): item.configuration.casefold() for item in self.sites}
        for item in self.configurations:
            if item.name.casefold() == used.get(site.casefold()):
                return bool(item.route_includes or item.route_excludes)
        return None


@dataclass(frozen=True)
class TenantObjects:
    """The objects of a tenant, by declaration section, as read for a plan.

    The fields after the thresholds are filled only on request. `device_configurations` has VPN profiles,
    those of Global Secure Access among them, and trusted roots, `mobile_apps` all apps, `store_apps` those
    that declarations can describe, with their assignments, `app_policies` all app configurations.
    """

    configurations: tuple[TunnelConfiguration, ...] = ()
    sites: tuple[TunnelSite, ...] = ()
    thresholds: tuple[HealthThreshold, ...] = ()
    device_configurations: tuple[PresentProfile, ...] = ()
    mobile_apps: tuple[MobileApp, ...] = ()
    store_apps: tuple[PresentApp, ...] = ()
    app_policies: tuple[PresentAppConfiguration, ...] = ()
    protections: tuple[PresentProtection, ...] = ()

    @property
    def roots(self) -> list[PresentProfile]:
        """All trusted roots."""
        return [item for item in self.device_configurations if item.found.odata_type in ROOT_PLATFORMS]

    @property
    def roots_of_mam(self) -> list[PresentProfile]:
        """The trusted roots that Tunnel for MAM names, compared without case as Graph does."""
        wanted = {name.casefold() for mam in self.mam for name in mam_object(mam).trusted_roots}
        return [item for item in self.roots if item.name.casefold() in wanted]

    @property
    def trusted_roots(self) -> list[PresentProfile]:
        """The trusted roots that Tunnel for MAM names and no VPN profile owns."""
        return [item for item in self.roots_of_mam if item.certificate and not is_root_name(item.name)]

    @property
    def profiles(self) -> list[PresentProfile]:
        """The VPN profiles for Microsoft Tunnel."""
        return [item for item in self.device_configurations if item.is_tunnel]

    @property
    def other_profiles(self) -> list[PresentProfile]:
        """The VPN profiles for iOS that turn on Global Secure Access without being for Microsoft Tunnel."""
        roots = {item.id for item in self.roots}
        return [item for item in self.device_configurations if not item.is_tunnel and item.id not in roots]

    @property
    def apps(self) -> list[PresentApp]:
        """The apps that are the tunnel's client or use it by per-app VPN."""
        return [item for item in self.store_apps if is_tunnel_app(item)]

    @property
    def app_configurations(self) -> list[PresentAppConfiguration]:
        """The app configurations about the tunnel that are not a part of Tunnel for MAM."""
        of_mam = {item.id for mam in self.mam for item in (mam.tunnel, mam.edge) if item is not None}
        return [item for item in self.app_policies if is_about_tunnel(item) and item.id not in of_mam]

    @property
    def mam(self) -> list[PresentMam]:
        """The Tunnel for MAM objects found among the policies."""
        sites = {site.id: site.display_name for site in self.sites}
        return list(find_mam(self.app_policies, self.protections, sites))


class SiteAddress(NamedTuple):
    """A site and the address at which devices reach it; the id is empty until the site is created."""

    name: str
    site_id: str
    address: str


@dataclass
class Planning:
    """A plan in progress: `declared` is the target state, `changes` has the changes planned so far."""

    declared: Declarations
    tenant: TenantObjects
    now: datetime
    deletions: list[Change] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def deleted_ids(self) -> set[str]:
        """The ids of the objects that the plan deletes."""
        return {change.identifier for change in self.deletions}

    def site(self, wanted: str) -> SiteAddress | None:
        """Return the current or planned address of the site with this name or id.

        Raises TenantError `name-ambiguous`.
        """
        key, deleted = wanted.casefold(), self.deleted_ids
        staying = [site for site in self.tenant.sites if site.id not in deleted]
        found = [site for site in staying if site.id == key] or [
            site for site in staying if site.display_name.casefold() == key
        ]
        present = only(found, "site", wanted)
        name = present.display_name.casefold() if present else key
        for planned in self.declared.sites:
            if planned.name.casefold() == name:
                address = server_address(planned.public_address, self._port(planned.configuration))
                return SiteAddress(planned.name, present.id if present else "", address)
        if present is None:
            return None
        used = present.microsoft_tunnel_configuration
        address = server_address(present.public_address or "", self._port(used.id) if used else None)
        return SiteAddress(present.display_name, present.id, address)

    def _port(self, configuration: str) -> int | None:
        """Return the planned port of a server configuration, given its name or id."""
        wanted = configuration.casefold()
        present = self.tenant.configurations
        found = next((item for item in present if wanted in {item.id, item.display_name.casefold()}), None)
        name = found.display_name.casefold() if found else wanted
        for item in self.declared.configurations:
            if item.name.casefold() == name:
                return item.listen_port
        return found.listen_port if found else None


def names_of(
    objects: Iterable[ConfigurationObject | SiteObject | ProfileObject | AppConfigurationObject | MamObject],
) -> set[str]:
    """Return the names of declared objects in a form that compares without case, as Graph does."""
    return {item.name.casefold() for item in objects}
