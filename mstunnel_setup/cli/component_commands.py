"""The command groups `mst-cli agent` and `mst-cli server`: names and options only."""

from typing import Annotated

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.cli.framework.options import CommonOptions, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command


def _component(name: str, container: str) -> typer.Typer:
    """The commands that agent and server have in common."""
    group = new_group()

    def switch(verb: str, about: str) -> None:
        @group.command(verb, help=about)
        @with_options
        def command(common: CommonOptions) -> None:
            from mstunnel_setup.operations import component, restart

            work = {
                "status": lambda operator: component.state(operator, container),
                "start": lambda operator: restart.start(operator, container),
                "stop": lambda operator: component.stop(operator, container),
                "restart": lambda operator: restart.restart(operator, container),
            }[verb]
            run_command(f"mst-cli {name} {verb}", common, work)

    switch("status", f"Show state and health of the {name}.")
    switch("start", f"Start the {name} if it is stopped.")
    switch("stop", f"Stop the {name}; it stays down until you start it or the host boots.")
    switch("restart", f"Restart the {name}.")

    @group.command()
    @with_options
    def logs(
        common: CommonOptions,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log.")] = False,
        since: Annotated[
            str | None, typer.Option("--since", metavar="TIME", help="Only lines since this time.")
        ] = None,
        tail: Annotated[int, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")] = 0,
        timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Print timestamps.")] = False,
    ) -> None:
        """Show the log."""
        from mstunnel_setup.containers import engine
        from mstunnel_setup.operations import component

        options = engine.LogOptions(follow=follow, lines=tail or None, since=since, timestamps=timestamps)
        run_command(
            f"mst-cli {name} logs",
            common,
            lambda operator: component.logs(operator, container, options),
        )

    return group


agent_app = _component("agent", paths.AGENT)
server_app = _component("server", paths.SERVER)
disconnect_app = new_group("End sessions of devices.")
unban_app = new_group("Unban addresses.")
server_app.add_typer(disconnect_app, name="disconnect")
server_app.add_typer(unban_app, name="unban")


@server_app.command()
@with_options
def show(
    common: CommonOptions,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="status, users, user NAME, id ID, sessions all|valid, session SID, cookies all|valid, "
            "ip bans, ip ban points, iroutes or events."
        ),
    ] = None,
) -> None:
    """Show status, users, sessions and bans, like occtl."""
    from mstunnel_setup.operations import sessions

    run_command("mst-cli server show", common, lambda operator: sessions.show(operator, what or []))


@server_app.command()
@with_options
def report(
    common: CommonOptions,
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="From this time on: 90m, 24h, 7d, 2026-11-26T19:00."),
    ] = "24h",
) -> None:
    """Show sessions, time, traffic and last address of each user."""
    from mstunnel_setup.operations import report

    run_command("mst-cli server report", common, lambda operator: report.report(operator, since))


@disconnect_app.command("user")
@with_options
def disconnect_user(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(help="The user, as `server show users` names it (object id).")],
) -> None:
    """End all sessions of a user; its devices may connect again at once."""
    from mstunnel_setup.operations import sessions

    run_command(
        "mst-cli server disconnect user",
        common,
        lambda operator: sessions.disconnect(operator, "user", name),
    )


@disconnect_app.command("id")
@with_options
def disconnect_id(
    common: CommonOptions,
    connection: Annotated[
        int, typer.Argument(min=1, help="The connection, as `server show users` numbers it.")
    ],
) -> None:
    """End one session; its device may connect again at once."""
    from mstunnel_setup.operations import sessions

    run_command(
        "mst-cli server disconnect id",
        common,
        lambda operator: sessions.disconnect(operator, "id", str(connection)),
    )


@unban_app.command("ip")
@with_options
def unban_address(
    common: CommonOptions,
    address: Annotated[str, typer.Argument(help="The address, as `server show ip bans` lists it.")],
) -> None:
    """Unban an address."""
    from mstunnel_setup.operations import sessions

    run_command("mst-cli server unban ip", common, lambda operator: sessions.unban(operator, address))


@server_app.command()
@with_options
def capture(
    common: CommonOptions,
    what: Annotated[str, typer.Argument(help="A network interface, or the tunnel address of a client.")],
    file: Annotated[str, typer.Argument(help="The new file (pcap).")],
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=3600, help="Stop after this time.")] = 60,
    megabytes: Annotated[int, typer.Option("--megabytes", min=1, max=1000, help="Stop at this size.")] = 50,
) -> None:
    """Record the traffic of a client or an interface, bounded in time and size."""
    from mstunnel_setup.operations import capture

    bounds = capture.Bounds(seconds, megabytes * 1_000_000)
    run_command(
        "mst-cli server capture", common, lambda operator: capture.capture(operator, what, file, bounds)
    )
