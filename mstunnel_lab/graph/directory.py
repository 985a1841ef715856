"""Graph's directory: applications, service principals, app role assignments, organization, me."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import Field, StrictStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import permissions
from mstunnel_lab.entra.permissions import AccessRule, Caller
from mstunnel_lab.errors import CONFLICT, GraphError, directory_bad_request, directory_not_found
from mstunnel_lab.graph import http
from mstunnel_lab.graph.bodies import BodyPart, Guid, Text, Texts, judge
from mstunnel_lab.graph.credentials import (
    DirectoryBody,
    KeyCredentialBody,
    managed_application,
    stored_credentials,
)
from mstunnel_lab.graph.entities import Entities, Found
from mstunnel_lab.records import ApplicationRecord, UserRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant import wire


class _ResourceAccess(BodyPart):
    """One permission that an application declares."""

    id: Guid
    type: Literal["Role", "Scope"]


class RequiredResourceAccessBody(BodyPart):
    """The declared permissions of one resource, for the consent page."""

    resource_app_id: Guid
    resource_access: tuple[_ResourceAccess, ...]


class ApplicationBody(DirectoryBody, entity=wire.Application, name="application"):
    """The body of an application; passwords cannot be set here."""

    display_name: Annotated[StrictStr, Field(min_length=1, max_length=256)]
    description: Text | None = None
    notes: Text | None = None
    sign_in_audience: Literal["AzureADMyOrg"] = "AzureADMyOrg"
    tags: Texts = ()
    key_credentials: tuple[KeyCredentialBody, ...] = ()
    password_credentials: Annotated[tuple[object, ...], Field(max_length=0)] = ()
    required_resource_access: tuple[RequiredResourceAccessBody, ...] = ()


class _ServicePrincipalBody(DirectoryBody, entity=wire.ServicePrincipal, name="servicePrincipal"):
    app_id: Guid


class AppRoleAssignmentBody(DirectoryBody, entity=wire.AppRoleAssignment, name="appRoleAssignment"):
    """The body of an appRoleAssignment."""

    principal_id: Guid
    resource_id: Guid
    app_role_id: Guid


class OwnerBody(DirectoryBody, entity=wire.WireModel, name="directoryObject"):
    """A reference to a directory object by its address."""

    reference: Annotated[
        StrictStr,
        Field(alias="@odata.id", pattern=r"/(directoryObjects|users|servicePrincipals)/[0-9a-fA-F-]{36}$"),
    ]


# The product Microsoft Intune Plan 1 (product names and service plan identifiers for licensing).
_INTUNE_SKU: Final = "061f9ace-7d42-4136-88ac-31dc755f143f"
FIRST_PARTY: Final = {wire.GATEWAY_APP_ID: "Microsoft Tunnel Gateway"}
"""Microsoft's applications for which an administrator may create a service principal."""


@dataclass(frozen=True)
class DirectoryEntities(Entities[Found]):
    """Collections that refuse with Entra's messages, and respond to a change without the entity."""

    root: str = ""
    may_read: AccessRule = permissions.may_read_directory
    may_write: AccessRule = permissions.may_create_application
    quiet: bool = True
    counted: bool = False

    def missing(self, identifier: str) -> GraphError:
        """Return the refusal for an object that does not exist."""
        return directory_not_found(identifier)


@dataclass(frozen=True)
class _Applications(DirectoryEntities[ApplicationRecord]):
    def document(
        self, _lab: Lab, found: ApplicationRecord, _expand: frozenset[str] = frozenset()
    ) -> JsonObject:
        return found.public()

    def require(self, _method: str, _lab: Lab, caller: Caller, found: ApplicationRecord, /) -> None:
        permissions.may_change_application(caller, found)

    def create_as(self, caller: Caller, lab: Lab, document: object, _parent: str) -> ApplicationRecord:
        body = judge(ApplicationBody, document)
        wire_document = body.document() | {
            "id": str(uuid.uuid4()),
            "appId": str(uuid.uuid4()),
            "createdDateTime": datetime.now(UTC).isoformat(),
            "keyCredentials": stored_credentials(body.key_credentials, ()),
            "ownerIds": [caller.object_id],
        }
        del wire_document["passwordCredentials"]
        created = ApplicationRecord.from_wire(wire_document)
        lab.store.add(created)
        return created

    def change(self, lab: Lab, found: ApplicationRecord, document: object) -> ApplicationRecord:
        credentials = {"keyCredentials", "passwordCredentials"}
        stored = {name: value for name, value in found.public().items() if name not in credentials}
        body = judge(ApplicationBody, document, stored)
        update = {name: value for name, value in body.document().items() if name not in credentials}
        if isinstance(document, dict) and "keyCredentials" in document:
            update["keyCredentials"] = [*stored_credentials(body.key_credentials, found.key_credentials)]
        changed = ApplicationRecord.from_wire(found.document() | update)
        lab.store.replace(changed)
        return changed

    def remove(self, lab: Lab, found: ApplicationRecord) -> None:
        with lab.store.transaction():
            if principal := lab.store.with_app_id(wire.ServicePrincipal, found.app_id):
                PRINCIPALS.remove(lab, principal)
            super().remove(lab, found)


