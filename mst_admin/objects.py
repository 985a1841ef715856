"""What an administrator declares: the objects of a tenant as they are written in YAML or by options.

The names of keys are those of Graph's properties in snake_case. Types are judged here, values in `rules`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt

from mst_admin.apps.app_objects import StoreAppObject
from mst_admin.apps.mam_objects import MamObject
from mst_admin.apps.objects import AppConfigurationObject
from mst_admin.profiles.objects import ProfileObject, TrustedRootObject
from mstunnel_setup.answers.values import Line, Part
from mstunnel_setup.base.text import text

DEFAULT_SCOPE_TAGS = ("0",)
"""The default scope tag (docs/reference/mst-admin.md)."""

_LONGEST_TEXT = 1500


def _prose(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"must be at most {_LONGEST_TEXT} characters long: shorten it")
    return text


Prose = Annotated[str, AfterValidator(_prose)]


class Trimmed(Part):
    """A section whose texts lose the spaces around them."""

    model_config = ConfigDict(str_strip_whitespace=True)


class ConfigurationObject(Trimmed):
    """A server configuration: settings that the servers of all its sites share."""

    name: Line = Field(description="Name", examples=["Main"])
    description: Prose = Field(default="", description="Description")
    network: str = Field(
        description="IP address range: IPv4 network that devices get their addresses from (CIDR)",
        examples=["169.254.0.0/16"],
    )
    ipv6_network: str = Field(default="", description="IPv6 network for devices (CIDR)")
    dns_servers: tuple[str, ...] = Field(default=(), description="DNS servers, by address")
    default_domain_suffix: str = Field(default="", description="DNS suffix search: one domain")
    split_dns: tuple[str, ...] = Field(default=(), description="Domains to look up with the DNS servers only")
    route_includes: tuple[str, ...] = Field(
        default=(), description="IP ranges to include (CIDR); none: all traffic goes through the tunnel"
    )
    route_excludes: tuple[str, ...] = Field(default=(), description="IP ranges to exclude (CIDR)")
    listen_port: StrictInt = Field(default=443, description="Server port, TCP and UDP")
    disable_udp_connections: StrictBool = Field(default=False, description="Disable UDP connections (DTLS)")
    session_timeout: StrictInt | None = Field(
        default=None, description="Seconds until a session ends; 3600 when it is not set"
    )
    advanced_settings: dict[str, str] = Field(
        default_factory=dict, description="Further settings by their ocserv names"
    )
    role_scope_tag_ids: tuple[str, ...] = Field(default=DEFAULT_SCOPE_TAGS, description="Ids of scope tags")


class WindowObject(Trimmed):
    """When the upgrade of a site may begin. The tenant keeps the offset of the time zone, not its name."""

    start: str = Field(description="Earliest start, HH:MM", examples=["22:00"])
    end: str = Field(description=text("Latest start, HH:MM, at least one hour later"), examples=["04:00"])
    time_zone: str | None = Field(default=None, description="IANA time zone", examples=["Europe/Berlin"])
    utc_offset_minutes: StrictInt | None = Field(
        default=None, description="Instead of a time zone: minutes that local time is ahead of UTC"
    )


class SiteObject(Trimmed):
    """A site: servers with one public address and one server configuration."""

    name: Line = Field(description="Name", examples=["Berlin"])
    description: Prose = Field(default="", description="Description")
    public_address: str = Field(
        description="Public IP address or FQDN that devices connect to", examples=["gateway.contoso.com"]
    )
    configuration: Line = Field(description="Name or id of the server configuration", examples=["Main"])
    internal_network_probe_url: str = Field(
        default="", description="URL for internal network access check (http or https)"
    )
    upgrade_automatically: StrictBool = Field(
        default=True, description="Automatically upgrade servers at this site"
    )
    upgrade_window: WindowObject | None = Field(
        default=None, description="Limit server upgrades to a maintenance window"
    )
    role_scope_tag_ids: tuple[str, ...] = Field(default=DEFAULT_SCOPE_TAGS, description="Ids of scope tags")


class ServerObject(Trimmed):
    """What an administrator may change of a server."""

    name: Line = Field(description="Name")


class ThresholdObject(Part):
    """Where a health metric turns healthy and unhealthy, in the metric's own unit."""

    metric: Line = Field(description="Name of the metric")
    healthy: StrictInt = Field(ge=0, description="Healthy up to (or, for free space, from) this value")
    unhealthy: StrictInt = Field(ge=0, description="Unhealthy from (or, for free space, below) this value")


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
