"""`mst-admin site`: sites."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_app, with_options
from mstunnel_setup.cli.render import Result, Session, run_command

if TYPE_CHECKING:
    from mstunnel_setup.admin.objects import SiteObject

_PROGRAM = "mst-admin site"
_LISTED = ("id", "displayName", "publicAddress", "upgradeAvailable")
site_app = new_app("Sites: servers with one public address and one server configuration.")

Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The site.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@dataclass(frozen=True)
class SiteOptions:
    """Properties of a site; what is not given stays as it is, or at its default."""

    description: Annotated[str | None, typer.Option("--description", help="Description.")] = None
    public_address: Annotated[
        str | None,
        typer.Option("--public-address", metavar="NAME_OR_IP", help="Public IP address or FQDN."),
    ] = None
    configuration: Annotated[
        str | None,
        typer.Option("--configuration", metavar="NAME_OR_ID", help="The server configuration."),
    ] = None
    internal_network_probe_url: Annotated[
        str | None, typer.Option("--probe-url", metavar="URL", help="Internal page that servers try.")
    ] = None
    upgrade_automatically: Annotated[
        bool | None, typer.Option("--auto-upgrade/--manual-upgrade", help="Upgrade without approval.")
    ] = None
    window: Annotated[
        str | None,
        typer.Option("--window", metavar="HH:MM-HH:MM", help="When upgrades may begin; '' for any time."),
    ] = None
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="ZONE", help="IANA time zone of --window.")
    ] = None
    resolve: Annotated[bool, typer.Option("--resolve/--no-resolve", help="Look up the public address.")] = (
        True
    )

    def given(self) -> dict[str, Any]:
        """What was given, by the keys of a declaration."""
        names = (
            "description",
            "public_address",
            "configuration",
            "internal_network_probe_url",
            "upgrade_automatically",
        )
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.window is not None:
            start, _, end = self.window.partition("-")
            window = {"start": start.strip(), "end": end.strip(), "time_zone": self.time_zone}
            found["upgrade_window"] = window if self.window else None
        return found


@site_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions) -> None:
    """List the sites of the tenant."""
    run_command(f"{_PROGRAM} list", common, lambda session: _list(session, sign_in))


@site_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted) -> None:
    """Show one site."""
    run_command(f"{_PROGRAM} show", common, lambda session: _show(session, sign_in, wanted))


@site_app.command()
@with_options
def create(
    common: CommonOptions,
    sign_in: SignInOptions,
    options: SiteOptions,
    name: Annotated[str, typer.Argument(help="Name of the new site.")],
) -> None:
    """Create a site; its values are checked first."""
    run_command(f"{_PROGRAM} create", common, lambda session: _create(session, sign_in, options, name))


@site_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    options: SiteOptions,
    wanted: Wanted,
    name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
) -> None:
    """Change what is given."""
    run_command(
        f"{_PROGRAM} update", common, lambda session: _update(session, sign_in, options, wanted, name)
    )


@site_app.command()
@with_options
def delete(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted, yes: Yes = False) -> None:
    """Delete a site that has no servers."""
    run_command(f"{_PROGRAM} delete", common, lambda session: _delete(session, sign_in, wanted, yes=yes))


@site_app.command("request-upgrade")
@with_options
def request_upgrade(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted, yes: Yes = False) -> None:
    """Approve the upgrade of a site's servers, one after the other; it cannot be taken back."""
    run_command(
        f"{_PROGRAM} request-upgrade", common, lambda session: _upgrade(session, sign_in, wanted, yes=yes)
    )


def _list(session: Session, sign_in: SignInOptions) -> Result:
    from mstunnel_setup.cli.admin_tenant import open_tenant, table  # noqa: PLC0415 (`--help` stays fast)

    found = open_tenant(session, sign_in).site_list(properties=_LISTED)
    found.sort(key=lambda item: item.display_name.casefold())
    rows = [(item.display_name, item.public_address or "", item.id) for item in found]
    data = {"sites": [item.to_wire() for item in found]}
    return Result(
        data=data, text=lambda: table(rows, ("NAME", "PUBLIC ADDRESS", "ID"), "There is no site yet.")
    )


