"""`mst-admin threshold`: where health metrics turn healthy and unhealthy."""

from dataclasses import dataclass
from typing import Annotated

import typer

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result

_PROGRAM = "mst-admin threshold"
threshold_app = new_group("Health thresholds: where a metric turns healthy and unhealthy.")

Metric = Annotated[str, typer.Argument(metavar="METRIC", help="Name of the metric, as `list` shows it.")]


@dataclass(frozen=True)
class ThresholdOptions:
    """Values to change; what is not given stays as it is."""

    healthy: Annotated[int | None, typer.Option("--healthy", help="Healthy up to this value.")] = None
    unhealthy: Annotated[int | None, typer.Option("--unhealthy", help="Unhealthy from this value.")] = None


@threshold_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions) -> None:
    """List the thresholds of all metrics."""
    run_command(f"{_PROGRAM} list", common, lambda operator: _list(operator, sign_in))


@threshold_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, metric: Metric) -> None:
    """Show the thresholds of a metric."""
    run_command(f"{_PROGRAM} show", common, lambda operator: _show(operator, sign_in, metric))


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
    run_command(
        f"{_PROGRAM} create",
        common,
        lambda operator: _set(operator, sign_in, metric, (healthy, unhealthy), new=True),
    )


@threshold_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    metric: Metric,
    values: ThresholdOptions,
    default: Annotated[bool, typer.Option("--default", help="Back to the default of the service.")] = False,
) -> None:
    """Change the thresholds of a metric."""
    run_command(
        f"{_PROGRAM} update",
        common,
        lambda operator: _set(operator, sign_in, metric, (values.healthy, values.unhealthy), default=default),
    )


@threshold_app.command()
@with_options
def delete(
    common: CommonOptions,
    sign_in: SignInOptions,
    metric: Metric,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the thresholds of a metric."""
    run_command(f"{_PROGRAM} delete", common, lambda operator: _delete(operator, sign_in, metric, yes=yes))


def _list(operator: Operator, sign_in: SignInOptions) -> Result:
    from mstunnel_setup.cli.admin_tenant import open_tenant, table  # noqa: PLC0415 (`--help` stays fast)

    found = open_tenant(operator, sign_in).thresholds()
    rows = [
        (
            item.id,
            str(item.healthy_threshold),
            str(item.unhealthy_threshold),
            f"{item.default_healthy_threshold}, {item.default_unhealthy_threshold}",
        )
        for item in found
    ]
    data = {"thresholds": [item.model_dump(mode="json", by_alias=True) for item in found]}
    head = ("METRIC", "HEALTHY", "UNHEALTHY", "DEFAULTS")
    return Result(data=data, text=table(rows, head, "There are no thresholds."))


def _show(operator: Operator, sign_in: SignInOptions, metric: str) -> Result:
    from mstunnel_setup.cli.admin_tenant import details, find_threshold, open_tenant  # noqa: PLC0415

    found = find_threshold(open_tenant(operator, sign_in), metric)
    document = found.model_dump(mode="json", by_alias=True)
    return Result(data={"threshold": document}, text=details(document))


def _set(
    operator: Operator,
    sign_in: SignInOptions,
    metric: str,
    values: tuple[int | None, int | None],
    *,
    new: bool = False,
    default: bool = False,
) -> Result:
    from mstunnel_setup.admin.carry_out import carry_out  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.admin.metrics import KINDS, kind_of  # noqa: PLC0415
    from mstunnel_setup.admin.objects import ThresholdObject  # noqa: PLC0415
    from mstunnel_setup.admin.plan import threshold_change  # noqa: PLC0415
    from mstunnel_setup.admin.rules_site import judge_threshold  # noqa: PLC0415
    from mstunnel_setup.answers.validated import validated  # noqa: PLC0415
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        find_threshold,
        open_tenant,
        result_of,
    )
    from mstunnel_setup.cli.admin_values import judged  # noqa: PLC0415
    from mstunnel_setup.errors import UsageError  # noqa: PLC0415

    if new and kind_of(metric) is None:
        names = ", ".join(kind.word for kind in KINDS)
        raise UsageError("metric-not-known", f"no metric {metric} has thresholds", f"Known are: {names}.")
    graph = open_tenant(operator, sign_in)
    present = None if new else find_threshold(graph, metric)
    known = (
        (None, None)
        if present is None
        else (present.default_healthy_threshold, present.default_unhealthy_threshold)
        if default
        else (present.healthy_threshold, present.unhealthy_threshold)
    )
    healthy, unhealthy = (old if value is None else value for value, old in zip(values, known, strict=True))
    declared = validated(ThresholdObject, {"metric": metric, "healthy": healthy, "unhealthy": unhealthy})
    warnings = judged(judge_threshold(declared))
    change = threshold_change(declared, present)
    carry_out([change] if change else [], graph, lambda _change: None)
    return result_of(change, {"metric": metric}, warnings)


def _delete(operator: Operator, sign_in: SignInOptions, metric: str, *, yes: bool) -> Result:
    from mstunnel_setup.admin.change import Change  # noqa: PLC0415 (`--help` stays fast)
    from mstunnel_setup.cli.admin_tenant import (  # noqa: PLC0415
        find_threshold,
        make_sure,
        open_tenant,
        result_of,
    )

    graph = open_tenant(operator, sign_in)
    found = find_threshold(graph, metric)
    make_sure(operator, f"Delete the thresholds of {found.id}?", yes=yes)
    graph.delete_threshold(found.id)
    return result_of(Change("delete", "threshold", found.id, found.id), {"metric": found.id})
