"""The command groups `mst-cli agent` and `mst-cli server`: names and options only."""

from typing import Annotated

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.cli.framework.command import Work, command
from mstunnel_setup.cli.framework.options import App, new_group


def _component(name: str, container: str) -> App:
    """The commands that agent and server have in common."""
    group = new_group()

    def switch(verb: str, about: str) -> None:
        @command(group, verb, about)
        def switched() -> Work:
            from mstunnel_setup.operations import component

            work = {
                "status": component.state,
                "start": component.start,
                "stop": component.stop,
                "restart": component.restart,
            }[verb]
            return lambda operator: work(operator, container)

    switch("status", f"Show state and health of the {name}.")
    switch("start", f"Start the {name} if it is stopped.")
    switch("stop", f"Stop the {name}; it stays down until you start it or the host boots.")
    switch("restart", f"Restart the {name}.")

    @command(group)
    def logs(
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log.")] = False,
        since: Annotated[
            str | None, typer.Option("--since", metavar="TIME", help="Only lines since this time.")
        ] = None,
        tail: Annotated[int, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")] = 0,
        timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Print timestamps.")] = False,
    ) -> Work:
        """Show the log."""
        from mstunnel_setup.containers import engine
        from mstunnel_setup.operations import component

        options = engine.LogOptions(follow=follow, lines=tail or None, since=since, timestamps=timestamps)
        return lambda operator: component.logs(operator, container, options)

    return group


agent_app = _component("agent", paths.AGENT)
server_app = _component("server", paths.SERVER)
disconnect_app = new_group("End sessions of devices.")
unban_app = new_group("Unban addresses.")
server_app.add_typer(disconnect_app, name="disconnect")
server_app.add_typer(unban_app, name="unban")


@command(server_app)
def show(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="status, users, user NAME, id ID, sessions all|valid, session SID, cookies all|valid, "
            "ip bans, ip ban points, iroutes or events."
        ),
    ] = None,
) -> Work:
    """Show status, users, sessions and bans, like occtl."""
    from mstunnel_setup.operations import sessions

    return lambda operator: sessions.show(operator, what or [])


@command(server_app)
def report(
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="From this time on: 90m, 24h, 7d, 2026-11-26T19:00."),
    ] = "24h",
) -> Work:
    """Show sessions, time, traffic and last address of each user."""
    from mstunnel_setup.operations import gateway_log

    return lambda operator: gateway_log.report(operator, since)


@command(disconnect_app, "user")
def disconnect_user(
    name: Annotated[str, typer.Argument(help="The user, as `server show users` names it (object id).")],
) -> Work:
    """End all sessions of a user; its devices may connect again at once."""
    from mstunnel_setup.operations import sessions

    return lambda operator: sessions.disconnect(operator, "user", name)


@command(disconnect_app, "id")
def disconnect_id(
    connection: Annotated[
        int, typer.Argument(min=1, help="The connection, as `server show users` numbers it.")
    ],
) -> Work:
    """End one session; its device may connect again at once."""
    from mstunnel_setup.operations import sessions

    return lambda operator: sessions.disconnect(operator, "id", str(connection))


@command(unban_app, "ip")
def unban_address(
    address: Annotated[str, typer.Argument(help="The address, as `server show ip bans` lists it.")],
) -> Work:
    """Unban an address."""
    from mstunnel_setup.operations import sessions

    return lambda operator: sessions.unban(operator, address)


@command(server_app)
def capture(
    what: Annotated[str, typer.Argument(help="A network interface, or the tunnel address of a client.")],
    file: Annotated[str, typer.Argument(help="The new file (pcap).")],
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=3600, help="Stop after this time.")] = 60,
    megabytes: Annotated[int, typer.Option("--megabytes", min=1, max=1000, help="Stop at this size.")] = 50,
) -> Work:
    """Record the traffic of a client or an interface, bounded in time and size."""
    from mstunnel_setup.operations import sessions

    bounds = sessions.CaptureBounds(seconds, megabytes * 1_000_000)
    return lambda operator: sessions.capture(operator, what, file, bounds)
