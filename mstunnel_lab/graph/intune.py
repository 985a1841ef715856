"""Graph below /deviceManagement beside the tunnel entities: health thresholds and device configurations."""

from typing import Final

from starlette.routing import Route

from mstunnel_lab.errors import BAD_REQUEST, CONFLICT, GraphError
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.bodies_assignments import AssignBody, AssignmentBody
from mstunnel_lab.graph.bodies_profiles import PROFILE_BODIES
from mstunnel_lab.graph.bodies_tunnel import ThresholdBody
from mstunnel_lab.graph.http import Entities, counting
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.graph.typed_entities import TypedEntities
from mstunnel_lab.state import Lab
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, HealthThreshold

DEFAULT_THRESHOLDS: Final = (
    ("cpuUsage", 50, 75),
    ("memoryUsage", 50, 75),
    ("diskSpace", 5, 3),
    ("latency", 10, 20),
)
"""Metric, healthy and unhealthy value as the vendor describes them: percent, percent, GB, milliseconds.

The names are the lab's own: no public source tells those of Intune.
"""


def default_threshold(metric: str, healthy: int, unhealthy: int) -> HealthThreshold:
    """Return the thresholds a new tenant has for a metric."""
    return HealthThreshold(
        id=metric,
        healthy_threshold=healthy,
        unhealthy_threshold=unhealthy,
        default_healthy_threshold=healthy,
        default_unhealthy_threshold=unhealthy,
    )


def _create_threshold(lab: Lab, document: object) -> HealthThreshold:
    body = judge(ThresholdBody, document)
    if body.id is None or lab.store.get(HealthThreshold, body.id):
        raise GraphError(CONFLICT, "Conflict", "A new threshold needs the id of a metric that has none.")
    created = HealthThreshold.from_wire(body.document())
    lab.store.add(created)
    return created


def _change_threshold(lab: Lab, found: HealthThreshold, document: object) -> HealthThreshold:
    body = judge(ThresholdBody, document, found.document())
    if body.id != found.id:
        raise GraphError(BAD_REQUEST, "BadRequest", "The property 'id' is read-only and cannot be set.")
    changed = HealthThreshold.from_wire(found.document() | body.document())
    lab.store.replace(changed)
    return changed


_THRESHOLDS: Final = Entities(
    "microsoftTunnelHealthThresholds",
    entity_type("microsoft.graph.microsoftTunnelHealthThreshold", HealthThreshold),
    HealthThreshold,
    HealthThreshold.document,
    _create_threshold,
    _change_threshold,
    lambda lab, found: lab.store.remove(HealthThreshold, found.id),
)


PROFILES: Final = TypedEntities(
    "deviceManagement",
    "deviceConfigurations",
    DeviceConfiguration,
    "deviceConfiguration",
    PROFILE_BODIES,
    DeviceConfigurationAssignment,
    AssignBody[AssignmentBody],
)

ROUTES = [
    Route("/microsoftTunnelHealthThresholds/$count", counting(HealthThreshold)),
    *_THRESHOLDS.routes,
    *PROFILES.routes,
]
