"""The command line of `mst-cli`: options and names; the work is in one module per command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.base.lazy import LazyModule
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import verbatim
from mstunnel_setup.cli.framework.certificate_options import ImportOptions
from mstunnel_setup.cli.framework.entry import run_program
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.lazy import add_lazy_group
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
from mstunnel_setup.io.wake import wake_podman

if TYPE_CHECKING:
    from mstunnel_setup.install import install as install_work
    from mstunnel_setup.install import uninstall as uninstall_work
    from mstunnel_setup.install.steps import eula as eula_work
    from mstunnel_setup.operations import (
        backup as backup_work,
    )
    from mstunnel_setup.operations import (
        health as health_work,
    )
    from mstunnel_setup.operations import (
        help_topics as help_work,
    )
    from mstunnel_setup.operations import (
        metrics as metrics_work,
    )
    from mstunnel_setup.operations import (
        reenroll as reenroll_work,
    )
    from mstunnel_setup.operations import (
        restore as restore_work,
    )
    from mstunnel_setup.operations import (
        status as status_work,
    )
    from mstunnel_setup.operations import (
        version as version_work,
    )
    from mstunnel_setup.operations.certificate import import_certificate as import_work
    from mstunnel_setup.operations.diagnose import report as diagnose_work
    from mstunnel_setup.operations.explain import report as explain_work
else:
    install_work = LazyModule("install.install")
    eula_work = LazyModule("install.steps.eula")
    uninstall_work = LazyModule("install.uninstall")
    backup_work = LazyModule("operations.backup")
    import_work = LazyModule("operations.certificate.import_certificate")
    diagnose_work = LazyModule("operations.diagnose.report")
    explain_work = LazyModule("operations.explain.report")
    health_work = LazyModule("operations.health")
    help_work = LazyModule("operations.help_topics")
    metrics_work = LazyModule("operations.metrics")
    reenroll_work = LazyModule("operations.reenroll")
    restore_work = LazyModule("operations.restore")
    status_work = LazyModule("operations.status")
    version_work = LazyModule("operations.version")

_PROGRAM = "mst-cli"

app = new_app("Run, watch and remove the Microsoft Tunnel gateway on this server.")
add_root(app, _PROGRAM)


@app.command()
@with_options
def status(common: CommonOptions) -> None:
    """Show site, certificate and containers."""
    wake_podman()
    run_command(f"{_PROGRAM} status", common, status_work.overview)


@app.command("help")
@with_options
def show_help(
    common: CommonOptions,
    topic: Annotated[str | None, typer.Argument(help="The topic; without it all are listed.")] = None,
) -> None:
    """Explain a topic, such as certificates, sign-in, images, upgrades or recovery."""
    run_command(
        f"{_PROGRAM} help", common, lambda _operator: help_work.topic(topic) if topic else help_work.topics()
    )


@app.command("health")
@with_options
def show_health(common: CommonOptions) -> None:
    """Check containers, certificate and health rows, for monitoring systems."""
    wake_podman()
    run_command(f"{_PROGRAM} health", common, health_work.health)


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
    run_command(
        f"{_PROGRAM} metrics",
        common,
        lambda operator: metrics_work.serve(operator, listen) if listen else metrics_work.show(operator),
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
    run_command(
        f"{_PROGRAM} explain", common, lambda operator: explain_work.explain(operator, who, token_file)
    )


@app.command()
@with_options
def eula(common: CommonOptions) -> None:
    """Show the licence and terms of use."""
    run_command(
        f"{_PROGRAM} eula",
        common,
        lambda _operator: Result(data={"text": eula_work.text()}, text=verbatim(eula_work.text())),
    )


@app.command()
@with_options
def install(common: CommonOptions, options: InstallOptions) -> None:
    """Re-create the containers whose settings changed, for example after a proxy change in env.sh."""
    run_command(
        f"{_PROGRAM} install", common, lambda operator: install_work.install(operator, options.request())
    )


@app.command("import_cert")
@with_options
def import_cert(common: CommonOptions, options: CertificateOptions, how: ImportOptions) -> None:
    """Install a new TLS certificate without ending sessions."""
    run_command(
        f"{_PROGRAM} import_cert",
        common,
        lambda operator: import_work.import_certificate(operator, options.settings(), how.request()),
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
    run_command(
        f"{_PROGRAM} uninstall",
        common,
        lambda operator: uninstall_work.uninstall(
            operator, options.settings(), offline=offline, keep_data=keep_data, yes=yes
        ),
    )


@app.command()
@with_options
def reenroll(common: CommonOptions, options: SignInOptions, yes: Yes = False) -> None:
    """Give this server a new identity and record in the tenant; site and certificate stay."""
    run_command(
        f"{_PROGRAM} reenroll",
        common,
        lambda operator: reenroll_work.reenroll(operator, options.settings(), yes=yes),
    )


@app.command()
@with_options
def version(common: CommonOptions) -> None:
    """Show the versions of this program and the engine, release and images; --verbose lists all parts."""
    run_command(
        f"{_PROGRAM} version", common, lambda operator: version_work.version(operator, verbose=common.verbose)
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
    run_command(
        f"{_PROGRAM} diagnose",
        common,
        lambda operator: diagnose_work.diagnose(operator, file and file.absolute()),
    )


@app.command()
@with_options
def backup(common: CommonOptions, file: Annotated[Path, typer.Argument(help="The new archive.")]) -> None:
    """Back up what another host needs to replace this one; contains the private key."""
    run_command(f"{_PROGRAM} backup", common, lambda operator: backup_work.backup(operator, file.absolute()))


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
    run_command(
        f"{_PROGRAM} restore",
        common,
        lambda operator: restore_work.restore(operator, options.settings(), file.absolute(), replace=replace),
    )


add_lazy_group(app, "cert", "The TLS certificate in use.", "certificate_commands", "cert_app")
add_lazy_group(
    app,
    "ca-trust",
    "Additional trusted roots: for both containers and every connection to the tenant.",
    "certificate_commands",
    "ca_trust_app",
)
add_lazy_group(app, "upgrade", "Upgrade the two images, with rollback.", "upgrade_commands", "upgrade_app")
add_lazy_group(app, "agent", f"The agent container: {paths.AGENT}.", "component_commands", "agent_app")
add_lazy_group(app, "server", f"The server container: {paths.SERVER}.", "component_commands", "server_app")
add_lazy_group(app, "env", "The settings in env.sh.", "setting_commands", "env_app")
add_lazy_group(
    app,
    "config",
    "The server configuration of the site, here and in the tenant.",
    "setting_commands",
    "config_app",
)
add_lazy_group(app, "log", "How much the gateway logs.", "setting_commands", "log_app")
add_lazy_group(app, "site", "The site this server belongs to.", "setting_commands", "site_app")


def main() -> int:
    """Run `mst-cli`; returns the exit code."""
    return run_program(app, _PROGRAM)
