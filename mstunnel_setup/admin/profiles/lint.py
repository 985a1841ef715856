"""What is wrong with a VPN profile that is in the tenant already, whatever created it."""

from collections.abc import Iterator, Sequence

from mstunnel_setup.admin.profiles.objects import ConnectionType, ProfileObject
from mstunnel_setup.admin.profiles.present import addresses_of, extra, is_tunnel_profile, profile_object
from mstunnel_setup.admin.profiles.rules import judge_profile
from mstunnel_setup.admin.profiles.wire import server_address
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, TunnelSite


def lint(
    found: DeviceConfiguration, site: TunnelSite | None, assignments: Sequence[DeviceConfigurationAssignment]
) -> tuple[Finding, ...]:
    """Everything there is to say about a profile; `site` is the one that it names, None: there is none."""
    profile = profile_object(found, assignments)
    declared = profile.model_copy(update={"connection_type": None})  # what is there is judged here
    findings = judge_profile(declared, split_rules=split_rules(site) if site else None)
    return (*_connection(found, profile), *_site(found, site), *findings)


def split_rules(site: TunnelSite) -> bool | None:
    """Whether the server configuration of a site has split tunnelling rules; None when it was not read."""
    configuration = site.microsoft_tunnel_configuration
    return bool(configuration.includes or configuration.excludes) if configuration else None


def _connection(found: DeviceConfiguration, profile: ProfileObject) -> Iterator[Finding]:
    if not is_tunnel_profile(found):
        message = f"the connection type is {extra(found).get('connectionType')}, not Microsoft Tunnel"
        yield Finding("not-a-tunnel-profile", "connection", message, "Choose another profile.")
    elif profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield Finding(
            "retired-client",
            "connection",
            "on Android the connection type microsoftTunnel is the retired stand-alone client",
            "Create a new profile; the type of this one cannot be changed.",
        )


def _site(found: DeviceConfiguration, site: TunnelSite | None) -> Iterator[Finding]:
    wire = extra(found)
    if site is None:
        named = wire.get("microsoftTunnelSiteId") or "none"
        yield Finding(
            "site-missing",
            "site",
            f"the site that the profile names ({named}) does not exist",
            "Choose a site.",
        )
        return
    addresses = addresses_of(found)
    configuration = site.microsoft_tunnel_configuration
    port = (configuration.listen_port if configuration else None) or 443
    wanted = server_address(site.public_address or "", port)
    if [text.casefold() for text in addresses] != [wanted.casefold()]:
        yield Finding(
            "server-address-differs",
            "site",
            f"the profile names {', '.join(addresses) or 'no server'}, the site is at {wanted}",
            "Select the site again in the profile, or create a new profile.",
        )
