"""The lab's own paths, which Graph and Entra do not have (docs/reference/lab.md).

`mstunnel-setup --lab` fetches the lab's root certificate, whose fingerprint it knows, and the tenant's
addresses. The control paths are for tests, demonstrations and training; they require the key in lab.json.
"""

import hmac
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from mstunnel_lab.errors import NOT_FOUND, REFUSALS, UNAUTHORIZED, GraphError, bad_request
from mstunnel_lab.faults import Fault, WriteLimit
from mstunnel_lab.graph import approvals
from mstunnel_lab.graph.apps import APPS, DEVICE_CONFIGURATIONS, MANAGED_CONFIGURATIONS
from mstunnel_lab.graph.profiles import PROFILES
from mstunnel_lab.graph.servers import keep_logs, report_health
from mstunnel_lab.graph.tunnel import CONFIGURATIONS, SITES, THRESHOLDS
from mstunnel_lab.health import ReportedHealth
from mstunnel_lab.records import (
    ROLE_TEMPLATES,
    AccessPolicyRecord,
    ApprovalRecord,
    CustomRoleRecord,
    ServerRecord,
    SiteRecord,
    UserRecord,
)
from mstunnel_lab.state import Labs, labs_of
from mstunnel_setup.base.parsing import json_value, problem_of
from mstunnel_setup.tenant.wire import LogCollection

B = TypeVar("B", bound=BaseModel)
PROTECTABLE: Final = tuple(
    kind.segment
    for kind in (
        *(APPS, DEVICE_CONFIGURATIONS, MANAGED_CONFIGURATIONS, PROFILES),
        *(SITES, CONFIGURATIONS, THRESHOLDS),
    )
)
"""The collections that an access policy can protect."""


class _FaultsBody(BaseModel, frozen=True, extra="forbid"):
    faults: Annotated[tuple[Fault, ...], Field(max_length=100)]


class _UserBody(BaseModel, frozen=True, extra="forbid"):
    refused_with: int | None = None
    mfa_code: Annotated[str, Field(pattern=r"^([0-9]{6})?$")] | None = None
    licensed: bool | None = None
    roles: tuple[str, ...] | None = None
    custom_roles: tuple[str, ...] | None = None


class _PoliciesBody(BaseModel, frozen=True, extra="forbid"):
    protected: tuple[str, ...]


class _DecisionBody(BaseModel, frozen=True, extra="forbid"):
    status: Literal["approved", "rejected", "cancelled", "expired"]
    note: Annotated[str, Field(max_length=1024)] = ""


class _SiteBody(BaseModel, frozen=True, extra="forbid"):
    upgrade_available: bool


def _opened(request: Request) -> Labs:
    labs = labs_of(request)
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), labs.control_key.encode()):
        raise GraphError(UNAUTHORIZED, "Unauthorized", "The key of lab.json opens this.")
    return labs


async def _read(request: Request, kind: type[B]) -> B:
    try:
        return kind.model_validate(json_value(await request.body()))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"{where}: {problem_of(first)}") from error
    except ValueError as error:
        raise bad_request("The body must be JSON.") from error


async def faults(request: Request) -> Response:
    """List the pending faults, add some, or clear them."""
    labs = _opened(request)
    if request.method == "POST":
        labs.faults.extend((await _read(request, _FaultsBody)).faults)
    elif request.method == "DELETE":
        labs.faults.clear()
    return JSONResponse({"faults": [fault.model_dump() for fault in labs.faults]})


async def limit(request: Request) -> Response:
    """Show, set or lift Graph's limit on changes; `refused` counts the excess."""
    throttle = _opened(request).throttle
    if request.method == "POST":
        throttle.set(await _read(request, WriteLimit))
    elif request.method == "DELETE":
        throttle.set(None)
    shown = throttle.limit.model_dump() if throttle.limit else None
    return JSONResponse({"limit": shown, "refused": throttle.refused})


async def keys(request: Request) -> Response:
    """Return the ids of the signing keys; POST creates a new one, DELETE retires the older ones."""
    labs = _opened(request)
    if request.method == "POST":
        labs.keys.rotate()
    elif request.method == "DELETE":
        labs.keys.retire()
        for lab in labs.tenants:
            lab.tokens.forget_checked()
    return JSONResponse({"keys": [key.key_id for key in labs.keys.keys]})


async def user(request: Request) -> Response:
    """Change a user's sign-in; reset the counts of wrong passwords and codes."""
    labs = _opened(request)
    owner = labs.of_user(request.path_params["upn"])
    if owner is None:
        raise GraphError(NOT_FOUND, "ResourceNotFound", "There is no such user.")
    lab, found = owner
    wanted = await _read(request, _UserBody)
    number = wanted.refused_with
    if number and number not in REFUSALS:
        known = ", ".join(map(str, REFUSALS))
        raise bad_request(f"refused_with: {number} is not one of 0, {known}")
    if unknown := set(wanted.roles or ()) - set(ROLE_TEMPLATES):
        raise bad_request(f"roles: there is no {min(unknown)}")
    if strange := [name for name in wanted.custom_roles or () if not lab.store.get(CustomRoleRecord, name)]:
        raise bad_request(f"custom_roles: there is no {strange[0]}")
    changed = UserRecord.model_validate(found.model_dump() | wanted.model_dump(exclude_none=True))
    lab.store.replace(changed)
    for tries in (labs.wrong_passwords, labs.wrong_codes):
        tries.forget(changed.id)
    return JSONResponse(changed.model_dump(exclude={"password"}))


