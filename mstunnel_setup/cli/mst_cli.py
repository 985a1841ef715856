"""The command line of `mst-cli`: options and names; the work is in one module per command."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import verbatim
from mstunnel_setup.cli.certificate_commands import ca_trust_app, cert_app
from mstunnel_setup.cli.component_commands import agent_app, server_app
from mstunnel_setup.cli.framework.certificate_options import ImportOptions
from mstunnel_setup.cli.framework.entry import run_program
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import (
    CertificateOptions,
    CommonOptions,
    SignInOptions,
    Yes,
    full,
    new_app,
    with_options,
)
from mstunnel_setup.cli.framework.render import run_command
from mstunnel_setup.cli.framework.root import add_root
from mstunnel_setup.cli.setting_commands import config_app, env_app, log_app, site_app
from mstunnel_setup.cli.upgrade_commands import upgrade_app

_PROGRAM = "mst-cli"

app = new_app("Run, watch and remove the Microsoft Tunnel gateway on this server.")
add_root(app, _PROGRAM)


@app.command()
@with_options
def status(common: CommonOptions) -> None:
    """Show site, certificate and containers."""
    from mstunnel_setup.operations import status

    run_command(f"{_PROGRAM} status", common, status.overview)


@app.command("help")
@with_options
def show_help(
    common: CommonOptions,
    topic: Annotated[str | None, typer.Argument(help="The topic; without it all are listed.")] = None,
) -> None:
    """Explain a topic, such as certificates, sign-in, images, upgrades or recovery."""
    from mstunnel_setup.operations import help_topics

    run_command(
        f"{_PROGRAM} help",
        common,
        lambda _operator: help_topics.topic(topic) if topic else help_topics.topics(),
    )


@app.command("health")
@with_options
def show_health(common: CommonOptions) -> None:
    """Check containers, certificate and health rows, for monitoring systems."""
    from mstunnel_setup.operations import health

    run_command(f"{_PROGRAM} health", common, health.health)


@app.command()
@with_options
def metrics(
    common: CommonOptions,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="ADDRESS",
            help="Serve them at /metrics: 127.0.0.1:PORT, [::1]:PORT or unix:/PATH.",
        ),
    ] = None,
) -> None:
    """Show the metrics for Prometheus, or serve them on this machine."""
    from mstunnel_setup.operations import metrics

    run_command(
        f"{_PROGRAM} metrics",
        common,
        lambda operator: metrics.serve(operator, listen) if listen else metrics.show(operator),
    )


@app.command()
@with_options
def explain(
    common: CommonOptions,
    who: Annotated[
        str,
        typer.Argument(
            metavar="USER|ADDRESS",
            help="A user (object id), the address of a device, or the address or name of a destination.",
        ),
    ],
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="PATH",
            callback=full,
            help="An access token of the device, to decode its claims; it is never printed.",
        ),
    ] = None,
) -> None:
    """Explain why a device cannot connect, or cannot reach an address."""
    from mstunnel_setup.operations.explain import report

    run_command(f"{_PROGRAM} explain", common, lambda operator: report.explain(operator, who, token_file))


@app.command()
@with_options
def eula(common: CommonOptions) -> None:
    """Show the licence and terms of use."""
    from mstunnel_setup.install.steps import eula

    run_command(
        f"{_PROGRAM} eula",
        common,
        lambda _operator: Result(data={"text": eula.terms()}, text=verbatim(eula.terms())),
    )


@app.command()
@with_options
def install(common: CommonOptions, options: InstallOptions) -> None:
    """Re-create the containers whose settings changed, for example after a proxy change in env.sh."""
    from mstunnel_setup.install import install

    run_command(f"{_PROGRAM} install", common, lambda operator: install.install(operator, options.request()))


@app.command("import_cert")
@with_options
def import_cert(common: CommonOptions, options: CertificateOptions, how: ImportOptions) -> None:
    """Install a new TLS certificate without ending sessions."""
    from mstunnel_setup.operations.certificate import import_certificate

    run_command(
        f"{_PROGRAM} import_cert",
        common,
        lambda operator: import_certificate.import_certificate(operator, options.settings(), how.request()),
    )


@app.command()
@with_options
def uninstall(
    common: CommonOptions,
    options: SignInOptions,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not change the tenant; list what remains there.")
    ] = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep settings, certificate and roots in /etc/mstunnel.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove the gateway from this server and from the tenant."""
    from mstunnel_setup.install import uninstall

    run_command(
        f"{_PROGRAM} uninstall",
        common,
        lambda operator: uninstall.uninstall(
            operator, options.settings(), offline=offline, keep_data=keep_data, yes=yes
        ),
    )


@app.command()
@with_options
def reenroll(common: CommonOptions, options: SignInOptions, yes: Yes = False) -> None:
    """Give this server a new identity and record in the tenant; site and certificate stay."""
    from mstunnel_setup.operations import reenroll

    run_command(
        f"{_PROGRAM} reenroll",
        common,
        lambda operator: reenroll.reenroll(operator, options.settings(), yes=yes),
    )


@app.command()
@with_options
def version(common: CommonOptions) -> None:
    """Show the versions of this program and the engine, release and images; --verbose lists all parts."""
    from mstunnel_setup.operations import version

    run_command(
        f"{_PROGRAM} version", common, lambda operator: version.version(operator, verbose=common.verbose)
    )


@app.command()
@with_options
def diagnose(
    common: CommonOptions,
    file: Annotated[
        Path | None, typer.Argument(help="The new archive (.tar.gz); without it only the preview is shown.")
    ] = None,
) -> None:
    """Collect diagnostic data without secrets; shows a preview before it writes a file."""
    from mstunnel_setup.operations.diagnose import report

    run_command(
        f"{_PROGRAM} diagnose",
        common,
        lambda operator: report.diagnose(operator, file and file.absolute()),
    )


@app.command()
@with_options
def backup(common: CommonOptions, file: Annotated[Path, typer.Argument(help="The new archive.")]) -> None:
    """Back up what another host needs to replace this one; contains the private key."""
    from mstunnel_setup.operations import backup

    run_command(f"{_PROGRAM} backup", common, lambda operator: backup.backup(operator, file.absolute()))


@app.command()
@with_options
def restore(
    common: CommonOptions,
    options: SignInOptions,
    file: Annotated[Path, typer.Argument(help="Archive that `mst-cli backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove the record and identity of the original host.")
    ] = False,
) -> None:
    """Install a backup of another host on this one."""
    from mstunnel_setup.operations import restore

    run_command(
        f"{_PROGRAM} restore",
        common,
        lambda operator: restore.restore(operator, options.settings(), file.absolute(), replace=replace),
    )


app.add_typer(cert_app, name="cert", help="The TLS certificate in use.")
app.add_typer(
    ca_trust_app,
    name="ca-trust",
    help="Additional trusted roots: for both containers and every connection to the tenant.",
)
app.add_typer(upgrade_app, name="upgrade", help="Upgrade the two images, with rollback.")
app.add_typer(agent_app, name="agent", help=f"The agent container: {paths.AGENT}.")
app.add_typer(server_app, name="server", help=f"The server container: {paths.SERVER}.")
app.add_typer(env_app, name="env", help="The settings in env.sh.")
app.add_typer(config_app, name="config", help="The server configuration of the site, here and in the tenant.")
app.add_typer(log_app, name="log", help="How much the gateway logs.")
app.add_typer(site_app, name="site", help="The site this server belongs to.")


def main() -> int:
    """Run `mst-cli`; returns the exit code."""
    return run_program(app, _PROGRAM)
