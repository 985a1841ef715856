"""Pages: templates, headers, and the tokens that prove that a form is ours.

Forms carry a token bound to a cookie and to the session (double submit, signed per run of the server).
Clients can choose the cookies, so the key of these tokens signs nothing else.
"""

import re
import secrets
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mstunnel_lab.state import lab_of, labs_of
from mstunnel_setup.base import rendering

FORM_COOKIE: Final = "__Host-lab-form"
SESSION_COOKIE: Final = "__Host-lab-session"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
EXPIRED_FORM: Final = "This form has expired. Please try again."
_PATH: Final = re.compile(r"/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*(\?[A-Za-z0-9_.=&%:/-]*)?")
"""Valid return paths: below this server, never an address of another one."""


def page(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """Render a template; each page sets the cookie to which its forms are bound."""
    cookie = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    context = {
        "tenant": lab_of(request).tenant.name,
        "form_token": labs_of(request).sign("form", cookie, request.cookies.get(SESSION_COOKIE, "")),
        "user": getattr(request.state, "user", None),
        "tab": "",
    }
    text = rendering.render(f"lab/{template}", **context | values)
    response = HTMLResponse(text, status, HEADERS)
    response.set_cookie(FORM_COOKIE, cookie, secure=True, httponly=True, samesite="strict")
    return response


def message(request: Request, title: str, text: str, status: int = 200) -> Response:
    """Render a page with one message."""
    return page(request, "message.html", status, title=title, text=text)


def own_path(text: str) -> str:
    """Return a path of ours for a redirect, or the admin center's for anything else."""
    return text if _PATH.fullmatch(text) else "/admin"


def go_to(path: str) -> Response:
    """Redirect the browser to another page with GET."""
    return RedirectResponse(path, 303, HEADERS)


def is_own_form(request: Request, form: FormData) -> bool:
    """Return whether the form came from one of our pages in this browser."""
    cookie = request.cookies.get(FORM_COOKIE, "")
    session, given = request.cookies.get(SESSION_COOKIE, ""), field(form, "form_token")
    return bool(cookie) and labs_of(request).verify("form", given, cookie, session)


def field(form: FormData, name: str) -> str:
    """Return a text field of a form, or "" if it is missing."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def attachment(name: str, text: str, media_type: str) -> Response:
    """Return a file that the browser saves under this name."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=media_type, headers=HEADERS | disposition)


async def style(_request: Request) -> Response:
    """Return the style sheet."""
    text = rendering.render("lab/lab.css")
    return Response(text, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})