async def access_policies(request: Request) -> Response:
    """List the collections whose changes need an approval, or replace the list."""
    labs = _opened(request)
    if request.method == "PUT":
        wanted = set((await _read(request, _PoliciesBody)).protected)
        if unknown := wanted.difference(PROTECTABLE):
            raise bad_request(f"protected: {min(unknown)} is not one of {', '.join(PROTECTABLE)}")
        for lab in labs.tenants:
            for found in [*lab.store.each(AccessPolicyRecord)]:
                lab.store.remove(AccessPolicyRecord, found.id)
            for name in wanted:
                lab.store.add(AccessPolicyRecord(id=name))
    return JSONResponse({"protected": sorted(item.id for item in labs.home.store.each(AccessPolicyRecord))})


async def approval_requests(request: Request) -> Response:
    """List the approval requests of all tenants."""
    labs = _opened(request)
    found = [approvals.shown(item) for lab in labs.tenants for item in lab.store.each(ApprovalRecord)]
    return JSONResponse({"requests": found})


async def approval_request(request: Request) -> Response:
    """Decide about an approval request that waits, as an administrator of the approver group."""
    labs = _opened(request)
    wanted = await _read(request, _DecisionBody)
    for lab in labs.tenants:
        found = lab.store.get(ApprovalRecord, request.path_params["id"])
        if found is not None:
            status = approvals.status_of(found)
            if status not in {approvals.PENDING, approvals.APPROVED}:
                raise bad_request(f"The approval request is {status} already.")
            return JSONResponse(approvals.shown(approvals.decide(lab, found, wanted.status, wanted.note)))
    raise GraphError(NOT_FOUND, "ResourceNotFound", "There is no such approval request.")


async def site(request: Request) -> Response:
    """Set whether an upgrade is available for the servers of a site."""
    labs = _opened(request)
    wanted = await _read(request, _SiteBody)
    for lab in labs.tenants:
        found = lab.store.get(SiteRecord, request.path_params["id"])
        if found is not None:
            changed = found.model_copy(update={"upgrade_available": wanted.upgrade_available})
            lab.store.replace(changed)
            return JSONResponse(changed.public())
    raise GraphError(NOT_FOUND, "ResourceNotFound", "There is no such site.")


async def server(request: Request) -> Response:
    """Take what a server, given by id or name, reports about itself."""
    labs, wanted = _opened(request), request.path_params["id"]
    health = await _read(request, ReportedHealth)
    for lab in labs.tenants:
        for found in lab.store.each(ServerRecord):
            if wanted in {found.id, found.display_name}:
                return JSONResponse(report_health(lab, found, health).public())
    raise GraphError(NOT_FOUND, "ResourceNotFound", "There is no such server.")


async def logs(request: Request) -> Response:
    """Take the logs of a server for a collection that was requested."""
    labs = _opened(request)
    content = await request.body()
    for lab in labs.tenants:
        found = lab.store.get(LogCollection, request.path_params["id"])
        if found is not None:
            keep_logs(lab, found, content)
            return JSONResponse({"id": found.id, "size": len(content)})
    raise GraphError(NOT_FOUND, "ResourceNotFound", "There is no such collection of logs.")


async def root(request: Request) -> Response:
    """Return the root certificate."""
    return FileResponse(labs_of(request).authority.certificate_path, media_type="application/x-pem-file")


async def connection(request: Request) -> Response:
    """Return the addresses of the home tenant."""
    home = labs_of(request).home
    addresses = {"authority": home.urls.authority, "graph": home.urls.graph}
    return JSONResponse({**addresses, "client_id": home.application_for("setup")})


_ALL = ["GET", "POST", "DELETE"]
ROUTES = [
    Route("/lab/ca.pem", root),
    Route("/lab/connection", connection),
    Route("/lab/control/faults", faults, methods=_ALL),
    Route("/lab/control/limit", limit, methods=_ALL),
    Route("/lab/control/keys", keys, methods=_ALL),
    Route("/lab/control/access-policies", access_policies, methods=["GET", "PUT"]),
    Route("/lab/control/approvals", approval_requests, methods=["GET"]),
    Route("/lab/control/approvals/{id}", approval_request, methods=["PATCH"]),
    Route("/lab/control/users/{upn}", user, methods=["PATCH"]),
    Route("/lab/control/sites/{id}", site, methods=["PATCH"]),
    Route("/lab/control/servers/{id}", server, methods=["PATCH"]),
    Route("/lab/control/logs/{id}", logs, methods=["PUT"]),
]
