"""`mst-admin config`: server configurations."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import typer

from mst_admin.change import Body, Wire
from mst_admin.cli.objects import ObjectCommands, option_help
from mst_admin.kinds.configuration import CONFIGURATION
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.cli.framework.options import option_names


def _list_option(name: str, metavar: str, about: str) -> Any:
    return typer.Option(name, metavar=metavar, help=f"{about} Repeat it; '' alone clears the list.")


@dataclass(frozen=True)
class ConfigurationOptions:
    """Properties of a server configuration; what is not given keeps its value or its default.

    `NAMES` are options by keys that are not fields.
    """

    NAMES: ClassVar = {"advanced_settings.": "--advanced ", "corporate_networks": "--corporate-network"}

    description: Annotated[str | None, typer.Option("--description", help="Description.")] = None
    network: Annotated[
        str | None, typer.Option("--network", metavar="CIDR", help="IPv4 addresses for devices.")
    ] = None
    ipv6_network: Annotated[
        str | None, typer.Option("--ipv6-network", metavar="CIDR", help="IPv6 addresses for devices.")
    ] = None
    dns_servers: Annotated[
        list[str] | None, _list_option("--dns-server", "ADDRESS", "DNS server for devices.")
    ] = None
    default_domain_suffix: Annotated[
        str | None, typer.Option("--dns-suffix", metavar="DOMAIN", help="Default domain of devices.")
    ] = None
    split_dns: Annotated[
        list[str] | None, _list_option("--split-dns", "DOMAIN", "Domain to look up through the tunnel.")
    ] = None
    route_includes: Annotated[
        list[str] | None, _list_option("--include", "CIDR", "IP range to route through the tunnel.")
    ] = None
    route_excludes: Annotated[
        list[str] | None, _list_option("--exclude", "CIDR", "IP range to keep out of the tunnel.")
    ] = None
    listen_port: Annotated[int | None, typer.Option("--port", help="Server port, TCP and UDP.")] = None
    disable_udp_connections: Annotated[
        bool | None, typer.Option("--udp-off/--udp-on", help="Disable UDP connections.")
    ] = None
    session_timeout: Annotated[
        int | None, typer.Option("--session-timeout", metavar="SECONDS", help="Length of a session.")
    ] = None
    advanced_settings: Annotated[
        list[str] | None, _list_option("--advanced", "NAME=VALUE", "Further setting, by its ocserv name.")
    ] = None
    corporate_network: Annotated[
        list[str] | None,
        typer.Option(
            "--corporate-network", metavar="CIDR", help="One of your networks, to check for overlap."
        ),
    ] = None

    @property
    def corporate_networks(self) -> list[str]:
        """Networks of the administrator, to check for overlap."""
        return [text.strip() for text in self.corporate_network or ()]

    @property
    def resolve(self) -> bool:
        """A server configuration has no address to look up."""
        return False

    @property
    def names(self) -> dict[str, str]:
        """The option of each key of a declaration."""
        return {**option_names(type(self)), **self.NAMES}

    def given(self, _present: Wire) -> Body:
        """What was given, by the keys of a declaration."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        del values["corporate_network"]
        found = {name: value for name, value in values.items() if value is not None}
        lists: Body = {
            name: tuple(filter(None, value)) for name, value in found.items() if isinstance(value, list)
        }
        if "advanced_settings" in lists:
            pairs = (text.partition("=") for text in lists["advanced_settings"])
            lists["advanced_settings"] = {
                name.strip(): value.strip() for name, equals, value in pairs if equals
            }
        return {**found, **lists}

    def malformed(self) -> Iterator[Finding]:
        """Values that cannot be parsed."""
        for text in filter(None, self.advanced_settings or ()):
            if "=" not in text:
                yield finding(
                    "advanced_settings",
                    "setting-malformed",
                    "--advanced {text} has no value",
                    hint="Write NAME=VALUE.",
                    text=text[:80],
                )


config_app = ObjectCommands(
    CONFIGURATION,
    option_help("server configurations", "server configuration", "that no site uses"),
    wanted="The server configuration.",
    options=ConfigurationOptions,
).app()
