"""The command line of `mst-cli`: options and names; the work is in one module per command."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import verbatim
from mstunnel_setup.cli.component_commands import agent_app, server_app
from mstunnel_setup.cli.framework.certificate_options import ImportOptions
from mstunnel_setup.cli.framework.command import Work, command
from mstunnel_setup.cli.framework.entry import run_program
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import (
    CertificateOptions,
    SignInOptions,
    Yes,
    full,
    new_app,
    new_group,
)
from mstunnel_setup.cli.framework.root import add_root
from mstunnel_setup.cli.setting_commands import config_app, env_app, log_app, site_app
from mstunnel_setup.exchange import LONGEST_DRAIN

_PROGRAM = "mst-cli"

app = new_app("Run, watch and remove the Microsoft Tunnel gateway on this server.")
add_root(app, _PROGRAM)
cert_app = new_group()
ca_trust_app = new_group()
upgrade_app = new_group()
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


@command(app)
def status() -> Work:
    """Show site, certificate and containers."""
    from mstunnel_setup.operations import status

    return status.overview


@command(app, "help")
def show_help(
    topic: Annotated[str | None, typer.Argument(help="The topic; without it all are listed.")] = None,
) -> Work:
    """Explain a topic, such as certificates, sign-in, images, upgrades or recovery."""
    from mstunnel_setup.operations import help_topics

    return lambda _operator: help_topics.topic(topic) if topic else help_topics.topics()


@command(app, "health")
def show_health() -> Work:
    """Check containers, certificate and health rows, for monitoring systems."""
    from mstunnel_setup.operations import health

    return health.health


@command(app)
def metrics(
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="ADDRESS",
            help="Serve them at /metrics: 127.0.0.1:PORT, [::1]:PORT or unix:/PATH.",
        ),
    ] = None,
) -> Work:
    """Show the metrics for Prometheus, or serve them on this machine."""
    from mstunnel_setup.operations import metrics

    return lambda operator: metrics.serve(operator, listen) if listen else metrics.show(operator)


@command(app)
def explain(
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
) -> Work:
    """Explain why a device cannot connect, or cannot reach an address."""
    from mstunnel_setup.operations import explain

    return lambda operator: explain.explain(operator, who, token_file)


@command(app)
def eula() -> Work:
    """Show the licence and terms of use."""
    from mstunnel_setup.install.steps import eula

    return lambda _operator: Result(data={"text": eula.terms()}, text=verbatim(eula.terms()))


@command(app)
def install(options: InstallOptions) -> Work:
    """Re-create the containers whose settings changed, for example after a proxy change in env.sh."""
    from mstunnel_setup.install import install

    return lambda operator: install.install(operator, options.request())


@command(app, "import_cert")
def import_cert(options: CertificateOptions, how: ImportOptions) -> Work:
    """Install a new TLS certificate without ending sessions."""
    from mstunnel_setup.operations.certificate import import_certificate

    return lambda operator: import_certificate.import_certificate(operator, options.settings(), how.request())


@command(app)
def uninstall(
    options: SignInOptions,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not change the tenant; list what remains there.")
    ] = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep settings, certificate and roots in /etc/mstunnel.")
    ] = False,
    yes: Yes = False,
) -> Work:
    """Remove the gateway from this server and from the tenant."""
    from mstunnel_setup.install import uninstall

    return lambda operator: uninstall.uninstall(
        operator, options.settings(), offline=offline, keep_data=keep_data, yes=yes
    )


@command(app)
def reenroll(options: SignInOptions, yes: Yes = False) -> Work:
    """Give this server a new identity and record in the tenant; site and certificate stay."""
    from mstunnel_setup.operations import enrolment

    return lambda operator: enrolment.reenroll(operator, options.settings(), yes=yes)


@command(app)
def version() -> Work:
    """Show the versions of this program and the engine, release and images; --verbose lists all parts."""
    from mstunnel_setup.operations import version

    return lambda operator: version.version(operator, verbose=operator.verbose)


@command(app)
def diagnose(
    file: Annotated[
        Path | None, typer.Argument(help="The new archive (.tar.gz); without it only the preview is shown.")
    ] = None,
) -> Work:
    """Collect diagnostic data without secrets; shows a preview before it writes a file."""
    from mstunnel_setup.operations import diagnose

    return lambda operator: diagnose.diagnose(operator, file and file.absolute())


@command(app)
def backup(file: Annotated[Path, typer.Argument(help="The new archive.")]) -> Work:
    """Back up what another host needs to replace this one; contains the private key."""
    from mstunnel_setup.operations import backup

    return lambda operator: backup.backup(operator, file.absolute())


@command(app)
def restore(
    options: SignInOptions,
    file: Annotated[Path, typer.Argument(help="Archive that `mst-cli backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove the record and identity of the original host.")
    ] = False,
) -> Work:
    """Install a backup of another host on this one."""
    from mstunnel_setup.operations import backup

    return lambda operator: backup.restore(operator, options.settings(), file.absolute(), replace=replace)


@command(cert_app, "show")
def show_certificate() -> Work:
    """Show the certificate in use."""
    from mstunnel_setup.operations.certificate import check

    return check.show


@command(cert_app, "check")
def check_certificate() -> Work:
    """Check the certificate, its revocation and what the gateway serves."""
    from mstunnel_setup.operations.certificate import check

    return check.check


@command(cert_app, "repair")
def repair_certificate(
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Use another certificate if the one in use is lost.")
    ] = False,
) -> Work:
    """Repair the link and the files, for example after a copy that followed links."""
    from mstunnel_setup.operations.certificate import check

    return lambda operator: check.repair(operator, agreed=yes)


@command(ca_trust_app, "add")
def trust_root(
    file: Annotated[Path, typer.Argument(help="Certificates of authorities (PEM or DER).")],
) -> Work:
    """Trust the authorities in a file."""
    from mstunnel_setup.operations.certificate import ca_trust

    return lambda operator: ca_trust.add(operator, file.absolute())


@command(ca_trust_app, "remove")
def distrust_root(name: Annotated[str, typer.Argument(help="As `ca-trust list` shows it.")]) -> Work:
    """Stop trusting an authority."""
    from mstunnel_setup.operations.certificate import ca_trust

    return lambda operator: ca_trust.remove(operator, name)


@command(ca_trust_app, "list")
def list_roots() -> Work:
    """Show the additional trusted roots."""
    from mstunnel_setup.operations.certificate import ca_trust

    return ca_trust.show


@command(upgrade_app, "check")
def check_releases() -> Work:
    """Show which release runs and which one is newest."""
    from mstunnel_setup.operations.upgrade import commands

    return commands.check


@command(upgrade_app, "apply")
def upgrade(
    release: Annotated[str | None, typer.Argument(help="Name of a release; without it the newest.")] = None,
    drain: Annotated[
        int | None,
        typer.Option(
            "--drain",
            metavar="MINUTES",
            min=0,
            max=LONGEST_DRAIN,
            help="Refuse new connections and wait up to MINUTES for sessions to end; "
            "default: releases.toml, else 0.",
        ),
    ] = None,
) -> Work:
    """Upgrade now; roll back if the new release does not serve."""
    from mstunnel_setup.operations.upgrade import commands

    return lambda operator: commands.apply(operator, release, drain)


@command(upgrade_app, "refresh")
def refresh_releases() -> Work:
    """Fetch the list of releases from the release feed."""
    from mstunnel_setup.operations.upgrade import releases

    return releases.fetch_now


@command(upgrade_app, "import")
def import_releases(
    archive: Annotated[Path, typer.Argument(help="Archive of the release feed.", metavar="FILE")],
) -> Work:
    """Import the list of releases from a file, on a server that cannot reach the feed."""
    from mstunnel_setup.operations.upgrade import releases

    return lambda operator: releases.fetch_now(operator, archive)


@command(upgrade_app, "rollback")
def roll_back() -> Work:
    """Return to the release before the last upgrade."""
    from mstunnel_setup.operations.upgrade import commands

    return commands.rollback


@command(upgrade_app, "history")
def show_upgrades() -> Work:
    """Show the upgrades of this server."""
    from mstunnel_setup.operations.upgrade import commands

    return commands.history


def main() -> int:
    """Run `mst-cli`; returns the exit code."""
    return run_program(app, _PROGRAM)
