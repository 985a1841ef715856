"""Graph below /deviceManagement beside the tunnel entities: health thresholds and device configurations."""

import uuid
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_setup.lab import permissions
from mstunnel_setup.lab.bodies import judge
from mstunnel_setup.lab.bodies_profiles import PROFILE_BODIES, AssignBody, ProfileBody
from mstunnel_setup.lab.bodies_tunnel import ThresholdBody
from mstunnel_setup.lab.errors import BAD_REQUEST, CONFLICT, GraphError
from mstunnel_setup.lab.graph_http import Entities, caller_of, collection, counting, read_body
from mstunnel_setup.lab.odata import entity_type
from mstunnel_setup.lab.state import Lab, lab_of
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, HealthThreshold

_ASSIGNMENT: Final = entity_type(
    "microsoft.graph.deviceConfigurationAssignment", DeviceConfigurationAssignment
)

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


def _kind(document: object) -> type[ProfileBody]:
    name = document.get("@odata.type") if isinstance(document, dict) else None
    kind = PROFILE_BODIES.get(str(name))
    if kind is None:
        message = f"The type '{name}' is not known: a deviceConfiguration needs an @odata.type."
        raise GraphError(BAD_REQUEST, "BadRequest", message)
    return kind


def _create_profile(lab: Lab, document: object) -> DeviceConfiguration:
    kind, now = _kind(document), datetime.now(UTC).isoformat()
    facts = {"id": str(uuid.uuid4()), "version": 1, "createdDateTime": now, "lastModifiedDateTime": now}
    typed = {"@odata.type": f"#{kind.type_name}"}
    created = DeviceConfiguration.from_wire(typed | facts | judge(kind, document).document())
    lab.store.add(created)
    return created


def _change_profile(lab: Lab, found: DeviceConfiguration, document: object) -> DeviceConfiguration:
    kind = _kind(document)
    if f"#{kind.type_name}" != found.odata_type:
        raise GraphError(BAD_REQUEST, "BadRequest", "The type of a deviceConfiguration cannot be changed.")
    body = judge(kind, document, found.document())
    facts = {"lastModifiedDateTime": datetime.now(UTC).isoformat(), "version": (found.version or 0) + 1}
    changed = DeviceConfiguration.from_wire(found.document() | body.document() | facts)
    lab.store.replace(changed)
    return changed


def _remove_profile(lab: Lab, found: DeviceConfiguration) -> None:
    _remove_assignments(lab, found.id)
    lab.store.remove(DeviceConfiguration, found.id)


def _remove_assignments(lab: Lab, identifier: str) -> None:
    for item in lab.store.each(DeviceConfigurationAssignment, parent=identifier):
        lab.store.remove(DeviceConfigurationAssignment, item.id)


_PROFILES: Final = Entities(
    "deviceConfigurations",
    entity_type("microsoft.graph.deviceConfiguration", DeviceConfiguration),
    DeviceConfiguration,
    DeviceConfiguration.document,
    _create_profile,
    _change_profile,
    _remove_profile,
)


async def assignments(request: Request) -> Response:
    """List to whom a device configuration is assigned."""
    permissions.may_read_tunnel(caller_of(request))
    return _assigned(request, lab_of(request).required(DeviceConfiguration, request.path_params["id"]).id)


async def assign(request: Request) -> Response:
    """Replace the assignments of a device configuration."""
    lab, caller = lab_of(request), caller_of(request)
    permissions.may_write_tunnel(caller)
    found = lab.required(DeviceConfiguration, request.path_params["id"])
    targets = (await read_body(request, AssignBody)).targets()
    with lab.store.transaction():
        _remove_assignments(lab, found.id)
        for target in targets:
            document = {
                "id": f"{found.id}_{target['groupId'] or str(target['@odata.type'])[17:]}",
                "target": target,
            }
            lab.store.add(DeviceConfigurationAssignment.from_wire(document), parent=found.id)
    return _assigned(request, found.id)


def _assigned(request: Request, identifier: str) -> Response:
    found = lab_of(request).store.each(DeviceConfigurationAssignment, parent=identifier)
    context = f"{_PROFILES.context}('{identifier}')/assignments"
    return collection(request, [item.document() for item in found], _ASSIGNMENT, context)


ROUTES = [
    Route("/microsoftTunnelHealthThresholds/$count", counting(HealthThreshold)),
    *_THRESHOLDS.routes,
    *_PROFILES.routes,
    Route("/deviceConfigurations/{id}/assign", assign, methods=["POST"]),
    Route("/deviceConfigurations/{id}/assignments", assignments),
]
