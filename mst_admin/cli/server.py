"""`mst-admin server`: the records of servers. A server is created by installing it (`mstunnel-setup`)."""

from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-admin server"
server_app = new_group()

Site = Annotated[str, typer.Option("--site", metavar="NAME_OR_ID", help="The site of the server.")]
OneSite = Annotated[
    str | None, typer.Option("--site", metavar="NAME_OR_ID", help="Only the servers of this site.")
]
Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The server.")]


@server_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions, site: OneSite = None) -> None:
    """List the servers of a site, or of all sites."""
    from mst_admin.kinds import server as server_commands

    run_command(
        f"{_PROGRAM} list",
        common,
        lambda operator: server_commands.list_servers(operator, sign_in.settings(), site),
    )


@server_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, site: Site, wanted: Wanted) -> None:
    """Show one server."""
    from mst_admin.kinds import server as server_commands

    run_command(
        f"{_PROGRAM} show",
        common,
        lambda operator: server_commands.show(operator, sign_in.settings(), site, wanted),
    )


@server_app.command()
@with_options
def create(common: CommonOptions) -> None:
    """Explain how servers are registered."""
    from mst_admin.kinds import server as server_commands

    run_command(f"{_PROGRAM} create", common, lambda _operator: server_commands.create())


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
    from mst_admin.kinds import server as server_commands

    run_command(
        f"{_PROGRAM} update",
        common,
        lambda operator: server_commands.update(operator, sign_in.settings(), site, wanted, name),
    )


@server_app.command()
@with_options
def delete(
    common: CommonOptions, sign_in: SignInOptions, site: Site, wanted: Wanted, yes: Yes = False
) -> None:
    """Delete the record of a server that no longer exists; otherwise use `mst-cli uninstall` there."""
    from mst_admin.kinds import server as server_commands

    run_command(
        f"{_PROGRAM} delete",
        common,
        lambda operator: server_commands.delete(operator, sign_in.settings(), site, wanted, yes=yes),
    )
