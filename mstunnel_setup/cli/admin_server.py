"""`mst-admin server`: the records of servers. A server is created by installing it (`mstunnel-setup`)."""

from typing import Annotated

import typer

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command

_PROGRAM = "mst-admin server"
server_app = new_group("Servers of a site. `mstunnel-setup` creates them, on the server itself.")

Site = Annotated[str, typer.Option("--site", metavar="NAME_OR_ID", help="The site of the server.")]
Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The server.")]


@server_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions, site: Site) -> None:
    """List the servers of a site."""
    from mstunnel_setup.admin.server_commands import list_servers  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} list", common, lambda operator: list_servers(operator, sign_in.settings(), site))


@server_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, site: Site, wanted: Wanted) -> None:
    """Show one server."""
    from mstunnel_setup.admin.server_commands import show as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} show", common, lambda operator: run(operator, sign_in.settings(), site, wanted))


@server_app.command()
@with_options
def create(common: CommonOptions) -> None:
    """Explain how servers are registered."""
    from mstunnel_setup.admin.server_commands import create as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} create", common, lambda _operator: run())


@server_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    site: Site,
    wanted: Wanted,
    name: Annotated[str, typer.Option("--name", help="New name.")],
) -> None:
    """Rename a server in the tenant."""
    from mstunnel_setup.admin.server_commands import rename  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_PROGRAM} update",
        common,
        lambda operator: rename(operator, sign_in.settings(), site, wanted, name),
    )


@server_app.command()
@with_options
def delete(
    common: CommonOptions,
    sign_in: SignInOptions,
    site: Site,
    wanted: Wanted,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the record of a server that no longer exists; otherwise use `mst-cli uninstall` there."""
    from mstunnel_setup.admin.server_commands import delete as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_PROGRAM} delete",
        common,
        lambda operator: run(operator, sign_in.settings(), site, wanted, yes=yes),
    )
