"""The command line of `mst-cli`: options and names; the work is in one module per command."""

from typing import Annotated

import typer

from mstunnel_setup import __version__, paths
from mstunnel_setup.cli.certificate_commands import ca_trust_app, cert_app
from mstunnel_setup.cli.certificate_options import ImportOptions
from mstunnel_setup.cli.options import (
    CertificateOptions,
    CommonOptions,
    InstallOptions,
    SignInOptions,
    new_app,
    with_options,
)
from mstunnel_setup.cli.render import Result, run_app, run_command
from mstunnel_setup.cli.streams import hold

_PROGRAM = "mst-cli"

app = new_app("Run, watch and remove the Microsoft Tunnel gateway on this server.")


@app.callback(invoke_without_command=True)
@with_options
def program(
    context: typer.Context,
    common: CommonOptions,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Run, watch and remove the Microsoft Tunnel gateway on this server."""
    if version:
        run_command(_PROGRAM, common, lambda _session: Result(text=[f"{_PROGRAM} {__version__}"]))
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
@with_options
def status(common: CommonOptions) -> None:
    """Show site, certificate and containers at a glance."""
    from mstunnel_setup.cli.overview import overview  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} status", common, overview)


@app.command("health")
@with_options
def show_health(common: CommonOptions) -> None:
    """Say whether containers and certificate are well; nothing is changed."""
    from mstunnel_setup.cli.health import health  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} health", common, health)


@app.command()
@with_options
def eula(common: CommonOptions) -> None:
    """Show the licence and terms of use."""
    from mstunnel_setup.steps.eula import text  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_PROGRAM} eula", common, lambda _session: Result(data={"text": text()}, text=text().splitlines())
    )


@app.command()
@with_options
def install(common: CommonOptions, options: InstallOptions) -> None:
    """Make the gateway anew where settings have changed, as after a change of the proxy in env.sh."""
    from mstunnel_setup.cli.install import install as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} install", common, lambda session: run(session, options))


@app.command("import_cert")
@app.command("import-cert", hidden=True)
@with_options
def import_cert(common: CommonOptions, options: CertificateOptions, how: ImportOptions) -> None:
    """Take a new TLS certificate into use, without ending sessions."""
    from mstunnel_setup.cli.import_certificate import import_certificate  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} import_cert", common, lambda session: import_certificate(session, options, how))


@app.command()
@with_options
def uninstall(common: CommonOptions, options: SignInOptions) -> None:
    """Remove the gateway from this server and from the tenant."""
    from mstunnel_setup.cli.uninstall import uninstall as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} uninstall", common, lambda session: run(session, options))


def _component(name: str, container: str) -> typer.Typer:
    """The commands that agent and server have in common."""
    group = new_app(f"The {name} container: {container}.")

    def switch(verb: str, about: str) -> None:
        @group.command(verb, help=about)
        @with_options
        def command(common: CommonOptions) -> None:
            from mstunnel_setup.cli import component  # noqa: PLC0415 (`--help` stays fast)

            work = {
                "status": component.state,
                "start": component.start,
                "stop": component.stop,
                "restart": component.restart,
            }[verb]
            run_command(f"{_PROGRAM} {name} {verb}", common, lambda session: work(session, container))

    switch("status", f"Show state and health of the {name}.")
    switch("start", f"Start the {name} if it is stopped.")
    switch("stop", f"Stop the {name}.")
    switch("restart", f"Stop and start the {name}.")

    @group.command()
    @with_options
    def logs(
        common: CommonOptions,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep following.")] = False,
        since: Annotated[
            str | None, typer.Option("--since", metavar="TIME", help="Only lines since then.")
        ] = None,
        tail: Annotated[int, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")] = 0,
        timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Print timestamps.")] = False,
    ) -> None:
        """Show the log."""
        from mstunnel_setup.cli import component  # noqa: PLC0415 (`--help` stays fast)
        from mstunnel_setup.containers.engine import LogOptions  # noqa: PLC0415 (`--help` stays fast)

        options = LogOptions(follow=follow, lines=tail or None, since=since, timestamps=timestamps)
        run_command(
            f"{_PROGRAM} {name} logs",
            common,
            lambda session: component.logs(session, container, options),
        )

    return group


agent_app = _component("agent", paths.AGENT)
server_app = _component("server", paths.SERVER)
app.add_typer(cert_app, name="cert")
app.add_typer(ca_trust_app, name="ca-trust")
app.add_typer(agent_app, name="agent")
app.add_typer(server_app, name="server")


@server_app.command()
@with_options
def show(
    common: CommonOptions,
    what: Annotated[list[str], typer.Argument(help="status, users, user NAME, id ID, sessions all, …")],
) -> None:
    """Show status, users, sessions and bans, as occtl does."""
    from mstunnel_setup.cli.show import show as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} server show", common, lambda session: run(session, what))


def main() -> int:
    """Run `mst-cli`; returns the exit code."""
    hold()
    return run_app(app, _PROGRAM)
