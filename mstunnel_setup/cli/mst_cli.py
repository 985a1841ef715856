"""The command line of `mst-cli`: options and names; each command is implemented in its own module."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.result import Result
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
from mstunnel_setup.exchange import MOST_DRAIN_MINUTES
from mstunnel_setup.io.operator import Operator

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

cert_app = app.group("cert", "The TLS certificate in use.", _CERTIFICATES)
ca_trust_app = app.group(
    "ca-trust",
    "Additional trusted roots: for both containers and every connection to the tenant.",
    _CERTIFICATES,
)
upgrade_app = app.group("upgrade", "Upgrade the two images, with rollback.", _UPGRADE)
agent_app = app.group("agent", f"The agent container: {paths.AGENT}.", _OPERATION)
server_app = app.group("server", f"The server container: {paths.SERVER}.", _OPERATION)
env_app = app.group("env", "The settings in env.sh.", _OPERATION)
config_app = app.group("config", "The server configuration of the site, here and in the tenant.", _OPERATION)
log_app = app.group("log", "How much the gateway logs.", _OPERATION)
site_app = app.group("site", "The site this server belongs to.", _ENROLMENT)
journal_app = app.group("journal", "The record of what was changed on this server.", _UPGRADE)


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
        """Return the options as a request. Raises UsageError `delay-unclear`."""
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


simple_command(cert_app, "show", "Show the certificate in use.", "operations.certificate.check:show")
simple_command(
    cert_app,
    "check",
    "Check the certificate, its revocation and what the gateway serves.",
    "operations.certificate.check:check",
)


@cert_app.command("repair")
def repair_certificate(
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Use another certificate if the one in use is lost.")
    ] = False,
) -> Work:
    """Repair the link and the files, for example after a copy that followed links."""
    from mstunnel_setup.operations.certificate import check

    return lambda operator: check.repair(operator, agreed=yes)


@cert_app.command("hook")
def write_hook(
    client: Annotated[
        Literal["certbot", "acme.sh"], typer.Argument(metavar="certbot|acme.sh", help="What renews it.")
    ],
) -> Work:
    """Have certbot or acme.sh import each renewed certificate into the gateway."""
    from mstunnel_setup.operations.certificate import write_hook

    return lambda operator: write_hook.write_hook(operator, client)


@ca_trust_app.command("add")
def trust_root(
    file: Annotated[Path, typer.Argument(help="Certificates of authorities (PEM or DER).")],
) -> Work:
    """Trust the authorities in a file."""
    from mstunnel_setup.operations.certificate import ca_trust

    return lambda operator: ca_trust.add(operator, file.absolute())


@ca_trust_app.command("remove")
def distrust_root(name: Annotated[str, typer.Argument(help="As `ca-trust list` shows it.")]) -> Work:
    """Stop trusting an authority."""
    from mstunnel_setup.operations.certificate import ca_trust

    return lambda operator: ca_trust.remove(operator, name)


simple_command(
    ca_trust_app, "list", "Show the additional trusted roots.", "operations.certificate.ca_trust:show"
)
simple_command(
    upgrade_app,
    "check",
    "Show the running release and the newest one.",
    "operations.upgrade.commands:check",
)


@upgrade_app.command("apply")
def upgrade(
    release: Annotated[str | None, typer.Argument(help="Name of a release; without it the newest.")] = None,
    drain: Annotated[
        int | None,
        typer.Option(
            "--drain",
            metavar="MINUTES",
            min=0,
            max=MOST_DRAIN_MINUTES,
            help="Refuse new connections and wait up to MINUTES for sessions to end; "
            "default: releases.toml, else 0.",
        ),
    ] = None,
) -> Work:
    """Upgrade now; roll back if the new release fails its test."""
    from mstunnel_setup.operations.upgrade import commands

    return lambda operator: commands.apply(operator, release, drain)


simple_command(
    upgrade_app,
    "refresh",
    "Fetch the list of releases from the release feed.",
    "operations.upgrade.fetch_releases:fetch_now",
)


@upgrade_app.command("import")
def import_releases(
    archive: Annotated[Path, typer.Argument(help="Archive of the release feed.", metavar="FILE")],
) -> Work:
    """Import the list of releases from a file, on a server that cannot reach the feed."""
    from mstunnel_setup.operations.upgrade import fetch_releases

    return lambda operator: fetch_releases.fetch_now(operator, archive.absolute())


simple_command(
    upgrade_app,
    "rollback",
    "Return to the release before the last upgrade.",
    "operations.upgrade.commands:rollback",
)
simple_command(
    upgrade_app, "history", "Show the upgrades of this server.", "operations.upgrade.commands:history"
)


def _component(group: App, name: str, container: str) -> None:
    """Return the commands shared by `mst-cli agent` and `mst-cli server`."""

    def switch(verb: Literal["state", "start", "stop", "restart"], about: str) -> None:
        @group.command("status" if verb == "state" else verb, help=about)
        def switched() -> Work:
            from mstunnel_setup.operations import component

            work: Callable[[Operator, str], Result] = getattr(component, verb)
            return lambda operator: work(operator, container)

    switch("state", f"Show state and health of the {name}.")
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


SettingName = Annotated[str, typer.Argument(help="For example TRACE_SESSIONS.")]


@env_app.command("get")
def get_setting(
    name: Annotated[str | None, typer.Argument(help="The setting; all of them without a name.")] = None,
) -> Work:
    """Show a setting, or all."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.get(operator, name)


