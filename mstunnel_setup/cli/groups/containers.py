"""`mst-cli agent` and `mst-cli server`: the two containers, and the sessions of devices."""

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.command import App, Work
from mstunnel_setup.io.operator import Operator

agent_app = App()
server_app = App()


def _component(group: App, name: str, container: str) -> None:
    """Return the commands shared by `mst-cli agent` and `mst-cli server`."""

    def switch(verb: Literal["start", "stop", "restart"], about: str) -> None:
        @group.command(verb, help=about)
        def switched() -> Work:
            from mstunnel_setup.operations import container_switch

            work: Callable[[Operator, str], Result] = getattr(container_switch, verb)
            return lambda operator: work(operator, container)

    @group.command("status", help=f"Show state and health of the {name}.")
    def state() -> Work:
        from mstunnel_setup.operations import component

        return lambda operator: component.state(operator, container)

    switch("start", f"Start the {name} if it is stopped.")
    switch("stop", f"Stop the {name}; it stays down until you start it or the host boots.")
    switch("restart", f"Restart the {name}.")

    @group.command()
    def logs(
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log.")] = False,
        since: Annotated[
            str | None, typer.Option("--since", metavar="TIME", help="Only lines since this time.")
        ] = None,
        tail: Annotated[
            int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")
        ] = None,
        timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Print timestamps.")] = False,
    ) -> Work:
        """Show the log."""
        from mstunnel_setup.containers import engine
        from mstunnel_setup.operations import component

        options = engine.LogOptions(follow=follow, lines=tail, since=since, timestamps=timestamps)
        return lambda operator: component.logs(operator, container, options)


_component(agent_app, "agent", paths.AGENT)
_component(server_app, "server", paths.SERVER)
disconnect_app = server_app.group("disconnect", "End sessions of devices.")
unban_app = server_app.group("unban", "Unban addresses.")


@server_app.command()
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


@server_app.command()
def report(
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="From this time on: 90m, 24h, 7d, 2026-11-26T19:00."),
    ] = "24h",
) -> Work:
    """Show sessions, time, traffic and last address of each user."""
    from mstunnel_setup.operations import gateway_log

    return lambda operator: gateway_log.report(operator, since)


@disconnect_app.command("user")
def disconnect_user(
    name: Annotated[str, typer.Argument(help="The user, as `server show users` names it (object id).")],
) -> Work:
    """End all sessions of a user; its devices may connect again at once."""
    from mstunnel_setup.operations import sessions

    return lambda operator: sessions.disconnect(operator, "user", name)


@disconnect_app.command("id")
def disconnect_id(
    connection: Annotated[
        int, typer.Argument(min=1, help="The connection, as `server show users` numbers it.")
    ],
) -> Work:
    """End one session; its device may connect again at once."""
    from mstunnel_setup.operations import sessions

    return lambda operator: sessions.disconnect(operator, "id", str(connection))


@unban_app.command("ip")
def unban_address(
    address: Annotated[str, typer.Argument(help="The address, as `server show ip bans` lists it.")],
) -> Work:
    """Unban an address."""
    from mstunnel_setup.operations import sessions

    return lambda operator: sessions.unban(operator, address)


@server_app.command()
def capture(
    what: Annotated[str, typer.Argument(help="A network interface, or the tunnel address of a client.")],
    file: Annotated[str, typer.Argument(help="The new file (pcap).")],
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=3600, help="Stop after this time.")] = 60,
    megabytes: Annotated[int, typer.Option("--megabytes", min=1, max=1000, help="Stop at this size.")] = 50,
) -> Work:
    """Record the traffic of a client or an interface, bounded in time and size."""
    from mstunnel_setup.operations import sessions

    largest = megabytes * 1_000_000
    return lambda operator: sessions.capture(operator, what, file, seconds=seconds, largest=largest)
