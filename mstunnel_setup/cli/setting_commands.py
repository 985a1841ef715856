"""The command groups `mst-cli env`, `config`, `log` and `site`: names and options only."""

from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

env_app = new_group()
config_app = new_group()
log_app = new_group()
site_app = new_group()

Name = Annotated[str, typer.Argument(help="For example TRACE_SESSIONS.")]


@env_app.command("get")
@with_options
def get_setting(
    common: CommonOptions,
    name: Annotated[str | None, typer.Argument(help="The setting; all of them without a name.")] = None,
) -> None:
    """Show a setting, or all."""
    from mstunnel_setup.operations.settings import environment_file

    run_command("mst-cli env get", common, lambda operator: environment_file.get(operator, name))


@env_app.command("set")
@with_options
def set_setting(
    common: CommonOptions, name: Name, value: Annotated[str, typer.Argument(help="One line of text.")]
) -> None:
    """Set a setting; later runs of mstunnel-setup keep it."""
    from mstunnel_setup.operations.settings import environment_file

    run_command("mst-cli env set", common, lambda operator: environment_file.put(operator, name, value))


@env_app.command("unset")
@with_options
def unset_setting(common: CommonOptions, name: Name) -> None:
    """Remove a setting."""
    from mstunnel_setup.operations.settings import environment_file

    run_command("mst-cli env unset", common, lambda operator: environment_file.put(operator, name, None))


@env_app.command("check")
@with_options
def check_settings(common: CommonOptions) -> None:
    """Check that the gateway can use env.sh and its proxies; every restart does this first."""
    from mstunnel_setup.operations.settings import environment_check

    run_command("mst-cli env check", common, environment_check.env_check)


@config_app.command("show")
@with_options
def show_configuration(common: CommonOptions) -> None:
    """Show the server configuration in use."""
    from mstunnel_setup.operations.settings import configuration

    run_command("mst-cli config show", common, configuration.show)


@config_app.command("diff")
@with_options
def diff_configuration(
    common: CommonOptions,
    sign_in: SignInOptions,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with code 20 when anything differs.")
    ] = False,
) -> None:
    """Compare the server configuration in use with that of the tenant."""
    from mstunnel_setup.operations.settings import configuration

    run_command(
        "mst-cli config diff",
        common,
        lambda operator: configuration.diff(operator, sign_in.settings(), exit_code=exit_code),
    )


@config_app.command("pull")
@with_options
def pull_configuration(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Apply the tenant's server configuration now instead of within minutes."""
    from mstunnel_setup.operations.settings import configuration

    run_command(
        "mst-cli config pull", common, lambda operator: configuration.pull(operator, sign_in.settings())
    )


@log_app.command("level")
@with_options
def log_level(
    common: CommonOptions,
    level: Annotated[
        str | None,
        typer.Argument(help="0 to 4; verbose: 4 for eight hours; normal: end that now. Without it: show."),
    ] = None,
) -> None:
    """Show or set how much the server logs (DEBUG_LEVEL)."""
    from mstunnel_setup.operations.settings import log_level

    run_command("mst-cli log level", common, lambda operator: log_level.log_level_command(operator, level))


@site_app.command("show")
@with_options
def show_site(common: CommonOptions) -> None:
    """Show the site this server belongs to."""
    from mstunnel_setup.operations import site

    run_command("mst-cli site show", common, site.show)


@site_app.command("change")
@with_options
def change_site(
    common: CommonOptions,
    sign_in: SignInOptions,
    site: Annotated[str, typer.Argument(metavar="ID_OR_NAME", help="The site to join.")],
) -> None:
    """Leave the site for another one; certificate and identity stay."""
    from mstunnel_setup.operations import site as site_work

    run_command(
        "mst-cli site change", common, lambda operator: site_work.change(operator, sign_in.settings(), site)
    )
