"""Thresholds of health metrics: where they turn healthy and unhealthy."""

from collections.abc import Iterable, Iterator, Sequence

from typing_extensions import override

from mst_admin.change import Body, Change, update_of
from mst_admin.kinds.kind import CommandKind, References
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.metrics import KINDS, kind_of
from mst_admin.objects.configuration import changed
from mst_admin.objects.site import Resolve
from mst_admin.objects.threshold import ThresholdObject, judge_threshold, threshold_body, threshold_object
from mst_admin.results import judged, result_of
from mst_admin.session import open_tenant
from mstunnel_setup.answers.document import validated
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import TenantError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import HealthThreshold


class ThresholdKind(CommandKind[ThresholdObject, HealthThreshold]):
    """Thresholds, which are found again by their metric."""

    name = "threshold"
    what = label = "threshold"
    section = "thresholds"
    key = "metric"
    command = "threshold"
    result = "threshold"
    head = ("METRIC", "HEALTHY", "UNHEALTHY", "DEFAULTS")
    nothing = text("There are no thresholds.")

    @override
    def judge(
        self, declared: ThresholdObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        return judge_threshold(declared)

    @override
    def present(self, tenant: TenantObjects) -> Sequence[HealthThreshold]:
        return tenant.thresholds

    @override
    def declared(self, present: HealthThreshold) -> ThresholdObject:
        return threshold_object(present)

    @override
    def changes(self, declared: ThresholdObject, planning: Planning) -> Iterator[Change]:
        key = declared.metric.casefold()
        present = next((item for item in planning.tenant.thresholds if item.id.casefold() == key), None)
        change = self.change(declared, present)
        yield from (change,) if change else ()

    def change(self, declared: ThresholdObject, present: HealthThreshold | None) -> Change | None:
        """What makes `present` (None: nothing yet) as declared; None when it is so already."""
        body = threshold_body(declared)
        if present is None:
            return Change("create", self.name, declared.metric, after=body)
        before = threshold_body(threshold_object(present))
        return update_of(self.name, declared.metric, present.id, before, changed(before, body))

    @override
    def create(self, change: Change, references: References) -> None:
        references.graph.create_threshold({"id": change.name, **change.after})

    @override
    def update(self, change: Change, references: References) -> None:
        references.graph.update_threshold(change.identifier, change.after)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete_threshold(change.identifier)

    @override
    def all(self, graph: AdminGraph) -> Sequence[HealthThreshold]:
        return graph.thresholds()

    @override
    def find(self, graph: AdminGraph, wanted: str) -> HealthThreshold:
        """The thresholds of a metric. Raises TenantError `metric-unknown`, naming those there are."""
        found = graph.thresholds()
        for item in found:
            if item.id.casefold() == wanted.casefold():
                return item
        raise TenantError(
            "metric-unknown",
            "the tenant has no thresholds for the metric {metric}",
            hint="Use one of: {names}.",
            metric=wanted,
            names=", ".join(item.id for item in found),
        )

    @override
    def row(self, present: HealthThreshold) -> tuple[str, ...]:
        defaults = f"{present.default_healthy_threshold}, {present.default_unhealthy_threshold}"
        return present.id, str(present.healthy_threshold), str(present.unhealthy_threshold), defaults

    @override
    def wire(self, present: HealthThreshold) -> Body:
        return present.document()

    @override
    def shown(self, graph: AdminGraph, present: HealthThreshold) -> tuple[Body, Body]:
        return {self.result: present.document()}, present.document()

    @override
    def removal(self, graph: AdminGraph, present: HealthThreshold) -> tuple[str, Sequence[Change], Body]:
        change = Change("delete", self.name, present.id, present.id)
        return f"Delete the thresholds of {present.id}?", [change], {"metric": present.id}


THRESHOLD = ThresholdKind()


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
        raise UsageError(
            "metric-not-known",
            "Microsoft Tunnel does not report a metric {metric}",
            hint="Use one of: {names}.",
            metric=metric,
            names=", ".join(kind.word for kind in KINDS),
        )
    graph = open_tenant(operator, settings)
    present = None if new else THRESHOLD.find(graph, metric)
    known: tuple[int | None, int | None] = (None, None)
    if present is not None and default:
        known = present.default_healthy_threshold, present.default_unhealthy_threshold
    elif present is not None:
        known = present.healthy_threshold, present.unhealthy_threshold
    healthy, unhealthy = (old if value is None else value for value, old in zip(values, known, strict=True))
    declared = validated(ThresholdObject, {"metric": metric, "healthy": healthy, "unhealthy": unhealthy})
    warnings = judged(judge_threshold(declared))
    change = THRESHOLD.change(declared, present)
    if change is not None:
        (THRESHOLD.create if new else THRESHOLD.update)(change, References(graph))
    return result_of(change, {"metric": metric}, warnings)