@dataclass(frozen=True)
class _Principals(DirectoryEntities[wire.ServicePrincipal]):
    def require(self, _method: str, lab: Lab, caller: Caller, found: wire.ServicePrincipal, /) -> None:
        permissions.may_change_application(caller, lab.store.with_app_id(ApplicationRecord, found.app_id))

    def create_as(self, caller: Caller, lab: Lab, document: object, _parent: str) -> wire.ServicePrincipal:
        app_id = judge(_ServicePrincipalBody, document).app_id
        source = lab.store.with_app_id(ApplicationRecord, app_id)
        if source is None and app_id not in FIRST_PARTY:
            message = f"The appId '{app_id}' of the service principal does not reference "
            raise directory_bad_request(f"{message}a valid application object.")
        permissions.may_change_application(caller, source)
        if lab.store.with_app_id(wire.ServicePrincipal, app_id):
            message = f"The service principal cannot be created: one for appId '{app_id}' is already in use."
            raise GraphError(CONFLICT, "Request_MultipleObjectsWithSameKeyValue", message)
        created = new_principal(app_id, source.display_name if source else FIRST_PARTY[app_id])
        lab.store.add(created)
        return created

    def remove(self, lab: Lab, found: wire.ServicePrincipal) -> None:
        with lab.store.transaction():
            lab.store.remove_below(wire.AppRoleAssignment, found.id)
            super().remove(lab, found)


@dataclass(frozen=True)
class _RoleAssignments(DirectoryEntities[wire.AppRoleAssignment]):
    def create_as(self, _caller: Caller, lab: Lab, document: object, parent: str) -> wire.AppRoleAssignment:
        principal = PRINCIPALS.find(lab, parent)
        body = judge(AppRoleAssignmentBody, document)
        if body.principal_id != principal.id:
            raise directory_bad_request("The principalId does not match the service principal in the path.")
        resource = PRINCIPALS.find(lab, body.resource_id)
        if body.app_role_id not in {role.id for role in resource.app_roles}:
            raise directory_bad_request(f"Not a valid appRoleId on the resource: '{body.app_role_id}'.")
        present = lab.store.each(wire.AppRoleAssignment, parent=principal.id)
        if any((item.app_role_id, item.resource_id) == (body.app_role_id, resource.id) for item in present):
            raise directory_bad_request("Permission being assigned already exists on the object.")
        created = new_assignment(principal, resource, body.app_role_id)
        lab.store.add(created, parent=principal.id)
        return created


APPLICATIONS: Final = _Applications(
    "applications", ApplicationRecord, (ApplicationBody,), filterable=("appId",)
)
PRINCIPALS: Final = _Principals(
    "servicePrincipals",
    wire.ServicePrincipal,
    (_ServicePrincipalBody,),
    filterable=("appId",),
    methods=("GET", "DELETE"),
)
_GROUP: Final = http.EntityType("group", wire.Group)
_ROLE_ASSIGNMENTS: Final = _RoleAssignments(
    "appRoleAssignments",
    wire.AppRoleAssignment,
    (AppRoleAssignmentBody,),
    parent=PRINCIPALS,
    may_write=permissions.may_grant_app_role,
    methods=("DELETE",),
)


