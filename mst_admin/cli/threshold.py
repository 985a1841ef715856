"""`mst-admin threshold`: where health metrics turn healthy and unhealthy."""

from dataclasses import dataclass
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-admin threshold"
threshold_app = new_group()

Metric = Annotated[str, typer.Argument(metavar="METRIC", help="Name of the metric, as `list` shows it.")]


@dataclass(frozen=True)
class ThresholdOptions:
    """Values to change; what is not given keeps its value."""

    healthy: Annotated[int | None, typer.Option("--healthy", help="Healthy up to this value.")] = None
    unhealthy: Annotated[int | None, typer.Option("--unhealthy", help="Unhealthy from this value.")] = None


@threshold_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions) -> None:
    """List the thresholds of all metrics."""
    from mst_admin import threshold_commands

    run_command(
        f"{_PROGRAM} list",
        common,
        lambda operator: threshold_commands.list_thresholds(operator, sign_in.settings()),
    )


@threshold_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, metric: Metric) -> None:
    """Show the thresholds of a metric."""
    from mst_admin import threshold_commands

    run_command(
        f"{_PROGRAM} show",
        common,
        lambda operator: threshold_commands.show(operator, sign_in.settings(), metric),
    )


@threshold_app.command()
@with_options
def create(
    common: CommonOptions,
    sign_in: SignInOptions,
    metric: Metric,
    healthy: Annotated[int, typer.Option("--healthy", help="Healthy up to this value.")],
    unhealthy: Annotated[int, typer.Option("--unhealthy", help="Unhealthy from this value.")],
) -> None:
    """Set the thresholds of a metric that has none."""
    from mst_admin import threshold_commands

    run_command(
        f"{_PROGRAM} create",
        common,
        lambda operator: threshold_commands.set_threshold(
            operator, sign_in.settings(), metric, (healthy, unhealthy), new=True
        ),
    )


@threshold_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    metric: Metric,
    values: ThresholdOptions,
    default: Annotated[bool, typer.Option("--default", help="Reset to the default of the service.")] = False,
) -> None:
    """Change the thresholds of a metric."""
    from mst_admin import threshold_commands

    run_command(
        f"{_PROGRAM} update",
        common,
        lambda operator: threshold_commands.set_threshold(
            operator, sign_in.settings(), metric, (values.healthy, values.unhealthy), default=default
        ),
    )


@threshold_app.command()
@with_options
def delete(
    common: CommonOptions,
    sign_in: SignInOptions,
    metric: Metric,
    yes: Yes = False,
) -> None:
    """Delete the thresholds of a metric."""
    from mst_admin import threshold_commands

    run_command(
        f"{_PROGRAM} delete",
        common,
        lambda operator: threshold_commands.delete(operator, sign_in.settings(), metric, yes=yes),
    )
