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
from mstunnel_setup.lab.graph_http import (
    CREATED,
    caller_of,
    collection,
    counting,
    entity,
    one,
    read_body,
    read_json,
)
from mstunnel_setup.lab.odata import entity_type
from mstunnel_setup.lab.state import Lab, lab_of
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, HealthThreshold

_THRESHOLDS: Final = "deviceManagement/microsoftTunnelHealthThresholds"
_PROFILES: Final = "deviceManagement/deviceConfigurations"
_THRESHOLD: Final = entity_type("microsoft.graph.microsoftTunnelHealthThreshold", HealthThreshold)
_PROFILE: Final = entity_type("microsoft.graph.deviceConfiguration", DeviceConfiguration)
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


async def thresholds(request: Request) -> Response:
    """List thresholds, or set those of a metric that has none."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        return collection(
            request, [item.document() for item in lab.store.each(HealthThreshold)], _THRESHOLD, _THRESHOLDS
        )
    permissions.may_write_tunnel(caller)
    body = await read_body(request, ThresholdBody)
    if body.id is None or lab.store.get(HealthThreshold, body.id):
        raise GraphError(CONFLICT, "Conflict", "A new threshold needs the id of a metric that has none.")
    created = HealthThreshold.from_wire(body.document())
    lab.store.add(created)
    return entity(request, created.document(), f"{_THRESHOLDS}/$entity", CREATED)


async def threshold(request: Request) -> Response:
    """Read, change or delete the thresholds of one metric."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        found = lab.required(HealthThreshold, request.path_params["id"])
        return one(request, found.document(), _THRESHOLD, f"{_THRESHOLDS}/$entity")
    permissions.may_write_tunnel(caller)
    found = lab.required(HealthThreshold, request.path_params["id"])
    if request.method == "DELETE":
        lab.store.remove(HealthThreshold, found.id)
        return Response(status_code=204)
    body = await read_body(request, ThresholdBody, found.document())
    if body.id != found.id:
        raise GraphError(BAD_REQUEST, "BadRequest", "The property 'id' is read-only and cannot be set.")
    changed = HealthThreshold.from_wire(found.document() | body.document())
    lab.store.replace(changed)
    return entity(request, changed.document(), f"{_THRESHOLDS}/$entity")


def _kind(document: object) -> type[ProfileBody]:
    name = document.get("@odata.type") if isinstance(document, dict) else None
    kind = PROFILE_BODIES.get(str(name))
    if kind is None:
        message = f"The type '{name}' is not known: a deviceConfiguration needs an @odata.type."
        raise GraphError(BAD_REQUEST, "BadRequest", message)
    return kind


async def profiles(request: Request) -> Response:
    """List or create device configurations."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        documents = [item.document() for item in lab.store.each(DeviceConfiguration)]
        return collection(request, documents, _PROFILE, _PROFILES)
    permissions.may_write_tunnel(caller)
    document = await read_json(request)
    kind = _kind(document)
    now = datetime.now(UTC).isoformat()
    facts = {"id": str(uuid.uuid4()), "version": 1, "createdDateTime": now, "lastModifiedDateTime": now}
    typed = {"@odata.type": f"#{kind.type_name}"}
    created = DeviceConfiguration.from_wire(typed | facts | judge(kind, document).document())
    lab.store.add(created)
    return entity(request, created.document(), f"{_PROFILES}/$entity", CREATED)


async def profile(request: Request) -> Response:
    """Read, change or delete one device configuration."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        found = lab.required(DeviceConfiguration, request.path_params["id"])
        return one(request, found.document(), _PROFILE, f"{_PROFILES}/$entity")
    permissions.may_write_tunnel(caller)
    found = lab.required(DeviceConfiguration, request.path_params["id"])
    if request.method == "DELETE":
        _remove_assignments(lab, found.id)
        lab.store.remove(DeviceConfiguration, found.id)
        return Response(status_code=204)
    changed = _changed(await read_json(request), found)
    lab.store.replace(changed)
    return entity(request, changed.document(), f"{_PROFILES}/$entity")


def _changed(document: object, found: DeviceConfiguration) -> DeviceConfiguration:
    kind = _kind(document)
    if f"#{kind.type_name}" != found.odata_type:
        raise GraphError(BAD_REQUEST, "BadRequest", "The type of a deviceConfiguration cannot be changed.")
    body = judge(kind, document, found.document())
    facts = {"lastModifiedDateTime": datetime.now(UTC).isoformat(), "version": (found.version or 0) + 1}
    return DeviceConfiguration.from_wire(found.document() | body.document() | facts)


def _remove_assignments(lab: Lab, identifier: str) -> None:
    for item in lab.store.each(DeviceConfigurationAssignment, parent=identifier):
        lab.store.remove(DeviceConfigurationAssignment, item.id)


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
    context = f"{_PROFILES}('{identifier}')/assignments"
    return collection(request, [item.document() for item in found], _ASSIGNMENT, context)


_BOTH = ["GET", "POST"]
_EACH = ["GET", "PATCH", "DELETE"]
ROUTES = [
    Route("/microsoftTunnelHealthThresholds", thresholds, methods=_BOTH),
    Route("/microsoftTunnelHealthThresholds/$count", counting(HealthThreshold)),
    Route("/microsoftTunnelHealthThresholds/{id}", threshold, methods=_EACH),
    Route("/deviceConfigurations", profiles, methods=_BOTH),
    Route("/deviceConfigurations/{id}", profile, methods=_EACH),
    Route("/deviceConfigurations/{id}/assign", assign, methods=["POST"]),
    Route("/deviceConfigurations/{id}/assignments", assignments),
]