async def add_owner(request: Request) -> Response:
    """Make a user or a service principal an owner of an application."""
    lab, found = managed_application(request)
    owner_id = (await http.read_body(request, OwnerBody)).reference.rpartition("/")[2]
    if not (lab.store.get(UserRecord, owner_id) or lab.store.get(wire.ServicePrincipal, owner_id)):
        raise directory_not_found(owner_id)
    if owner_id in found.owner_ids:
        raise directory_bad_request(
            "One or more added object references already exist for the following property: 'owners'."
        )
    lab.store.replace(found.model_copy(update={"owner_ids": (*found.owner_ids, owner_id)}))
    return Response(status_code=http.NO_CONTENT)


def new_principal(app_id: str, name: str) -> wire.ServicePrincipal:
    """Return a new service principal of an application."""
    return wire.ServicePrincipal(
        id=str(uuid.uuid4()), app_id=app_id, display_name=name, service_principal_type="Application"
    )


def new_assignment(
    principal: wire.ServicePrincipal, resource: wire.ServicePrincipal, app_role_id: str
) -> wire.AppRoleAssignment:
    """Return a new grant of an app role of `resource` to `principal`."""
    return wire.AppRoleAssignment(
        id=str(uuid.uuid4()),
        app_role_id=app_role_id,
        principal_id=principal.id,
        principal_type="ServicePrincipal",
        principal_display_name=principal.display_name,
        resource_id=resource.id,
        resource_display_name=resource.display_name,
        created_date_time=datetime.now(UTC),
    )


async def groups(request: Request) -> Response:
    """List the groups."""
    lab, _ = http.admitted(request, permissions.may_read_groups)
    return http.collection(request, lab.store.each(wire.Group), http.document, _GROUP, "groups")


async def group(request: Request) -> Response:
    """Return one group."""
    lab, _ = http.admitted(request, permissions.may_read_groups)
    found = lab.store.get(wire.Group, request.path_params["id"])
    if found is None:
        raise directory_not_found(request.path_params["id"])
    return http.one(request, found, http.document, _GROUP, "groups/$entity")


async def organization(request: Request) -> Response:
    """Return the tenant's properties."""
    lab, _ = http.admitted(request, permissions.may_read_organization)
    domain: JsonObject = {"name": lab.tenant.domain, "isDefault": True, "isInitial": True}
    facts = {"id": lab.tenant.id, "displayName": lab.tenant.name, "verifiedDomains": [domain]}
    found = [wire.Organization.from_wire(facts)]
    kind = http.EntityType("organization", wire.Organization)
    return http.collection(request, found, _sent, kind, "organization")


def _signed_in(request: Request) -> UserRecord:
    """Return the calling user; raises `GraphError` for an application or a missing permission."""
    caller = http.caller_of(request)
    if caller.user is None:
        raise directory_bad_request("/me request is only valid with delegated authentication flow.")
    permissions.may_read_me(caller)
    return caller.user


async def user(request: Request) -> Response:
    """Return the signed-in user."""
    found = _signed_in(request)
    shown = wire.User.from_wire({"id": found.id, "displayName": found.name, "userPrincipalName": found.upn})
    return http.one(request, shown, _sent, http.EntityType("user", wire.User), "users/$entity")


async def license_details(request: Request) -> Response:
    """List the licences of the signed-in user: Intune Plan 1, or none."""
    plan = wire.ServicePlan(
        service_plan_id=wire.INTUNE_PLAN_1,
        service_plan_name="INTUNE_A",
        provisioning_status="Success",
        applies_to="User",
    )
    licence = wire.LicenseDetails(
        id=_INTUNE_SKU, sku_id=_INTUNE_SKU, sku_part_number="INTUNE_A", service_plans=(plan,)
    )
    found = [licence] if _signed_in(request).licensed else []
    kind = http.EntityType("licenseDetails", wire.LicenseDetails)
    return http.collection(request, found, _sent, kind, "users('me')/licenseDetails")


def _sent(found: wire.WireModel, _expand: frozenset[str]) -> JsonObject:
    return found.to_wire()


ROUTES = [
    *APPLICATIONS.routes,
    APPLICATIONS.below("owners/$ref", add_owner, "POST"),
    *PRINCIPALS.routes,
    *_ROLE_ASSIGNMENTS.routes,
    Route("/groups", groups),
    Route("/groups/{id}", group),
    Route("/organization", organization),
    Route("/me", user),
    Route("/me/licenseDetails", license_details),
]