@env_app.command("set")
def set_setting(name: SettingName, value: Annotated[str, typer.Argument(help="One line of text.")]) -> Work:
    """Set a setting; later runs of mstunnel-setup keep it."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.put(operator, name, value)


@env_app.command("unset")
def unset_setting(name: SettingName) -> Work:
    """Remove a setting."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.put(operator, name, None)


simple_command(
    env_app,
    "check",
    "Check that the gateway can use env.sh and its proxies; every restart does this first.",
    "operations.environment_check:env_check",
)
simple_command(config_app, "show", "Show the server configuration in use.", "operations.settings:show")


@config_app.command("diff", cls=taking(SignInOptions))
def diff_configuration(
    context: typer.Context,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with code 20 when anything differs.")
    ] = False,
) -> Work:
    """Compare the server configuration in use with that of the tenant."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.diff(operator, settings_of(context), exit_code=exit_code)


@config_app.command("pull", cls=taking(SignInOptions))
def pull_configuration(context: typer.Context) -> Work:
    """Apply the tenant's server configuration now instead of within minutes."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.pull(operator, settings_of(context))


@log_app.command("level")
def log_level(
    level: Annotated[
        str | None,
        typer.Argument(help="0 to 4; verbose: 4 for eight hours; normal: end that now. Without it: show."),
    ] = None,
) -> Work:
    """Show or set how much the server logs (DEBUG_LEVEL)."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.log_level_command(operator, level)


simple_command(site_app, "show", "Show the site this server belongs to.", "operations.registration:show")


@site_app.command("change", cls=taking(SignInOptions))
def change_site(
    context: typer.Context,
    site: Annotated[str, typer.Argument(metavar="ID_OR_NAME", help="The site to join.")],
) -> Work:
    """Leave the site for another one; certificate and identity stay."""
    from mstunnel_setup.operations import registration

    return lambda operator: registration.change(operator, settings_of(context), site)


@journal_app.command("repair")
def repair_journal(yes: Yes = False) -> Work:
    """Restore a damaged journal from its copy, after showing what the copy has."""
    from mstunnel_setup.install import journal_repair

    return lambda operator: journal_repair.repair(operator, yes=yes)


def main() -> int:
    """Run `mst-cli` and return the exit code."""
    return run_program(app, _PROGRAM)
