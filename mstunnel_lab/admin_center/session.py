"""The admin center's sessions: sign-in, sign-out, access; and admin consent.

With consent, an administrator grants an application the permissions that it declares.
"""

import functools
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center import render
from mstunnel_lab.admin_center.render import EXPIRED_FORM, SESSION_COOKIE, field, go_to, message, own_path
from mstunnel_lab.entra import permissions
from mstunnel_lab.entra.sign_in import CodeRequest, SignInRefusal, UserSignIn, WrongCredentials, authenticate
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.directory import RequiredResourceAccessBody, new_assignment, new_principal
from mstunnel_lab.records import ApplicationRecord, BrowserSession, UserRecord, digest
from mstunnel_lab.state import Lab, labs_of
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant import wire

_SIGN_IN: Final = "/admin/sign-in"

Handler = Callable[[Request, Lab], Awaitable[Response]]


def current(request: Request) -> Lab | None:
    """Return the tenant of the browser's session, or None; store tenant and user in the request."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    for lab in labs_of(request).tenants if secret else ():
        session = lab.store.get(BrowserSession, digest(secret))
        user = lab.store.get(UserRecord, session.user_id) if session else None
        if session and user and session.expires_at > time.time():
            request.state.lab, request.state.user = lab, user
            return lab
    return None


def signed_in(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Admit administrators to a page, and redirect others to the sign-in. Forms must be ours."""

    @functools.wraps(handler)
    async def guarded(request: Request) -> Response:
        lab = current(request)
        if lab is None:
            return to_sign_in(request)
        if not permissions.may_administer(request.state.user):
            return message(
                request,
                "No access",
                "You do not have access: it requires the role Intune Administrator.",
                403,
            )
        if request.method == "POST" and not render.is_own_form(request, await request.form()):
            return message(request, "Try again", EXPIRED_FORM, 403)
        try:
            return await handler(request, lab)
        except GraphError as error:
            return message(request, "That did not work", error.message, error.status)

    return guarded


def to_sign_in(request: Request) -> Response:
    """Redirect the browser to the sign-in, which leads back to the requested page."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return go_to(f"{_SIGN_IN}?{urlencode({'next': wanted})}")


async def sign_in(request: Request) -> Response:
    """Sign in an administrator with account and password."""

    def form_page(status: int = 200, asked: WrongCredentials | CodeRequest | None = None) -> Response:
        hidden = {"next": own_path(request.query_params.get("next", ""))}
        action = f"{_SIGN_IN}?{urlencode(hidden)}"
        return render.page(request, "admin_sign_in.html", status, action=action, hidden=hidden, asked=asked)

    if request.method == "GET":
        return form_page()
    form = await request.form()
    if not render.is_own_form(request, form):
        return form_page(403, WrongCredentials(field(form, "upn"), EXPIRED_FORM))
    match authenticate(request, form):
        case WrongCredentials() as wrong:
            return form_page(401, wrong)
        case CodeRequest() as needed:
            return form_page(401 if needed.problem else 200, needed)
        case SignInRefusal() as refusal:
            return message(request, "You cannot sign in", refusal.text, 403)
        case UserSignIn(lab, user):
            secret, expires_at = secrets.token_urlsafe(32), time.time() + 8 * 3600
            lab.store.forget_expired(time.time())
            record = BrowserSession(id=digest(secret), user_id=user.id, expires_at=expires_at)
            lab.store.add(record, parent=user.id, expires=expires_at)
            response = go_to(own_path(field(form, "next")))
            response.set_cookie(SESSION_COOKIE, secret, secure=True, httponly=True, samesite="strict")
            return response


async def sign_out(request: Request) -> Response:
    """End the session and remove its cookie."""
    if not render.is_own_form(request, await request.form()):
        return message(request, "Try again", EXPIRED_FORM, 403)
    if lab := current(request):
        lab.store.remove(BrowserSession, digest(request.cookies[SESSION_COOKIE]))
    response = go_to(_SIGN_IN)
    response.delete_cookie(SESSION_COOKIE, secure=True, httponly=True, samesite="strict")
    return response


_NAMES: Final = {identifier: name for name, identifier in permissions.APP_ROLE_IDS.items()}
_DECLARED: Final = TypeAdapter(tuple[RequiredResourceAccessBody, ...])
_NEEDS_ADMINISTRATOR: Final = (
    "AADSTS90094: Consent for the whole tenant requires the role Privileged Role Administrator or Global "
    "Administrator. Sign in with such an account, or send this address to an administrator."
)


def wanted_roles(application: ApplicationRecord) -> tuple[str, ...]:
    """Return the ids of Graph's app roles that an application declares and the lab supports."""
    declared = _DECLARED.validate_python(application.document().get("requiredResourceAccess") or ())
    of_graph = [one.resource_access for one in declared if one.resource_app_id == wire.GRAPH_APP_ID]
    wanted = itertools.chain.from_iterable(of_graph)
    return tuple(access.id for access in wanted if access.type == "Role" and access.id in _NAMES)


def grant(lab: Lab, application: ApplicationRecord) -> None:
    """Grant the application the permissions that it declares and does not have yet."""
    resource = lab.store.with_app_id(wire.ServicePrincipal, wire.GRAPH_APP_ID)
    if resource is None:
        raise LookupError("the tenant has no service principal of Microsoft Graph")
    with lab.store.transaction():
        principal = lab.store.with_app_id(wire.ServicePrincipal, application.app_id)
        if principal is None:
            principal = new_principal(application.app_id, application.display_name)
            lab.store.add(principal)
        present = {item.app_role_id for item in lab.store.each(wire.AppRoleAssignment, parent=principal.id)}
        for identifier in wanted_roles(application):
            if identifier not in present:
                lab.store.add(new_assignment(principal, resource, identifier), parent=principal.id)


async def consent(request: Request) -> Response:
    """Show the permissions that an application declares, and handle the decision."""
    lab = current(request)
    if lab is None:
        return to_sign_in(request)
    client_id = request.query_params.get("client_id", "")
    application = lab.store.with_app_id(ApplicationRecord, client_id)
    if application is None:
        problem = text(
            "AADSTS700016: There is no application '{client}' in the directory '{tenant}'.",
            client=client_id,
            tenant=lab.tenant.name,
        )
        return message(request, "Nothing to consent to", problem, 400)
    if not permissions.may_consent(request.state.user):
        return message(request, "You need an administrator", _NEEDS_ADMINISTRATOR, 403)
    name = application.display_name
    if request.method == "GET":
        names = [_NAMES[identifier] for identifier in wanted_roles(application)]
        return render.page(request, "consent.html", application=name, permissions=names)

    form = await request.form()
    if not render.is_own_form(request, form):
        return message(request, "Try again", EXPIRED_FORM, 403)
    title, outcome = "Cancelled", text("{name} was given no permission.", name=name)
    if field(form, "decision") == "accept":
        grant(lab, application)
        title = "Consent given"
        outcome = text("{name} has its permissions. You may close this page.", name=name)
    return message(request, title, outcome)


ROUTES = [
    Route(_SIGN_IN, sign_in, methods=["GET", "POST"]),
    Route("/admin/sign-out", sign_out, methods=["POST"]),
    Route("/{tenant}/adminconsent", consent, methods=["GET", "POST"]),
    Route("/{tenant}/v2.0/adminconsent", consent, methods=["GET", "POST"]),
]
