"""The command line of `mst-readiness`: options and names; the work is in `operations.readiness`."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import typer

from mstunnel_setup.base.text import text
from mstunnel_setup.cli.framework.command import VersionOption, Work, command, run_program, show_version
from mstunnel_setup.cli.framework.help import ArgumentOrCommand
from mstunnel_setup.cli.framework.options import (
    STYLE,
    App,
    CertificateOptions,
    CommonOptions,
    SignInOptions,
    option,
    refuse_before_command,
    with_options,
)
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-readiness"

_ABOUT = text("Check this host, its network and the tenant before an installation.")

app = App(cls=ArgumentOrCommand, **STYLE)


CheckScope: TypeAlias = Literal["utils", "host", "network", "certificate", "rootless", "account", "all"]


@dataclass(frozen=True)
class ReadinessOptions:
    """The planned gateway, and how to check; `answers.merge` reads the variables of settings."""

    ignore_check: Annotated[
        list[str] | None,
        option("--ignore-check", metavar="ID", help="Ignore a failed check."),
    ] = None
    fix: Annotated[
        bool,
        option("--fix", help="Show available fixes and apply them after confirmation."),
    ] = False
    timeout: Annotated[
        float,
        option("--timeout", metavar="SECONDS", min=1, max=3600, help="Time limit for all checks."),
    ] = 20.0
    rootless: Annotated[bool, typer.Option("--rootless", help="Check for a gateway in rootless Podman.")] = (
        False
    )
    engine: Annotated[
        Literal["auto", "podman", "docker"] | None,
        option("--engine", help="Container engine."),
    ] = None
    port: Annotated[
        int,
        option("--port", metavar="N", min=0, max=65535, help="Port of the gateway; 0: as configured."),
    ] = 0
    devices: Annotated[
        int,
        option("--devices", metavar="N", min=1, max=10_000_000, help="Number of devices to size for."),
    ] = 1000
    site: Annotated[str, option("--site", metavar="NAME", help="Site to join.")] = ""
    address: Annotated[
        str,
        option("--address", metavar="NAME", help="Public address that the certificate must name."),
    ] = ""


@app.callback(invoke_without_command=True, help=_ABOUT)
@with_options
def readiness(
    context: typer.Context,
    *,
    common: CommonOptions,
    options: ReadinessOptions,
    certificate: CertificateOptions,
    sign_in: SignInOptions,
    scope: Annotated[CheckScope, typer.Argument(help="What to check.")] = "all",
    version: VersionOption = False,
) -> None:
    """Check what the scope names, unless a command follows."""
    from mstunnel_setup.operations import readiness

    if version:
        show_version(_PROGRAM, common)
    if context.invoked_subcommand is not None:
        refuse_before_command(context, ReadinessOptions, CertificateOptions, SignInOptions)
        return
    own = {"mode": options.rootless and "rootless", "engine": options.engine, "site": options.site}
    request = readiness.ReadinessRequest(
        scope=scope,
        settings={
            **certificate.settings(),
            **sign_in.settings(),
            **{path: value for path, value in own.items() if value},
        },
        ignored_checks=tuple(options.ignore_check or ()),
        fix=options.fix,
        timeout=options.timeout,
        port=options.port,
        devices=options.devices,
        address=options.address,
    )
    run_command(_PROGRAM, common, lambda operator: readiness.run(operator, request))


@command(app)
def explain(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The check, as the report names it.")],
) -> Work:
    """Explain a check: what it looks at, why it matters, and how to fix what it finds."""
    from mstunnel_setup.operations.readiness_report import explain

    return lambda _operator: explain(id_)


def main() -> int:
    """Run `mst-readiness`; returns the exit code."""
    return run_program(app, _PROGRAM)
