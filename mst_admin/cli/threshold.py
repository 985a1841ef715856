"""`mst-admin threshold`: where health metrics turn healthy and unhealthy."""

from dataclasses import dataclass
from typing import Annotated

import typer

from mst_admin.cli.objects import ObjectCommands
from mst_admin.kinds.threshold import THRESHOLD
from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, with_options
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-admin threshold"
_METRIC = "Name of the metric, as `list` shows it."

Metric = Annotated[str, typer.Argument(metavar="METRIC", help=_METRIC)]


@dataclass(frozen=True)
class ThresholdOptions:
    """Values to change; what is not given keeps its value."""

    healthy: Annotated[int | None, typer.Option("--healthy", help="Healthy up to this value.")] = None
    unhealthy: Annotated[int | None, typer.Option("--unhealthy", help="Unhealthy from this value.")] = None


@with_options
def _create(
    common: CommonOptions,
    sign_in: SignInOptions,
    metric: Metric,
    healthy: Annotated[int, typer.Option("--healthy", help="Healthy up to this value.")],
    unhealthy: Annotated[int, typer.Option("--unhealthy", help="Unhealthy from this value.")],
) -> None:
    from mst_admin.kinds import threshold as work

    run_command(
        f"{_PROGRAM} create",
        common,
        lambda operator: work.set_threshold(
            operator, sign_in.settings(), metric, (healthy, unhealthy), new=True
        ),
    )


@with_options
def _update(
    common: CommonOptions,
    sign_in: SignInOptions,
    metric: Metric,
    values: ThresholdOptions,
    default: Annotated[bool, typer.Option("--default", help="Reset to the default of the service.")] = False,
) -> None:
    from mst_admin.kinds import threshold as work

    run_command(
        f"{_PROGRAM} update",
        common,
        lambda operator: work.set_threshold(
            operator, sign_in.settings(), metric, (values.healthy, values.unhealthy), default=default
        ),
    )


threshold_app = ObjectCommands(
    THRESHOLD,
    {
        "list": "List the thresholds of all metrics.",
        "show": "Show the thresholds of a metric.",
        "create": "Set the thresholds of a metric that has none.",
        "update": "Change the thresholds of a metric.",
        "delete": "Delete the thresholds of a metric.",
    },
    wanted=_METRIC,
    metavar="METRIC",
    own={"create": _create, "update": _update},
).app()
