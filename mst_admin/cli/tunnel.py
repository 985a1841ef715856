"""`mst-admin config`, `site`, `server`, `threshold`: the objects that every tunnel needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import typer

from mst_admin.change import Body, Wire
from mst_admin.change_options import ChangeOptions
from mst_admin.cli.objects import object_group, option_group
from mst_admin.object_options import ObjectOptions
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import plain
from mstunnel_setup.cli.framework.command import App, Work, taking
from mstunnel_setup.cli.framework.options import SignInOptions, Yes, settings_of

_One: TypeAlias = str | None
_Many: TypeAlias = list[str] | None


def _one(name: str, metavar: str, about: str) -> Any:
    return typer.Option(name, metavar=metavar, help=about)


def _many(name: str, metavar: str, about: str) -> Any:
    return typer.Option(name, metavar=metavar, help=f"{about} Repeat it; '' alone clears the list.")


@dataclass(frozen=True)
class ConfigurationOptions(ObjectOptions):
    """Options for the properties of a server configuration; omitted ones keep their value or default."""

    NAMES: ClassVar = {"advanced_settings.": "--advanced ", "corporate_networks": "--corporate-network"}
    APART: ClassVar = frozenset({"corporate_network"})

    description: Annotated[_One, typer.Option("--description", help="Description.")] = None
    network: Annotated[_One, _one("--network", "CIDR", "IPv4 addresses for devices.")] = None
    ipv6_network: Annotated[_One, _one("--ipv6-network", "CIDR", "IPv6 addresses for devices.")] = None
    dns_servers: Annotated[_Many, _many("--dns-server", "ADDRESS", "DNS server for devices.")] = None
    default_domain_suffix: Annotated[_One, _one("--dns-suffix", "DOMAIN", "Default domain of devices.")] = (
        None
    )
    split_dns: Annotated[_Many, _many("--split-dns", "DOMAIN", "Domain to look up through the tunnel.")] = (
        None
    )
    route_includes: Annotated[_Many, _many("--include", "CIDR", "IP range to route through the tunnel.")] = (
        None
    )
    route_excludes: Annotated[_Many, _many("--exclude", "CIDR", "IP range to keep out of the tunnel.")] = None
    listen_port: Annotated[int | None, typer.Option("--port", help="Server port, TCP and UDP.")] = None
    disable_udp_connections: Annotated[
        bool | None, typer.Option("--udp-off/--udp-on", help="Disable UDP connections.")
    ] = None
    session_timeout: Annotated[int | None, _one("--session-timeout", "SECONDS", "Length of a session.")] = (
        None
    )
    advanced_settings: Annotated[
        _Many, _many("--advanced", "NAME=VALUE", "Further setting, by its ocserv name.")
    ] = None
    corporate_network: Annotated[
        _Many, _one("--corporate-network", "CIDR", "One of your networks, to check for overlap.")
    ] = None

    def networks(self) -> list[str]:
        """Return the administrator's networks for the overlap check."""
        return [text.strip() for text in self.corporate_network or ()]

    def given(self, present: Wire) -> Body:
        """Return the values of the given options by declaration key."""
        found = super().given(present)
        if "advanced_settings" in found:
            pairs = (text.partition("=") for text in found["advanced_settings"])
            found["advanced_settings"] = {
                name.strip(): value.strip() for name, equals, value in pairs if equals
            }
        return found

    def malformed(self) -> Iterator[Finding]:
        """Return findings about values that cannot be parsed."""
        for text in filter(None, self.advanced_settings or ()):
            if "=" not in text:
                yield finding(
                    "advanced_settings",
                    "setting-malformed",
                    "--advanced {text} has no value",
                    hint="Write NAME=VALUE.",
                    text=text[:80],
                )


@dataclass(frozen=True)
class SiteOptions(ObjectOptions):
    """Options for the properties of a site; omitted ones keep their value or default."""

    NAMES: ClassVar = {
        "upgrade_window.time_zone": "--time-zone",
        "upgrade_window.start": "--window",
        "upgrade_window.end": "--window",
        "upgrade_window.{name}": "--window",
        "upgrade_window": "--window",
    }
    APART: ClassVar = frozenset({"window", "time_zone", "resolve"})

    description: Annotated[_One, typer.Option("--description", help="Description.")] = None
    public_address: Annotated[_One, _one("--public-address", "NAME_OR_IP", "Public IP address or FQDN.")] = (
        None
    )
    configuration: Annotated[_One, _one("--configuration", "NAME_OR_ID", "The server configuration.")] = None
    internal_network_probe_url: Annotated[
        _One, _one("--probe-url", "URL", "Internal page that servers probe.")
    ] = None
    upgrade_automatically: Annotated[
        bool | None, typer.Option("--auto-upgrade/--manual-upgrade", help="Upgrade without approval.")
    ] = None
    window: Annotated[_One, _one("--window", "HH:MM-HH:MM", "When upgrades may start; '' for any time.")] = (
        None
    )
    time_zone: Annotated[_One, _one("--time-zone", "ZONE", "IANA time zone of --window.")] = None
    resolve: Annotated[bool, typer.Option("--resolve/--no-resolve", help="Look up the public address.")] = (
        True
    )

    def given(self, present: Wire) -> Body:
        """Return the values of the given options by declaration key; `present` has the site's current values.

        If only the times or only the zone of the maintenance window is given, the other is kept. Raises
        UsageError `window-missing`, `window-unclear`.
        """
        found = super().given(present)
        if self.window == "":
            return {**found, "upgrade_window": None}
        if self.window is None and self.time_zone is None:
            return found
        there = present.get("upgrade_window") or {}
        if self.window is None and not there:
            raise UsageError(
                "window-missing",
                "--time-zone is given, but the site has no maintenance window",
                hint="Add --window HH:MM-HH:MM.",
            )
        start, dash, end = (self.window or "").partition("-")
        if self.window and not dash:
            raise UsageError(
                "window-unclear",
                "invalid --window {value}: expected HH:MM-HH:MM",
                hint="Write both, such as 22:00-04:00.",
                value=plain(self.window, 40),
            )
        times = {"start": start.strip(), "end": end.strip()} if self.window else {}
        zone = {"time_zone": self.time_zone, "utc_offset_minutes": None} if self.time_zone else {}
        return {**found, "upgrade_window": {**there, **times, **zone}}


