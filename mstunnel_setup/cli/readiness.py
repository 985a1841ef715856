"""The command line of `mst-readiness`: options and names; `operations.readiness` implements them."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import typer
from typer.core import TyperArgument

from mstunnel_setup.base.text import text
from mstunnel_setup.cli.framework.command import (
    App,
    Program,
    VersionOption,
    Work,
    refuse_before_command,
    run_program,
    taking,
)
from mstunnel_setup.cli.framework.options import (
    CertificateOptions,
    CommonOptions,
    SignInOptions,
    option,
    options_of,
    settings_of,
)

_PROGRAM = "mst-readiness"

CheckScope: TypeAlias = Literal["utils", "host", "network", "certificate", "rootless", "account", "all"]


@dataclass(frozen=True)
class ReadinessOptions:
    """Options for the planned gateway and the checks; `answers.merge` reads the variables of settings."""

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


_OPTIONS = (ReadinessOptions, CertificateOptions, SignInOptions)
_scope = App()


@_scope.command("check", hidden=True, cls=taking(*_OPTIONS))
def check(
    context: typer.Context, scope: Annotated[CheckScope, typer.Argument(help="What to check.")] = "all"
) -> Work:
    """Check what the scope names."""
    return _checks(context, scope)


class _Readiness(Program):
    """Checks without a command; the first word is a command, or else the scope of the checks."""

    options: ClassVar = (CommonOptions, *_OPTIONS, VersionOption)
    check = typer.main.get_command(_scope)
    arguments = tuple(each for each in check.params if isinstance(each, TyperArgument))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the first word names; a scope is an argument of the checks."""
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return self.check.name, self.check, args


app = App(text("Check this host, its network and the tenant before an installation."), _Readiness)


@app.callback(subcommand_metavar="[SCOPE] COMMAND [ARGS]...")
def readiness(context: typer.Context) -> Work | None:
    """Check everything, unless a command follows."""
    if context.invoked_subcommand is None:
        return _checks(context, "all")
    if context.invoked_subcommand != _Readiness.check.name:
        refuse_before_command(context, *_OPTIONS)
    return None


def _checks(context: typer.Context, scope: CheckScope) -> Work:
    from mstunnel_setup.operations import readiness

    options = options_of(context, ReadinessOptions)
    own = {"mode": options.rootless and "rootless", "engine": options.engine, "site": options.site}
    request = readiness.ReadinessRequest(
        scope=scope,
        settings={
            **settings_of(context, CertificateOptions),
            **settings_of(context),
            **{path: value for path, value in own.items() if value},
        },
        ignored_checks=tuple(options.ignore_check or ()),
        fix=options.fix,
        timeout=options.timeout,
        port=options.port,
        devices=options.devices,
        address=options.address,
    )
    return lambda operator: readiness.run(operator, request)


@app.command()
def explain(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The check, as the report names it.")],
) -> Work:
    """Explain a check: what it looks at, why it matters, and how to fix what it finds."""
    from mstunnel_setup.operations.readiness_report import explain

    return lambda _operator: explain(id_)


def main() -> int:
    """Run `mst-readiness` and return the exit code."""
    return run_program(app, _PROGRAM)
