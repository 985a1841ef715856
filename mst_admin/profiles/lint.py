"""What is wrong with a VPN profile that is in the tenant already, no matter what created it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mst_admin.profiles import findings
from mst_admin.profiles.objects import ConnectionType, ProfileObject
from mst_admin.profiles.present import addresses_of, extra, is_tunnel_profile, profile_object
from mst_admin.profiles.rules import judge_profile
from mst_admin.profiles.wire import server_address
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.problem import Severity
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, TunnelSite


def lint(
    found: DeviceConfiguration, site: TunnelSite | None, assignments: Sequence[DeviceConfigurationAssignment]
) -> tuple[Finding, ...]:
    """All findings about a profile; `site` is the one that it names, None: there is none."""
    profile = profile_object(found, assignments)
    declared = profile.model_copy(update={"connection_type": None})  # what is there is judged here
    judged = judge_profile(declared, split_rules=split_rules(site) if site else None)
    return (*_connection(found, profile), *_site(found, site), *judged)


def split_rules(site: TunnelSite) -> bool | None:
    """Whether the server configuration of a site has split tunnelling rules; None when it was not read."""
    configuration = site.microsoft_tunnel_configuration
    return bool(configuration.includes or configuration.excludes) if configuration else None


def _connection(found: DeviceConfiguration, profile: ProfileObject) -> Iterator[Finding]:
    if not is_tunnel_profile(found):
        yield findings.NOT_A_TUNNEL_PROFILE(connection=extra(found).get("connectionType"))
    elif profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield replace(
            findings.RETIRED_CLIENT(connection="microsoftTunnel"), key="connection", severity=Severity.ERROR
        )


def _site(found: DeviceConfiguration, site: TunnelSite | None) -> Iterator[Finding]:
    wire = extra(found)
    if site is None:
        yield findings.SITE_MISSING(site=wire.get("microsoftTunnelSiteId") or "none")
        return
    addresses = addresses_of(found)
    configuration = site.microsoft_tunnel_configuration
    port = (configuration.listen_port if configuration else None) or 443
    wanted = server_address(site.public_address or "", port)
    if [content.casefold() for content in addresses] != [wanted.casefold()]:
        yield findings.SERVER_ADDRESS_DIFFERS(
            servers=", ".join(addresses) or text("no server"), address=wanted
        )
