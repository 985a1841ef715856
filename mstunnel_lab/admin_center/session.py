"""The admin center's sessions: sign-in, sign-out, and who may come in."""

import functools
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center import render
from mstunnel_lab.admin_center.render import EXPIRED_FORM, SESSION_COOKIE, field, go_to, message, own_path
from mstunnel_lab.entra import authentication, permissions
from mstunnel_lab.entra.authentication import CodeRequest, SignInRefusal, UserSignIn, WrongCredentials
from mstunnel_lab.entra.permissions import Caller
from mstunnel_lab.errors import GraphError
from mstunnel_lab.records import BrowserSession, UserRecord, digest
from mstunnel_lab.state import Lab, labs_of
from mstunnel_setup.tenant.wire import CONFIGURATION_READ_WRITE

_SESSION_SECONDS: Final = 8 * 3600
_SIGN_IN: Final = "/admin/sign-in"
_FORBIDDEN: Final = "You do not have access: it takes the role Intune Administrator."

Handler = Callable[[Request, Lab], Awaitable[Response]]


def current(request: Request) -> tuple[Lab, UserRecord] | None:
    """Return tenant and user of the browser's session, or None."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    for lab in labs_of(request).tenants if secret else ():
        session = lab.store.get(BrowserSession, digest(secret))
        user = lab.store.get(UserRecord, session.user_id) if session else None
        if session and user and session.expires_at > time.time():
            return lab, user
    return None


def caller(request: Request) -> Caller:
    """Return the signed-in user as a caller of Graph through the admin center."""
    user = request.state.user
    return Caller("admin-center", user.id, frozenset({CONFIGURATION_READ_WRITE}), user)


def signed_in(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Let administrators reach a page; others are sent to sign in. Forms must be ours."""

    @functools.wraps(handler)
    async def guarded(request: Request) -> Response:
        found = current(request)
        if found is None:
            return to_sign_in(request)
        lab, request.state.user = found
        request.state.lab = lab
        if not permissions.may_administer(request.state.user):
            return message(request, "No access", _FORBIDDEN, 403)
        if request.method == "POST" and not render.is_own_form(request, await request.form()):
            return message(request, "Try again", EXPIRED_FORM, 403)
        try:
            return await handler(request, lab)
        except GraphError as error:
            return message(request, "That did not work", error.message, error.status)

    return guarded


def to_sign_in(request: Request) -> Response:
    """Let the browser sign in and come back to the page it asked for."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return go_to(f"{_SIGN_IN}?{urlencode({'next': wanted})}")


async def sign_in(request: Request) -> Response:
    """Take account and password of an administrator."""

    def form_page(status: int = 200, asked: WrongCredentials | CodeRequest | None = None) -> Response:
        hidden = {"next": own_path(request.query_params.get("next", ""))}
        action = f"{_SIGN_IN}?{urlencode(hidden)}"
        return render.page(request, "admin_sign_in.html", status, action=action, hidden=hidden, asked=asked)

    if request.method == "GET":
        return form_page()
    form = await request.form()
    if not render.is_own_form(request, form):
        return form_page(403, WrongCredentials(field(form, "upn"), EXPIRED_FORM))
    match authentication.authenticate(request, form):
        case WrongCredentials() as wrong:
            return form_page(401, wrong)
        case CodeRequest() as needed:
            return form_page(401 if needed.problem else 200, needed)
        case SignInRefusal() as refusal:
            return message(request, "You cannot sign in", refusal.text, 403)
        case UserSignIn(lab, user):
            secret, expires_at = secrets.token_urlsafe(32), time.time() + _SESSION_SECONDS
            lab.store.forget_expired(time.time())
            record = BrowserSession(id=digest(secret), user_id=user.id, expires_at=expires_at)
            lab.store.add(record, parent=user.id, expires=expires_at)
            response = go_to(own_path(field(form, "next")))
            response.set_cookie(SESSION_COOKIE, secret, secure=True, httponly=True, samesite="strict")
            return response


async def sign_out(request: Request) -> Response:
    """End the session."""
    found = current(request)
    if not render.is_own_form(request, await request.form()):
        return message(request, "Try again", EXPIRED_FORM, 403)
    if found:
        found[0].store.remove(BrowserSession, digest(request.cookies[SESSION_COOKIE]))
    response = go_to(_SIGN_IN)
    response.delete_cookie(SESSION_COOKIE, secure=True, httponly=True, samesite="strict")
    return response


ROUTES = [
    Route(_SIGN_IN, sign_in, methods=["GET", "POST"]),
    Route("/admin/sign-out", sign_out, methods=["POST"]),
]
