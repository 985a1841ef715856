"""`mst-admin server`: the records of servers. A server is created by installing it (`mstunnel-setup`)."""

from typing import Annotated

import typer

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result

_PROGRAM = "mst-admin server"
server_app = new_group("Servers of a site. `mstunnel-setup` creates them, on the server itself.")

Site = Annotated[str, typer.Option("--site", metavar="NAME_OR_ID", help="The site of the server.")]
Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The server.")]


@server_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions, site: Site) -> None:
    """List the servers of a site."""
    run_command(f"{_PROGRAM} list", common, lambda operator: _list(operator, sign_in, site))


@server_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, site: Site, wanted: Wanted) -> None:
    """Show one server."""
    run_command(f"{_PROGRAM} show", common, lambda operator: _show(operator, sign_in, site, wanted))


@server_app.command()
@with_options
def create(common: CommonOptions) -> None:
    """Say how servers come into being."""
    run_command(f"{_PROGRAM} create", common, lambda _operator: _create())


@server_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    site: Site,
    wanted: Wanted,
    name: Annotated[str, typer.Option("--name", help="New name.")],
) -> None:
    """Give a server another name in the tenant."""
    run_command(f"{_PROGRAM} update", common, lambda operator: _update(operator, sign_in, site, wanted, name))


@server_app.command()
@with_options
def delete(
    common: CommonOptions,
    sign_in: SignInOptions,
    site: Site,
    wanted: Wanted,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the record of a server that is gone; `mst-cli uninstall` does it for one that is there."""
    run_command(
        f"{_PROGRAM} delete", common, lambda operator: _delete(operator, sign_in, site, wanted, yes=yes)
    )


def _list(operator: Operator, sign_in: SignInOptions, site: str) -> Result:
    from mstunnel_setup.cli.admin_tenant import find_site, open_tenant, table  # noqa: PLC0415

    graph = open_tenant(operator, sign_in)
    found = graph.servers(find_site(graph, site).id)
    rows = [
        (
            item.display_name,
            item.tunnel_server_health_status or "",
            f"{item.last_checkin_date_time:%Y-%m-%d %H:%M}" if item.last_checkin_date_time else "never",
            item.id,
        )
        for item in found
    ]
    data = {"servers": [item.model_dump(mode="json", by_alias=True) for item in found]}
    head = ("NAME", "HEALTH", "LAST CHECK-IN", "ID")
    return Result(data=data, text=table(rows, head, "The site has no server yet."))


def _show(operator: Operator, sign_in: SignInOptions, site: str, wanted: str) -> Result:
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        details,
        find_server,
        find_site,
        open_tenant,
    )

    graph = open_tenant(operator, sign_in)
    found = find_server(graph, find_site(graph, site).id, wanted)
    document = found.model_dump(mode="json", by_alias=True)
    return Result(data={"server": document}, text=details(document))


def _create() -> Result:
    from mstunnel_setup.errors import UsageError  # noqa: PLC0415 (`--help` stays fast)

    raise UsageError(
        "server-not-installed",
        "a server is created by its installation, which gives it an identity of its own",
        "Run `mstunnel-setup --site NAME` on the server.",
    )


def _update(operator: Operator, sign_in: SignInOptions, site: str, wanted: str, name: str) -> Result:
    from mstunnel_setup.admin.change import Change  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.admin.objects import ServerObject  # noqa: PLC0415
    from mstunnel_setup.answers.validated import validated  # noqa: PLC0415
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        find_server,
        find_site,
        open_tenant,
        result_of,
    )
    from mstunnel_setup.errors import TenantError  # noqa: PLC0415

    declared = validated(ServerObject, {"name": name}).name
    graph = open_tenant(operator, sign_in)
    place = find_site(graph, site).id
    found = find_server(graph, place, wanted)
    if found.display_name == declared:
        return result_of(None, {"id": found.id})
    others = [item.display_name.casefold() for item in graph.servers(place) if item.id != found.id]
    if declared.casefold() in others:
        raise TenantError("name-taken", f"the site has a server {declared} already", "Choose another name.")
    graph.rename_server(place, found.id, declared)
    names = {"displayName": declared}, {"displayName": found.display_name}
    return result_of(Change("update", "server", found.display_name, found.id, *names), {"id": found.id})


def _delete(operator: Operator, sign_in: SignInOptions, site: str, wanted: str, *, yes: bool) -> Result:
    from mstunnel_setup.admin.change import Change  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        find_server,
        find_site,
        make_sure,
        open_tenant,
        result_of,
    )

    graph = open_tenant(operator, sign_in)
    place = find_site(graph, site).id
    found = find_server(graph, place, wanted)
    make_sure(operator, f"Delete the record of the server {found.display_name} ({found.id})?", yes=yes)
    graph.delete_server(place, found.id)
    return result_of(Change("delete", "server", found.display_name, found.id), {"id": found.id})
