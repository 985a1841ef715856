"""Thresholds of health metrics: where they turn healthy and unhealthy."""

from mst_admin.carry_out import carry_out
from mst_admin.change import Change
from mst_admin.find import find_threshold
from mst_admin.judged_values import judged
from mst_admin.lines import details, result_of, table
from mst_admin.metrics import KINDS, kind_of
from mst_admin.objects import ThresholdObject
from mst_admin.plan import threshold_change
from mst_admin.rules_site import judge_threshold
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers.document import validated
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings


def list_thresholds(operator: Operator, settings: Settings) -> Result:
    """All thresholds."""
    found = open_tenant(operator, settings).thresholds()
    rows = [
        (
            item.id,
            str(item.healthy_threshold),
            str(item.unhealthy_threshold),
            text(
                "{default_healthy_threshold}, {default_unhealthy_threshold}",
                default_healthy_threshold=item.default_healthy_threshold,
                default_unhealthy_threshold=item.default_unhealthy_threshold,
            ),
        )
        for item in found
    ]
    data = {"thresholds": [item.model_dump(mode="json", by_alias=True) for item in found]}
    head = ("METRIC", "HEALTHY", "UNHEALTHY", "DEFAULTS")
    return Result(data=data, text=table(rows, head, text("There are no thresholds.")))


def show(operator: Operator, settings: Settings, metric: str) -> Result:
    """The thresholds of a metric."""
    found = find_threshold(open_tenant(operator, settings), metric)
    document = found.model_dump(mode="json", by_alias=True)
    return Result(data={"threshold": document}, text=details(document))


def set_threshold(
    operator: Operator,
    settings: Settings,
    metric: str,
    values: tuple[int | None, int | None],
    *,
    new: bool = False,
    default: bool = False,
) -> Result:
    """Create or change the thresholds of a metric; `values` are (healthy, unhealthy), None keeps one."""
    if new and kind_of(metric) is None:
        names = ", ".join(kind.word for kind in KINDS)
        raise UsageError(
            "metric-not-known",
            "Microsoft Tunnel does not report a metric {metric}",
            hint="Use one of: {names}.",
            metric=metric,
            names=names,
        )
    graph = open_tenant(operator, settings)
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
    carry_out([change] if change else [], graph)
    return result_of(change, {"metric": metric}, warnings)


def delete(operator: Operator, settings: Settings, metric: str, *, yes: bool) -> Result:
    """Delete the thresholds of a metric."""
    graph = open_tenant(operator, settings)
    found = find_threshold(graph, metric)
    make_sure(operator, f"Delete the thresholds of {found.id}?", yes=yes)
    graph.delete_threshold(found.id)
    return result_of(Change("delete", "threshold", found.id, found.id), {"metric": found.id})
