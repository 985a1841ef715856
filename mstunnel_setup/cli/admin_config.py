"""`mst-admin config`: server configurations."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_app, with_options
from mstunnel_setup.cli.render import Result, Session, run_command

if TYPE_CHECKING:
    from mstunnel_setup.admin.objects import ConfigurationObject

_PROGRAM = "mst-admin config"
config_app = new_app("Server configurations: the settings that the servers of a site share.")

Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The server configuration.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def _list_option(name: str, metavar: str, about: str) -> Any:
    return typer.Option(name, metavar=metavar, help=f"{about} Repeat it; '' alone clears the list.")


@dataclass(frozen=True)
class ConfigurationOptions:
    """Properties of a server configuration; what is not given stays as it is, or at its default."""

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
        typer.Option("--corporate-network", metavar="CIDR", help="Network of yours, to check for overlap."),
    ] = None

    def given(self) -> dict[str, Any]:
        """What was given, by the keys of a declaration."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        del values["corporate_network"]
        found = {name: value for name, value in values.items() if value is not None}
        lists: dict[str, Any] = {
            name: tuple(filter(None, value)) for name, value in found.items() if isinstance(value, list)
        }
        if "advanced_settings" in lists:
            lists["advanced_settings"] = dict(_setting(text) for text in lists["advanced_settings"])
        return {**found, **lists}


def _setting(text: str) -> tuple[str, str]:
    from mstunnel_setup.errors import UsageError  # noqa: PLC0415 (`--help` stays fast)

    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("setting-malformed", f"--advanced {text} has no value", "Write NAME=VALUE.")
    return name.strip(), value.strip()


@config_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions) -> None:
    """List the server configurations of the tenant."""
    run_command(f"{_PROGRAM} list", common, lambda session: _list(session, sign_in))


@config_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted) -> None:
    """Show one server configuration."""
    run_command(f"{_PROGRAM} show", common, lambda session: _show(session, sign_in, wanted))


@config_app.command()
@with_options
def create(
    common: CommonOptions,
    sign_in: SignInOptions,
    options: ConfigurationOptions,
    name: Annotated[str, typer.Argument(help="Name of the new server configuration.")],
) -> None:
    """Create a server configuration; its values are checked first."""
    run_command(f"{_PROGRAM} create", common, lambda session: _create(session, sign_in, options, name))


@config_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    options: ConfigurationOptions,
    wanted: Wanted,
    name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
) -> None:
    """Change what is given; servers follow within minutes."""
    run_command(
        f"{_PROGRAM} update", common, lambda session: _update(session, sign_in, options, wanted, name)
    )


@config_app.command()
@with_options
def delete(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted, yes: Yes = False) -> None:
    """Delete a server configuration that no site uses."""
    run_command(f"{_PROGRAM} delete", common, lambda session: _delete(session, sign_in, wanted, yes=yes))


def _list(session: Session, sign_in: SignInOptions) -> Result:
    from mstunnel_setup.cli.admin_tenant import open_tenant, table  # noqa: PLC0415 (`--help` stays fast)

    found = sorted(
        open_tenant(session, sign_in).configurations(), key=lambda item: item.display_name.casefold()
    )
    rows = [(item.display_name, item.network or "", str(item.listen_port or ""), item.id) for item in found]
    data = {"configurations": [item.model_dump(mode="json", by_alias=True) for item in found]}
    head = ("NAME", "NETWORK", "PORT", "ID")
    return Result(data=data, text=table(rows, head, "There is no server configuration yet."))


def _show(session: Session, sign_in: SignInOptions, wanted: str) -> Result:
    from mstunnel_setup.admin.wire import (  # noqa: PLC0415 (`--help` stays fast)
        DEFAULT_SESSION_SECONDS,
        configuration_object,
    )
    from mstunnel_setup.cli.admin_tenant import details, find_configuration, open_tenant  # noqa: PLC0415

    found = find_configuration(open_tenant(session, sign_in), wanted)
    declared = configuration_object(found)
    shown = {"id": found.id, **declared.model_dump(mode="json")}
    if declared.session_timeout is None:
        shown["session_timeout"] = f"{DEFAULT_SESSION_SECONDS} (default)"
    data = {"configuration": found.model_dump(mode="json", by_alias=True)}
    return Result(data=data, text=details(shown))


def _create(session: Session, sign_in: SignInOptions, options: ConfigurationOptions, name: str) -> Result:
    from mstunnel_setup.admin.plan import configuration_change  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.admin.rules_configuration import judge_configuration  # noqa: PLC0415
    from mstunnel_setup.cli.admin_tenant import judged, open_tenant, result_of  # noqa: PLC0415
    from mstunnel_setup.errors import TenantError  # noqa: PLC0415

    declared = _declared({"network": "", **options.given(), "name": name})
    warnings = judged(judge_configuration(declared, options.corporate_network or ()))
    graph = open_tenant(session, sign_in)
    if graph.configurations(name):
        raise TenantError(
            "name-taken",
            f"the tenant has a server configuration {name} already",
            "Use `mst-admin config update`.",
        )
    change = configuration_change(declared, None)
    created = graph.create_configuration(change.after if change else {})
    data = {"configuration": created.model_dump(mode="json", by_alias=True)}
    return result_of(change, data, warnings)


def _update(
    session: Session, sign_in: SignInOptions, options: ConfigurationOptions, wanted: str, name: str | None
) -> Result:
    from mstunnel_setup.admin.plan import configuration_change  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.admin.rules_configuration import judge_configuration  # noqa: PLC0415
    from mstunnel_setup.admin.wire import configuration_object  # noqa: PLC0415
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        find_configuration,
        judged,
        open_tenant,
        result_of,
    )

    graph = open_tenant(session, sign_in)
    present = find_configuration(graph, wanted)
    renamed = {"name": name} if name else {}
    before = configuration_object(present).model_dump()
    declared = _declared({**before, **options.given(), **renamed})
    warnings = judged(judge_configuration(declared, options.corporate_network or ()))
    change = configuration_change(declared, present)
    if change is not None:
        graph.update_configuration(present.id, change.after)
    return result_of(change, {"id": present.id}, warnings)


def _delete(session: Session, sign_in: SignInOptions, wanted: str, *, yes: bool) -> Result:
    from mstunnel_setup.admin.change import Change  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        find_configuration,
        make_sure,
        open_tenant,
        result_of,
    )

    graph = open_tenant(session, sign_in)
    found = find_configuration(graph, wanted)
    make_sure(session, f"Delete the server configuration {found.display_name} ({found.id})?", yes=yes)
    graph.delete_configuration(found.id)
    return result_of(Change("delete", "configuration", found.display_name, found.id), {"id": found.id})


def _declared(values: dict[str, Any]) -> "ConfigurationObject":
    from mstunnel_setup.admin.objects import ConfigurationObject  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.answers.validated import validated  # noqa: PLC0415

    return validated(ConfigurationObject, values)