config_app = option_group(
    "config",
    ConfigurationOptions,
    "server configurations",
    "server configuration",
    "that no site uses",
)
site_app = option_group("site", SiteOptions, "sites", "site", "that has no servers")


@site_app.command(cls=taking(ChangeOptions))
def request_upgrade(
    context: typer.Context,
    wanted: Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The site.")],
    yes: Yes = False,
) -> Work:
    """Approve the upgrade of a site's servers, one after the other; this cannot be undone."""
    from mst_admin.kinds import tunnel

    return lambda operator: tunnel.request_upgrade(
        operator, settings_of(context, ChangeOptions), wanted, yes=yes
    )


_METRIC = typer.Argument(metavar="METRIC", help="Name of the metric, as `list` shows it.")
Metric = Annotated[str, _METRIC]


def _create_thresholds(
    context: typer.Context,
    metric: Metric,
    healthy: Annotated[int, typer.Option("--healthy", help="Healthy up to this value.")],
    unhealthy: Annotated[int, typer.Option("--unhealthy", help="Unhealthy from this value.")],
) -> Work:
    from mst_admin.kinds import tunnel

    values = healthy, unhealthy
    return lambda operator: tunnel.set_threshold(
        operator, settings_of(context, ChangeOptions), metric, values, new=True
    )


def _update_thresholds(
    context: typer.Context,
    metric: Metric,
    healthy: Annotated[int | None, typer.Option("--healthy", help="Healthy up to this value.")] = None,
    unhealthy: Annotated[int | None, typer.Option("--unhealthy", help="Unhealthy from this value.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Reset to the default of the service.")] = False,
) -> Work:
    from mst_admin.kinds import tunnel

    values = healthy, unhealthy
    return lambda operator: tunnel.set_threshold(
        operator, settings_of(context, ChangeOptions), metric, values, default=default
    )


threshold_app = object_group(
    "threshold",
    {
        "list": "List the thresholds of all metrics.",
        "show": "Show the thresholds of a metric.",
        "create": "Set the thresholds of a metric that has none.",
        "update": "Change the thresholds of a metric.",
        "delete": "Delete the thresholds of a metric.",
    },
    _METRIC,
    _create_thresholds,
    _update_thresholds,
)

server_app = App()
Site = Annotated[str, typer.Option("--site", metavar="NAME_OR_ID", help="The site of the server.")]
OneSite = Annotated[
    str | None, typer.Option("--site", metavar="NAME_OR_ID", help="Only the servers of this site.")
]
Server = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The server.")]


@server_app.command("list", cls=taking(SignInOptions))
def list_servers(context: typer.Context, site: OneSite = None) -> Work:
    """List the servers of a site, or of all sites."""
    from mst_admin.kinds import tunnel

    return lambda operator: tunnel.list_servers(operator, settings_of(context), site)


@server_app.command("show", cls=taking(SignInOptions))
def show_server(context: typer.Context, site: Site, wanted: Server) -> Work:
    """Show one server."""
    from mst_admin.kinds import tunnel

    return lambda operator: tunnel.show_server(operator, settings_of(context), site, wanted)


@server_app.command("create")
def create_server() -> Work:
    """Explain how servers are registered."""
    from mst_admin.kinds import tunnel

    return lambda _operator: tunnel.create_server()


@server_app.command("update", cls=taking(ChangeOptions))
def update_server(
    context: typer.Context,
    site: Site,
    wanted: Server,
    name: Annotated[str, typer.Option("--name", help="New name.")],
) -> Work:
    """Rename a server in the tenant."""
    from mst_admin.kinds import tunnel

    return lambda operator: tunnel.rename_server(
        operator, settings_of(context, ChangeOptions), site, wanted, name
    )


@server_app.command("delete", cls=taking(ChangeOptions))
def delete_server(context: typer.Context, site: Site, wanted: Server, yes: Yes = False) -> Work:
    """Delete the record of a server that no longer exists; otherwise use `mst-cli uninstall` there."""
    from mst_admin.kinds import tunnel

    return lambda operator: tunnel.delete_server(
        operator, settings_of(context, ChangeOptions), site, wanted, yes=yes
    )
