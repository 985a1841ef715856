"""The command line of `mst-admin`: the tenant's side, from the command line and as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.admin_access import access_app
from mstunnel_setup.cli.admin_config import config_app
from mstunnel_setup.cli.admin_profile import exclusions_app, profile_app
from mstunnel_setup.cli.admin_server import server_app
from mstunnel_setup.cli.admin_site import site_app
from mstunnel_setup.cli.admin_threshold import threshold_app
from mstunnel_setup.cli.entry import run_program
from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_app, with_options
from mstunnel_setup.cli.render import run_command
from mstunnel_setup.cli.root import add_root

_PROGRAM = "mst-admin"

app = new_app("Manage Microsoft Tunnel in the tenant: server configurations, sites, servers, VPN profiles.")
add_root(app, _PROGRAM)
app.add_typer(config_app, name="config")
app.add_typer(site_app, name="site")
app.add_typer(server_app, name="server")
app.add_typer(threshold_app, name="threshold")
app.add_typer(profile_app, name="profile")
app.add_typer(exclusions_app, name="proxy-exclusions")
app.add_typer(access_app, name="conditional-access")

Declarations = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory with YAML files, or one such file.")
]


@dataclass(frozen=True)
class ApplyOptions:
    """How declarations are compared with the tenant."""

    prune: Annotated[
        bool, typer.Option("--prune", help="Also delete configurations and sites that are not declared.")
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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Show the plan, ask, and change the tenant to match the declarations."""
    from mstunnel_setup.admin.apply import apply as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_PROGRAM} apply",
        common,
        lambda operator: run(
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
    from mstunnel_setup.admin.apply import diff as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_PROGRAM} diff",
        common,
        lambda operator: run(
            operator, sign_in.settings(), directory, prune=how.prune, resolve=how.resolve, exit_code=exit_code
        ),
    )


@app.command()
@with_options
def export(
    common: CommonOptions,
    sign_in: SignInOptions,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to write to.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write the tenant as files, with a JSON Schema for editors."""
    from mstunnel_setup.admin.apply import export as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_PROGRAM} export",
        common,
        lambda operator: run(operator, sign_in.settings(), directory, force=force),
    )


@app.command()
@with_options
def schema(common: CommonOptions) -> None:
    """Print the JSON Schema of declarations, for editors."""
    from mstunnel_setup.admin.apply import schema as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} schema", common, lambda _operator: run())


def main() -> int:
    """Run `mst-admin`; returns the exit code."""
    return run_program(app, _PROGRAM)
