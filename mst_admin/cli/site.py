"""`mst-admin site`: sites."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from mst_admin.change import Body, Wire
from mst_admin.cli.objects import ObjectCommands, option_help
from mst_admin.kinds.site import SITE
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import plain
from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, option_names, with_options
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-admin site"
Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The site.")]


@dataclass(frozen=True)
class SiteOptions:
    """Properties of a site; what is not given keeps its value or its default.

    `NAMES` are options by keys that are not fields.
    """

    NAMES: ClassVar = {
        "upgrade_window.time_zone": "--time-zone",
        "upgrade_window.start": "--window",
        "upgrade_window.end": "--window",
        "upgrade_window": "--window",
    }

    description: Annotated[str | None, typer.Option("--description", help="Description.")] = None
    public_address: Annotated[
        str | None, typer.Option("--public-address", metavar="NAME_OR_IP", help="Public IP address or FQDN.")
    ] = None
    configuration: Annotated[
        str | None, typer.Option("--configuration", metavar="NAME_OR_ID", help="The server configuration.")
    ] = None
    internal_network_probe_url: Annotated[
        str | None, typer.Option("--probe-url", metavar="URL", help="Internal page that servers probe.")
    ] = None
    upgrade_automatically: Annotated[
        bool | None, typer.Option("--auto-upgrade/--manual-upgrade", help="Upgrade without approval.")
    ] = None
    window: Annotated[
        str | None,
        typer.Option("--window", metavar="HH:MM-HH:MM", help="When upgrades may start; '' for any time."),
    ] = None
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="ZONE", help="IANA time zone of --window.")
    ] = None
    resolve: Annotated[bool, typer.Option("--resolve/--no-resolve", help="Look up the public address.")] = (
        True
    )

    @property
    def corporate_networks(self) -> list[str]:
        """A site has no networks."""
        return []

    def malformed(self) -> Iterable[Finding]:
        """Values that cannot be parsed: none here, `given` raises for the maintenance window."""
        return ()

    @property
    def names(self) -> dict[str, str]:
        """The option of each key of a declaration."""
        return {**option_names(type(self)), **self.NAMES}

    def given(self, present: Wire) -> Body:
        """What was given, by the keys of a declaration; `present` are those that the site has now.

        Raises UsageError `window-missing`, `window-unclear`.
        """
        names = (
            "description",
            "public_address",
            "configuration",
            "internal_network_probe_url",
            "upgrade_automatically",
        )
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.window is not None or self.time_zone is not None:
            found["upgrade_window"] = self._window(present.get("upgrade_window") or {})
        return found

    def _window(self, present: Wire) -> Body | None:
        """The maintenance window; its times or its zone stay as they are where only the other was given."""
        if self.window == "":
            return None
        if self.window is None and not present:
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
        return {**present, **times, **zone}


site_app = ObjectCommands(
    SITE, option_help("sites", "site", "that has no servers"), wanted="The site.", options=SiteOptions
).app()


@site_app.command("request-upgrade")
@with_options
def request_upgrade(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted, yes: Yes = False) -> None:
    """Approve the upgrade of a site's servers, one after the other; this cannot be undone."""
    from mst_admin.kinds import site as work

    run_command(
        f"{_PROGRAM} request-upgrade",
        common,
        lambda operator: work.request_upgrade(operator, sign_in.settings(), wanted, yes=yes),
    )
