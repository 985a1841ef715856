"""The lab's web pages: device sign-in, and what an administrator looks at.

Forms carry a token bound to a cookie (double submit, signed per run of the server); no script runs.
"""

import hashlib
import hmac
import secrets
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mstunnel_setup.lab import device
from mstunnel_setup.lab.errors import OAuthError
from mstunnel_setup.lab.grants import sign_in
from mstunnel_setup.lab.graph_directory import application_of
from mstunnel_setup.lab.graph_tunnel import server_document
from mstunnel_setup.lab.records import DeviceCodeRecord, ServerRecord, SiteRecord
from mstunnel_setup.lab.scopes import granted_scopes, parse_scope
from mstunnel_setup.lab.state import Lab, lab_of
from mstunnel_setup.tenant.wire import TunnelConfiguration

_COOKIE: Final = "lab_form"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_BAD_CODE: Final = "That code didn't work. Check it and try again; a code is good for a few minutes."
_NO_SUCH_ACCOUNT: Final = "Your account or password is incorrect."
_TEMPLATES: Final = Environment(
    loader=PackageLoader("mstunnel_setup.lab"), autoescape=True, undefined=StrictUndefined
)


def _page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    lab = lab_of(request)
    cookie = request.cookies.get(_COOKIE) or secrets.token_urlsafe(24)
    text = _TEMPLATES.get_template(template).render(
        tenant=lab.tenant.name, form_token=_form_token(lab, cookie), **values
    )
    response = HTMLResponse(text, status, _HEADERS)
    response.set_cookie(_COOKIE, cookie, secure=True, httponly=True, samesite="strict")
    return response


def _form_token(lab: Lab, cookie: str) -> str:
    return hmac.new(lab.form_key, cookie.encode(), hashlib.sha256).hexdigest()


def _is_own_form(request: Request, form: FormData) -> bool:
    cookie = request.cookies.get(_COOKIE, "")
    expected = _form_token(lab_of(request), cookie)
    return bool(cookie) and hmac.compare_digest(expected.encode(), _field(form, "form_token").encode())


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _code_page(request: Request, status: int = 200, code: str = "", problem: str = "") -> Response:
    return _page(request, "code.html", status, code=code, problem=problem)


def _message(request: Request, title: str, text: str, status: int = 200) -> Response:
    return _page(request, "message.html", status, title=title, text=text)


async def code(request: Request) -> Response:
    """Take the code that the device shows."""
    if request.method == "GET":
        return _code_page(request, code=request.query_params.get("otc", ""))
    form = await request.form()
    if not _is_own_form(request, form):
        return _code_page(request, 403, problem="This form has expired. Please try again.")
    waiting = device.find(lab_of(request), _field(form, "code"))
    if waiting is None:
        return _code_page(request, 400, code=_field(form, "code"), problem=_BAD_CODE)
    return _account_page(request, waiting)


def _account_page(
    request: Request, waiting: DeviceCodeRecord, status: int = 200, upn: str = "", problem: str = ""
) -> Response:
    lab = lab_of(request)
    client = application_of(lab, waiting.client_id)
    try:
        scopes = granted_scopes(client, parse_scope(waiting.scope, lab.urls)) if client else ()
    except OAuthError as error:
        device.decline(lab, waiting)
        return _message(request, "Sign-in failed", error.message, 400)
    return _page(
        request,
        "account.html",
        status,
        code=waiting.user_code,
        application=client.display_name if client else waiting.client_id,
        scopes=scopes,
        upn=upn,
        problem=problem,
    )


async def account(request: Request) -> Response:
    """Take account and password, or the user's refusal."""
    lab, form = lab_of(request), await request.form()
    if not _is_own_form(request, form):
        return _code_page(request, 403, problem="This form has expired. Please try again.")
    waiting = device.find(lab, _field(form, "code"))
    if waiting is None:
        return _code_page(request, 400, problem=_BAD_CODE)
    if _field(form, "decision") == "cancel":
        device.decline(lab, waiting)
        return _message(request, "Cancelled", "The device was not signed in. You may close this page.")
    user = sign_in(lab, _field(form, "upn"), _field(form, "password"))
    if user is None:
        device.count_wrong_password(lab, waiting)
        return _account_page(request, waiting, 401, _field(form, "upn"), _NO_SUCH_ACCOUNT)
    device.approve(lab, waiting, user)
    return _message(request, "Signed in", "You have signed in on your device. You may close this page.")


async def admin(request: Request) -> Response:
    """Show sites, server configurations and servers."""
    lab = lab_of(request)
    configurations = {item.id: item for item in lab.store.each(TunnelConfiguration)}
    sites = lab.store.each(SiteRecord)
    servers = [
        (site, server_document(lab, server))
        for site in sites
        for server in lab.store.each(ServerRecord, parent=site.id)
    ]
    return _page(request, "admin.html", configurations=configurations, sites=sites, servers=servers)


async def style(_request: Request) -> Response:
    """The style sheet."""
    text = resources.files("mstunnel_setup.lab").joinpath("templates/lab.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css")


_FORM = ["GET", "POST"]
ROUTES = [
    Route("/devicelogin", code, methods=_FORM),
    Route("/devicelogin/account", account, methods=["POST"]),
    Route("/{tenant}/deviceauth", code, methods=_FORM),
    Route("/admin", admin),
    Route("/lab.css", style),
]
