"""The command line of `mst-admin`: the tenant's side, from the command line and as files."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mst_admin.change_options import ChangeOptions
from mst_admin.cli.objects import file_group
from mst_admin.cli.tunnel import OneSite, config_app, server_app, site_app, threshold_app
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.command import App, Program, Work, run_program, taking
from mstunnel_setup.cli.framework.options import SignInOptions, Yes, options_of, settings_of
from mstunnel_setup.io.operator import Operator

_PROGRAM = "mst-admin"

profile_app = file_group(
    "profile",
    "profiles",
    "profile",
    {
        "list": "List the VPN profiles for Microsoft Tunnel.",
        "show": "Show a profile of the tenant, and to whom it is assigned.",
        "create": "Check a profile, create it with its trusted root, and assign both.",
        "update": "Change a profile, its trusted root and its groups to match a file.",
        "delete": "Delete a profile and its trusted root.",
        "lint": "Show the problems of a profile: a file (without sign-in), or one of the tenant.",
        "schema": "Print the JSON Schema of profile files, for editors.",
    },
    (
        "The profile in the tenant.",
        "The profile, in YAML.",
        "A file, or a profile of the tenant by name or id.",
    ),
)
exclusions_app = App()
access_app = App()

app = App(
    "Manage Microsoft Tunnel in the tenant: server configurations, sites, servers, VPN profiles.", Program
)
for _group, _name, _about in (
    (config_app, "config", "Server configurations: the settings that the servers of a site share."),
    (site_app, "site", "Sites: servers with one public address and one server configuration."),
    (server_app, "server", "Servers of a site. `mstunnel-setup` creates them, on the server itself."),
    (threshold_app, "threshold", "Health thresholds: where a metric turns healthy and unhealthy."),
    (profile_app, "profile", "VPN profiles for Android Enterprise and iOS."),
    (
        file_group("app", "apps", "app"),
        "app",
        "Apps from the App Store and managed Google Play, with their assignments and per-app VPN.",
    ),
    (
        file_group("app-config", "app configurations", "app configuration"),
        "app-config",
        "App configurations: settings that Defender and other apps receive.",
    ),
    (
        file_group("mam", "tunnels for MAM", "tunnel for MAM"),
        "mam",
        "Tunnel for MAM: the tunnel for apps on devices that are not enrolled.",
    ),
    (exclusions_app, "proxy-exclusions", "Proxy exclusion lists of Android profiles."),
    (
        access_app,
        "conditional-access",
        "The cloud app Microsoft Tunnel Gateway, to which Conditional Access policies apply.",
    ),
):
    app.add_typer(_group, name=_name, help=_about)

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory with YAML files, or one such file.")
]
ExitCodeOption = Annotated[
    bool, typer.Option("--exit-code", help="Exit with code 20 when anything would change.")
]


class PruneKind(StrEnum):
    """A kind of objects that `--prune` can delete, by its declaration key."""

    CONFIGURATIONS = "configurations"
    SITES = "sites"
    PROFILES = "profiles"
    APP_CONFIGURATIONS = "app-configurations"
    MAM = "mam"


@dataclass(frozen=True)
class ApplyOptions:
    """The options of `apply` and `diff`."""

    prune: Annotated[
        list[PruneKind] | None,
        typer.Option(
            "--prune",
            help="Also delete the objects of this kind that are not declared; all of them if none is. May be"
            " repeated.",
        ),
    ] = None
    resolve: Annotated[
        bool, typer.Option("--resolve/--no-resolve", help="Look up the public addresses of sites.")
    ] = True

    @property
    def pruned(self) -> frozenset[str]:
        """Return the declaration keys of the kinds to prune."""
        return frozenset(kind.replace("-", "_") for kind in self.prune or ())


@app.command(cls=taking(ChangeOptions, ApplyOptions))
def apply(context: typer.Context, directory: Directory, yes: Yes = False) -> Work:
    """Show the plan, ask, and change the tenant to match the declarations."""
    from mst_admin import apply as work

    how = options_of(context, ApplyOptions)
    return lambda operator: work.apply(
        operator,
        settings_of(context, ChangeOptions),
        directory,
        prune=how.pruned,
        resolve=how.resolve,
        yes=yes,
    )


@app.command(cls=taking(SignInOptions, ApplyOptions))
def diff(context: typer.Context, directory: Directory, exit_code: ExitCodeOption = False) -> Work:
    """Show what `apply` would change."""
    from mst_admin import apply as work

    how = options_of(context, ApplyOptions)
    return lambda operator: work.diff(
        operator, settings_of(context), directory, prune=how.pruned, resolve=how.resolve, exit_code=exit_code
    )


@app.command(cls=taking(SignInOptions))
def export(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to write to.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> Work:
    """Write the tenant as files, with a JSON Schema for editors."""
    from mst_admin import apply as work

    return lambda operator: work.export(operator, settings_of(context), directory, force=force)


@app.command()
def schema() -> Work:
    """Print the JSON Schema of declarations, for editors."""
    from mst_admin import object_commands as work
    from mst_admin.kinds.tenant import Declarations

    return lambda _operator: work.schema(Declarations)


@app.command()
def sign_out() -> Work:
    """Forget the sign-in that earlier commands keep until it expires."""
    from mst_admin import session as work

    return work.forget_sign_ins


@app.command(cls=taking(SignInOptions))
def servers(
    context: typer.Context,
    site: OneSite = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    interval: Annotated[
        int, typer.Option("--interval", metavar="SECONDS", min=5, max=3600, help="Time between refreshes.")
    ] = 30,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> Work:
    """Show health, check-in, version, certificate and sessions of all servers."""
    from mst_admin import servers as work

    def run(operator: Operator) -> Result:
        if watch:
            return work.watch(operator, settings_of(context), site, interval, as_csv=csv)
        return work.servers(operator, settings_of(context), site, as_csv=csv)

    return run


@app.command(cls=taking(SignInOptions))
def health(
    context: typer.Context,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Name or id of the server.")],
    site: OneSite = None,
    days: Annotated[
        int, typer.Option("--days", metavar="DAYS", min=1, max=30, help="How far back the trends go.")
    ] = 3,
) -> Work:
    """Show one server row by row, and its trends; exit code 3 when it is unhealthy or offline."""
    from mst_admin import health as work

    return lambda operator: work.health(operator, settings_of(context), site, server, days)


Profile = Annotated[str, typer.Option("--profile", metavar="NAME_OR_ID", help="The profile in the tenant.")]


@exclusions_app.command()
def check(
    entries: Annotated[
        list[str], typer.Argument(metavar="FILE_OR_ENTRY...", help="CSV files, or single entries.")
    ],
) -> Work:
    """Show which entries Android accepts."""
    from mst_admin import proxy_exclusions as work

    return lambda operator: work.check(operator, entries)


Entry = Annotated[str, typer.Argument(metavar="ENTRY", help="A host, *.DOMAIN or an address.")]


@exclusions_app.command(cls=taking(ChangeOptions))
def add(context: typer.Context, entry: Entry, profile: Profile) -> Work:
    """Add one entry to the list of a profile."""
    from mst_admin import proxy_exclusions as work

    return lambda operator: work.add_entry(operator, settings_of(context, ChangeOptions), entry, profile)


@exclusions_app.command(cls=taking(ChangeOptions))
def remove(context: typer.Context, entry: Entry, profile: Profile) -> Work:
    """Remove one entry from the list of a profile."""
    from mst_admin import proxy_exclusions as work

    return lambda operator: work.remove_entry(operator, settings_of(context, ChangeOptions), entry, profile)


@exclusions_app.command("import", cls=taking(ChangeOptions))
def import_exclusions(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list, in CSV.")],
    profile: Profile,
) -> Work:
    """Replace the list of a profile with that of a CSV file."""
    from mst_admin import proxy_exclusions as work

    return lambda operator: work.import_list(operator, settings_of(context, ChangeOptions), file, profile)


@exclusions_app.command("export", cls=taking(SignInOptions))
def export_exclusions(
    context: typer.Context,
    profile: Profile,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="CSV file to write; without it, standard output.")
    ] = None,
) -> Work:
    """Write the list of a profile as CSV."""
    from mst_admin import proxy_exclusions as work

    return lambda operator: work.export_list(operator, settings_of(context), profile, file)


@access_app.command(cls=taking(SignInOptions))
def status(context: typer.Context) -> Work:
    """Show whether the tenant has the cloud app, so that policies can name it."""
    from mst_admin import cloud_app as work

    return lambda operator: work.status(operator, settings_of(context))


@access_app.command(cls=taking(SignInOptions))
def provision(context: typer.Context) -> Work:
    """Add the cloud app to the tenant if it is missing."""
    from mst_admin import cloud_app as work

    return lambda operator: work.provision(operator, settings_of(context))


def main() -> int:
    """Run `mst-admin` and return the exit code."""
    return run_program(app, _PROGRAM)
