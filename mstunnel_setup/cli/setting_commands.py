"""The command groups `mst-cli env`, `config`, `log` and `site`: names and options only."""

from typing import Annotated

import typer

from mstunnel_setup.cli.framework.command import Work, command
from mstunnel_setup.cli.framework.options import SignInOptions, new_group

env_app = new_group()
config_app = new_group()
log_app = new_group()
site_app = new_group()

Name = Annotated[str, typer.Argument(help="For example TRACE_SESSIONS.")]


@command(env_app, "get")
def get_setting(
    name: Annotated[str | None, typer.Argument(help="The setting; all of them without a name.")] = None,
) -> Work:
    """Show a setting, or all."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.get(operator, name)


@command(env_app, "set")
def set_setting(name: Name, value: Annotated[str, typer.Argument(help="One line of text.")]) -> Work:
    """Set a setting; later runs of mstunnel-setup keep it."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.put(operator, name, value)


@command(env_app, "unset")
def unset_setting(name: Name) -> Work:
    """Remove a setting."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.put(operator, name, None)


@command(env_app, "check")
def check_settings() -> Work:
    """Check that the gateway can use env.sh and its proxies; every restart does this first."""
    from mstunnel_setup.operations import settings

    return settings.env_check


@command(config_app, "show")
def show_configuration() -> Work:
    """Show the server configuration in use."""
    from mstunnel_setup.operations import settings

    return settings.show


@command(config_app, "diff")
def diff_configuration(
    sign_in: SignInOptions,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with code 20 when anything differs.")
    ] = False,
) -> Work:
    """Compare the server configuration in use with that of the tenant."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.diff(operator, sign_in.settings(), exit_code=exit_code)


@command(config_app, "pull")
def pull_configuration(sign_in: SignInOptions) -> Work:
    """Apply the tenant's server configuration now instead of within minutes."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.pull(operator, sign_in.settings())


@command(log_app, "level")
def log_level(
    level: Annotated[
        str | None,
        typer.Argument(help="0 to 4; verbose: 4 for eight hours; normal: end that now. Without it: show."),
    ] = None,
) -> Work:
    """Show or set how much the server logs (DEBUG_LEVEL)."""
    from mstunnel_setup.operations import settings

    return lambda operator: settings.log_level_command(operator, level)


@command(site_app, "show")
def show_site() -> Work:
    """Show the site this server belongs to."""
    from mstunnel_setup.operations import enrolment

    return enrolment.show


@command(site_app, "change")
def change_site(
    sign_in: SignInOptions,
    site: Annotated[str, typer.Argument(metavar="ID_OR_NAME", help="The site to join.")],
) -> Work:
    """Leave the site for another one; certificate and identity stay."""
    from mstunnel_setup.operations import enrolment as site_work

    return lambda operator: site_work.change(operator, sign_in.settings(), site)