def _show(session: Session, sign_in: SignInOptions, wanted: str) -> Result:
    from mstunnel_setup.admin.wire import site_object  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.cli.admin_tenant import details, find_site, open_tenant  # noqa: PLC0415

    graph = open_tenant(session, sign_in)
    found = find_site(graph, wanted)
    servers = [server.display_name for server in graph.servers(found.id)]
    own = {"id": found.id, "upgrade_available": found.upgrade_available, "servers": servers}
    data = {"site": found.model_dump(mode="json", by_alias=True), "servers": servers}
    return Result(data=data, text=details({**own, **site_object(found).model_dump(mode="json")}))


def _create(session: Session, sign_in: SignInOptions, options: SiteOptions, name: str) -> Result:
    from mstunnel_setup.admin.change import CONFIGURATION  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.admin.plan import site_change  # noqa: PLC0415
    from mstunnel_setup.admin.rules_site import judge_site  # noqa: PLC0415
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        find_configuration,
        judged,
        open_tenant,
        result_of,
    )
    from mstunnel_setup.errors import TenantError  # noqa: PLC0415
    from mstunnel_setup.host.clock import SystemClock  # noqa: PLC0415

    declared = _declared({**options.given(), "name": name})
    warnings = judged(judge_site(declared, _resolver(options)))
    graph = open_tenant(session, sign_in)
    if graph.site_list(name):
        raise TenantError(
            "name-taken", f"the tenant has a site {name} already", "Use `mst-admin site update`."
        )
    configuration = find_configuration(graph, declared.configuration)
    change = site_change(declared, None, SystemClock().now())
    body = {key: value for key, value in (change.after if change else {}).items() if key != CONFIGURATION}
    created = graph.create_site(body, configuration.id)
    return result_of(change, {"site": created.model_dump(mode="json", by_alias=True)}, warnings)


def _update(
    session: Session, sign_in: SignInOptions, options: SiteOptions, wanted: str, name: str | None
) -> Result:
    from mstunnel_setup.admin.carry_out import carry_out  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.admin.plan import site_change  # noqa: PLC0415
    from mstunnel_setup.admin.rules_site import judge_site  # noqa: PLC0415
    from mstunnel_setup.admin.wire import site_object  # noqa: PLC0415
    from mstunnel_setup.cli.admin_tenant import find_site, judged, open_tenant, result_of  # noqa: PLC0415
    from mstunnel_setup.host.clock import SystemClock  # noqa: PLC0415

    graph = open_tenant(session, sign_in)
    present = find_site(graph, wanted)
    renamed = {"name": name} if name else {}
    declared = _declared({**site_object(present).model_dump(), **options.given(), **renamed})
    warnings = judged(judge_site(declared, _resolver(options)))
    change = site_change(declared, present, SystemClock().now())
    carry_out([change] if change else [], graph, lambda _change: None)
    return result_of(change, {"id": present.id}, warnings)


def _delete(session: Session, sign_in: SignInOptions, wanted: str, *, yes: bool) -> Result:
    from mstunnel_setup.admin.change import Change  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.cli.admin_tenant import find_site, make_sure, open_tenant, result_of  # noqa: PLC0415

    graph = open_tenant(session, sign_in)
    found = find_site(graph, wanted)
    make_sure(session, f"Delete the site {found.display_name} ({found.id})?", yes=yes)
    graph.delete_site(found.id)
    return result_of(Change("delete", "site", found.display_name, found.id), {"id": found.id})


def _upgrade(session: Session, sign_in: SignInOptions, wanted: str, *, yes: bool) -> Result:
    from mstunnel_setup.cli.admin_tenant import find_site, make_sure, open_tenant  # noqa: PLC0415

    graph = open_tenant(session, sign_in)
    found = find_site(graph, wanted)
    make_sure(
        session, f"Upgrade all servers of the site {found.display_name}? It cannot be taken back.", yes=yes
    )
    graph.request_upgrade(found.id)
    text = [f"The upgrade of the site {found.display_name} is approved."]
    return Result("changed", {"id": found.id}, text=text)


def _resolver(options: SiteOptions) -> Any:
    from mstunnel_setup.host.network import addresses_of  # noqa: PLC0415 (`--help` stays fast)

    return addresses_of if options.resolve else None


def _declared(values: dict[str, Any]) -> "SiteObject":
    from mstunnel_setup.admin.objects import SiteObject  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.answers.validated import validated  # noqa: PLC0415

    return validated(SiteObject, values)
