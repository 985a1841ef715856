"""Admin consent: an administrator lets an application have the permissions that it asks for."""

from typing import Final

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center.render import EXPIRED_FORM, field, is_own_form, message, page
from mstunnel_lab.admin_center.session import current, to_sign_in
from mstunnel_lab.entra.permissions import APP_ROLE_IDS, may_consent
from mstunnel_lab.graph.directory import RequiredResourceAccessBody, new_assignment, new_principal
from mstunnel_lab.records import ApplicationRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire import GRAPH_APP_ID, AppRoleAssignment, ServicePrincipal

_NAMES: Final = {identifier: name for name, identifier in APP_ROLE_IDS.items()}
_DECLARED: Final = TypeAdapter(tuple[RequiredResourceAccessBody, ...])
_NEEDS_ADMINISTRATOR: Final = (
    "AADSTS90094: Consent for the whole tenant requires the role Privileged Role Administrator or Global "
    "Administrator. Sign in with such an account, or send this address to an administrator."
)


def wanted_roles(application: ApplicationRecord) -> tuple[str, ...]:
    """Return the ids of Graph's app roles that an application declares and the lab knows."""
    declared = _DECLARED.validate_python(application.document().get("requiredResourceAccess") or ())
    wanted = [
        access for one in declared if one.resource_app_id == GRAPH_APP_ID for access in one.resource_access
    ]
    return tuple(access.id for access in wanted if access.type == "Role" and access.id in _NAMES)


def grant(lab: Lab, application: ApplicationRecord) -> None:
    """Grant the application what it declares and does not have yet."""
    resource = lab.store.with_app_id(ServicePrincipal, GRAPH_APP_ID)
    if resource is None:
        raise LookupError("the tenant has no service principal of Microsoft Graph")
    with lab.store.transaction():
        principal = lab.store.with_app_id(ServicePrincipal, application.app_id)
        if principal is None:
            principal = new_principal(application.app_id, application.display_name)
            lab.store.add(principal)
        present = {item.app_role_id for item in lab.store.each(AppRoleAssignment, parent=principal.id)}
        for identifier in wanted_roles(application):
            if identifier not in present:
                lab.store.add(new_assignment(principal, resource, identifier), parent=principal.id)


async def consent(request: Request) -> Response:
    """Show what an application asks for, and take the decision."""
    found = current(request)
    if found is None:
        return to_sign_in(request)
    lab, request.state.user = found
    request.state.lab = lab
    client_id = request.query_params.get("client_id", "")
    application = lab.store.with_app_id(ApplicationRecord, client_id)
    if application is None:
        problem = text(
            "AADSTS700016: There is no application '{client}' in the directory '{tenant}'.",
            client=client_id,
            tenant=lab.tenant.name,
        )
        return message(request, "Nothing to consent to", problem, 400)
    if not may_consent(request.state.user):
        return message(request, "You need an administrator", _NEEDS_ADMINISTRATOR, 403)
    name = application.display_name
    if request.method == "GET":
        names = [_NAMES[identifier] for identifier in wanted_roles(application)]
        return page(request, "consent.html", application=name, permissions=names)

    form = await request.form()
    if not is_own_form(request, form):
        return message(request, "Try again", EXPIRED_FORM, 403)
    title, outcome = "Cancelled", text("{name} was given no permission.", name=name)
    if field(form, "decision") == "accept":
        grant(lab, application)
        title = "Consent given"
        outcome = text("{name} has its permissions. You may close this page.", name=name)
    return message(request, title, outcome)


ROUTES = [
    Route(f"/{{tenant}}{version}/adminconsent", consent, methods=["GET", "POST"]) for version in ("", "/v2.0")
]
