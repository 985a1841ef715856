"""`mst-cli env`, `config` and `log`: settings of the gateway."""

from typing import Annotated

import typer

from mstunnel_setup.cli.framework.command import App, Work, simple_command, taking
from mstunnel_setup.cli.framework.options import (
    SignInOptions,
    settings_of,
)

env_app = App()
config_app = App()
log_app = App()

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
