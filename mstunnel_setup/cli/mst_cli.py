"""The command line of `mst-cli`: options and names; each command is implemented in its own module."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.cli.framework.command import App, Program, Work, run_program, simple_command, taking
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import (
    CertificateOptions,
    SignInOptions,
    Yes,
    absolute,
    options_of,
    settings_of,
)

if TYPE_CHECKING:
    from mstunnel_setup.operations.certificate.import_certificate import ImportRequest

_PROGRAM = "mst-cli"
# Sections of the help.
_STATUS = text("Status and diagnosis")
_OPERATION = text("Operation and settings")
_CERTIFICATES = text("Certificates")
_UPGRADE = text("Upgrade and recovery")
_ENROLMENT = text("Enrolment and removal")

app = App("Run, watch and remove the Microsoft Tunnel gateway on this server.", Program)

_GROUPS = "mstunnel_setup.cli.groups"
app.mount("agent", f"{_GROUPS}.containers:agent_app", f"The agent container: {paths.AGENT}.", _OPERATION)
app.mount("server", f"{_GROUPS}.containers:server_app", f"The server container: {paths.SERVER}.", _OPERATION)
app.mount("env", f"{_GROUPS}.settings:env_app", "The settings in env.sh.", _OPERATION)
app.mount(
    "config",
    f"{_GROUPS}.settings:config_app",
    "The server configuration of the site, here and in the tenant.",
    _OPERATION,
)
app.mount("log", f"{_GROUPS}.settings:log_app", "How much the gateway logs.", _OPERATION)
app.mount("cert", f"{_GROUPS}.certificates:cert_app", "The TLS certificate in use.", _CERTIFICATES)
app.mount(
    "ca-trust",
    f"{_GROUPS}.certificates:ca_trust_app",
    "Additional trusted roots: for both containers and every connection to the tenant.",
    _CERTIFICATES,
)
app.mount("site", f"{_GROUPS}.enrolment:site_app", "The site this server belongs to.", _ENROLMENT)
app.mount("upgrade", f"{_GROUPS}.upgrade:upgrade_app", "Upgrade the two images, with rollback.", _UPGRADE)
app.mount(
    "journal", f"{_GROUPS}.enrolment:journal_app", "The record of what was changed on this server.", _UPGRADE
)


simple_command(app, "status", "Show site, certificate and containers.", "operations.status:overview", _STATUS)


@app.command("help", rich_help_panel=_STATUS)
def show_help(
    topic: Annotated[str | None, typer.Argument(help="The topic; without it all are listed.")] = None,
) -> Work:
    """Explain a topic, such as certificates, sign-in, images, upgrades or recovery."""
    from mstunnel_setup.operations import help_topics

    return lambda _operator: help_topics.topic(topic) if topic else help_topics.topics()


simple_command(
    app,
    "health",
    "Check containers, certificate and health rows, for monitoring systems.",
    "operations.health:health",
    _STATUS,
)


@app.command(rich_help_panel=_STATUS)
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


@app.command(rich_help_panel=_STATUS)
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
            callback=absolute,
            help="An access token of the device, to decode its claims; it is never printed.",
        ),
    ] = None,
) -> Work:
    """Explain why a device cannot connect, or cannot reach an address."""
    from mstunnel_setup.operations import explain

    return lambda operator: explain.explain(operator, who, token_file)


simple_command(app, "eula", "Show the licence and terms of use.", "install.steps.eula:show", _STATUS)


@app.command(rich_help_panel=_OPERATION, cls=taking(InstallOptions))
def install(context: typer.Context) -> Work:
    """Re-create the containers whose settings changed, for example after a proxy change in env.sh."""
    from mstunnel_setup.install import install

    return lambda operator: install.install(operator, options_of(context, InstallOptions).request())


@dataclass(frozen=True)
class ImportOptions:
    """The options of `import-cert` that say how and when to install the certificate."""

    word: Annotated[
        str | None, typer.Argument(metavar="delay", help="The word `delay`: as --delay MINUTES.")
    ] = None
    minutes: Annotated[
        str | None, typer.Argument(metavar="MINUTES", help="Minutes after the word `delay`.")
    ] = None
    delay: Annotated[
        int | None,
        typer.Option("--delay", metavar="MINUTES", min=0, help="Activate it after this delay."),
    ] = None
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Activate it at this time (ISO 8601; local time)."),
    ] = None
    if_changed: Annotated[
        bool,
        typer.Option("--if-changed", help="Do nothing if it is already in use; for renewal hooks."),
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the certificate, change nothing.")] = False
    list_pending: Annotated[bool, typer.Option("--list", help="Show delayed imports.")] = False
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="NAME", help="Cancel a delayed import.")
    ] = None
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Allow a certificate that is older than the one in use or ends earlier."
        ),
    ] = False
    activate: Annotated[str | None, typer.Option("--activate", metavar="NAME", hidden=True)] = None

    def request(self) -> "ImportRequest":
        """Return the options as a request to import. Raises UsageError `delay-unclear`."""
        from mstunnel_setup.operations.certificate.import_certificate import ImportRequest

        delay = self.delay
        if self.word is not None:
            # The vendor's command takes `delay N` without dashes.
            delay = whole_number(self.minutes or "") if self.word == "delay" else None
            if delay is None:
                raise UsageError(
                    "delay-unclear",
                    "`{words}` is not a delay",
                    hint="Write `delay` and a number of minutes, as in `mst-cli import_cert delay 10080`.",
                    words=" ".join(filter(None, (self.word, self.minutes))),
                )
        same = {name: value for name, value in vars(self).items() if name not in ("word", "minutes")}
        return ImportRequest(**{**same, "delay": delay})


@app.command("import_cert", rich_help_panel=_CERTIFICATES, cls=taking(CertificateOptions, ImportOptions))
def import_cert(context: typer.Context) -> Work:
    """Install a new TLS certificate without ending sessions."""
    from mstunnel_setup.operations.certificate import import_certificate

    return lambda operator: import_certificate.import_certificate(
        operator, settings_of(context, CertificateOptions), options_of(context, ImportOptions).request()
    )


@app.command(rich_help_panel=_ENROLMENT, cls=taking(SignInOptions))
def uninstall(
    context: typer.Context,
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
        operator, settings_of(context), offline=offline, keep_data=keep_data, yes=yes
    )


@app.command(rich_help_panel=_ENROLMENT, cls=taking(SignInOptions))
def reenroll(context: typer.Context, yes: Yes = False) -> Work:
    """Give this server a new identity and record in the tenant; site and certificate stay."""
    from mstunnel_setup.operations import registration

    return lambda operator: registration.reenroll(operator, settings_of(context), yes=yes)


@app.command(rich_help_panel=_STATUS)
def version() -> Work:
    """Show the versions of this program and the engine, release and images; --verbose lists all parts."""
    from mstunnel_setup.operations import version

    return lambda operator: version.version(operator, verbose=operator.verbose)


@app.command(rich_help_panel=_STATUS)
def diagnose(
    file: Annotated[
        Path | None, typer.Argument(help="The new archive (.tar.gz); without it only the preview is shown.")
    ] = None,
) -> Work:
    """Collect diagnostic data without secrets; shows a preview before it writes a file."""
    from mstunnel_setup.operations import diagnose

    return lambda operator: diagnose.diagnose(operator, file and file.absolute())


@app.command(rich_help_panel=_UPGRADE)
def backup(file: Annotated[Path, typer.Argument(help="The new archive.")]) -> Work:
    """Back up what another host needs to replace this one; contains the private key."""
    from mstunnel_setup.operations import backup

    return lambda operator: backup.backup(operator, file.absolute())


@app.command(rich_help_panel=_UPGRADE, cls=taking(SignInOptions))
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Archive that `mst-cli backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove the record and identity of the original host.")
    ] = False,
    trust_backup: Annotated[
        bool, typer.Option("--trust-backup", help="Trust what the archive does, without a question.")
    ] = False,
) -> Work:
    """Install a backup of another host on this one."""
    from mstunnel_setup.operations import backup

    return lambda operator: backup.restore(
        operator, settings_of(context), file.absolute(), replace=replace, trusted=trust_backup
    )


def main() -> int:
    """Run `mst-cli` and return the exit code."""
    return run_program(app, _PROGRAM)
