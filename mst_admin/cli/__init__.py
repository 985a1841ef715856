"""The command line of `mst-admin`: the tenant's side, from the command line and as files."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mst_admin.cli.conditional_access import access_app
from mst_admin.cli.config import config_app
from mst_admin.cli.objects import ObjectCommands, file_help
from mst_admin.cli.proxy_exclusions import exclusions_app
from mst_admin.cli.server import server_app
from mst_admin.cli.site import site_app
from mst_admin.cli.threshold import threshold_app
from mst_admin.kinds.app import APP
from mst_admin.kinds.app_configuration import APP_CONFIGURATION
from mst_admin.kinds.mam import MAM
from mst_admin.kinds.profile import PROFILE
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.entry import run_program
from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_app, with_options
from mstunnel_setup.cli.framework.render import run_command
from mstunnel_setup.cli.framework.root import add_root
from mstunnel_setup.io.operator import Operator

_PROGRAM = "mst-admin"

profile_app = ObjectCommands(
    PROFILE,
    {
        "list": "List the VPN profiles for Microsoft Tunnel.",
        "show": "Show a profile of the tenant, and to whom it is assigned.",
        "create": "Check a profile, create it with its trusted root, and assign both.",
        "update": "Change a profile, its trusted root and its groups to match a file.",
        "delete": "Delete a profile and its trusted root.",
        "lint": "Show the problems of a profile: a file (without sign-in), or one of the tenant.",
        "schema": "Print the JSON Schema of profile files, for editors.",
    },
    wanted="The profile in the tenant.",
    file="The profile, in YAML.",
    either="A file, or a profile of the tenant by name or id.",
).app()
app_app = ObjectCommands(APP, file_help("apps", "app")).app()
app_configuration_app = ObjectCommands(
    APP_CONFIGURATION, file_help("app configurations", "app configuration")
).app()
mam_app = ObjectCommands(MAM, file_help("tunnels for MAM", "tunnel for MAM")).app()

app = new_app("Manage Microsoft Tunnel in the tenant: server configurations, sites, servers, VPN profiles.")
add_root(app, _PROGRAM)
app.add_typer(
    config_app, name="config", help="Server configurations: the settings that the servers of a site share."
)
app.add_typer(
    site_app, name="site", help="Sites: servers with one public address and one server configuration."
)
app.add_typer(
    server_app, name="server", help="Servers of a site. `mstunnel-setup` creates them, on the server itself."
)
app.add_typer(
    threshold_app, name="threshold", help="Health thresholds: where a metric turns healthy and unhealthy."
)
app.add_typer(profile_app, name="profile", help="VPN profiles for Android Enterprise and iOS.")
app.add_typer(
    app_app,
    name="app",
    help="Apps from the App Store and managed Google Play: to whom they are assigned, by which VPN.",
)
app.add_typer(
    app_configuration_app,
    name="app-config",
    help="App configurations: settings that Defender and other apps receive.",
)
app.add_typer(
    mam_app, name="mam", help="Tunnel for MAM: the tunnel for apps on devices that are not enrolled."
)
app.add_typer(exclusions_app, name="proxy-exclusions", help="Proxy exclusion lists of Android profiles.")
app.add_typer(
    access_app,
    name="conditional-access",
    help="The cloud app Microsoft Tunnel Gateway, and Conditional Access policies for it.",
)

OneSite = Annotated[
    str | None, typer.Option("--site", metavar="NAME_OR_ID", help="Only the servers of this site.")
]
Declarations = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory with YAML files, or one such file.")
]


class ExportFormat(StrEnum):
    """The format of an export."""

    YAML = "yaml"


@dataclass(frozen=True)
class ApplyOptions:
    """How declarations are compared with the tenant."""

    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Also delete configurations, sites, profiles, app configurations and Tunnel for MAM that are"
            " not declared; of each only if a file has its key.",
        ),
    ] = False
    resolve: Annotated[
        bool, typer.Option("--resolve/--no-resolve", help="Look up the public addresses of sites.")
    ] = True


@app.command()
@with_options
def apply(
    common: CommonOptions,
    sign_in: SignInOptions,
    how: ApplyOptions,
    directory: Declarations,
    yes: Yes = False,
) -> None:
    """Show the plan, ask, and change the tenant to match the declarations."""
    from mst_admin import apply

    run_command(
        f"{_PROGRAM} apply",
        common,
        lambda operator: apply.apply(
            operator, sign_in.settings(), directory, prune=how.prune, resolve=how.resolve, yes=yes
        ),
    )


@app.command()
@with_options
def diff(
    common: CommonOptions,
    sign_in: SignInOptions,
    how: ApplyOptions,
    directory: Declarations,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with code 20 when anything would change.")
    ] = False,
) -> None:
    """Show what `apply` would change."""
    from mst_admin import apply

    run_command(
        f"{_PROGRAM} diff",
        common,
        lambda operator: apply.diff(
            operator, sign_in.settings(), directory, prune=how.prune, resolve=how.resolve, exit_code=exit_code
        ),
    )


@app.command()
@with_options
def export(
    common: CommonOptions,
    sign_in: SignInOptions,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to write to.")],
    _wanted: Annotated[
        ExportFormat, typer.Option("--format", help="Declarations for `apply`.")
    ] = ExportFormat.YAML,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write the tenant as files, with a JSON Schema for editors."""
    from mst_admin import apply

    run_command(
        f"{_PROGRAM} export",
        common,
        lambda operator: apply.export(operator, sign_in.settings(), directory, force=force),
    )


@app.command()
@with_options
def schema(common: CommonOptions) -> None:
    """Print the JSON Schema of declarations, for editors."""
    from mst_admin import object_commands
    from mst_admin.kinds.tenant import Declarations

    run_command(f"{_PROGRAM} schema", common, lambda _operator: object_commands.schema(Declarations))


@dataclass(frozen=True)
class FleetOptions:
    """Which servers to show, and how."""

    site: OneSite = None
    watch: Annotated[bool, typer.Option("--watch", help="Read and show again, until Ctrl-C.")] = False
    interval: Annotated[
        int, typer.Option("--interval", metavar="SECONDS", min=5, max=3600, help="Time between two readings.")
    ] = 30
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False


@app.command()
@with_options
def servers(common: CommonOptions, sign_in: SignInOptions, how: FleetOptions) -> None:
    """Show health, check-in, version, certificate and sessions of all servers."""

    def work_on(operator: Operator) -> Result:
        from mst_admin import servers as work

        if how.watch:
            return work.watch(operator, sign_in.settings(), how.site, how.interval, as_csv=how.csv)
        return work.servers(operator, sign_in.settings(), how.site, as_csv=how.csv)

    run_command(f"{_PROGRAM} servers", common, work_on)


@app.command()
@with_options
def health(
    common: CommonOptions,
    sign_in: SignInOptions,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Name or id of the server.")],
    site: OneSite = None,
    days: Annotated[
        int, typer.Option("--days", metavar="DAYS", min=1, max=30, help="How far back the trends go.")
    ] = 3,
) -> None:
    """Show one server row by row, and its trends; exit code 3 when it is unhealthy or offline."""
    from mst_admin import health as work

    run_command(
        f"{_PROGRAM} health",
        common,
        lambda operator: work.health(operator, sign_in.settings(), site, server, days),
    )


def main() -> int:
    """Run `mst-admin`; returns the exit code."""
    return run_program(app, _PROGRAM)
