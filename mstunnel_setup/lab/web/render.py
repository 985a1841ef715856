"""Pages: templates, headers, and the tokens that tell our forms from those of other sites.

Forms carry a token bound to a cookie and to the session (double submit, signed per run of the server). The
cookies are the caller's to choose, so the key of these tokens signs nothing else.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mstunnel_setup import rendering
from mstunnel_setup.foreign import whole_number
from mstunnel_setup.lab.purpose_keys import Purpose
from mstunnel_setup.lab.state import lab_of, labs_of

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
_SEE_OTHER: Final = 303


def page(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """Render a template; each page sets the cookie that its forms are bound to."""
    cookie = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    context = {
        "tenant": lab_of(request).tenant.name,
        "form_token": labs_of(request).signing.sign(
            Purpose.FORM, cookie, request.cookies.get(SESSION_COOKIE, "")
        ),
        "user": getattr(request.state, "user", None),
        "tab": "",
    }
    text = rendering.render(f"lab/{template}", **context | values)
    response = HTMLResponse(text, status, HEADERS)
    response.set_cookie(FORM_COOKIE, cookie, secure=True, httponly=True, samesite="strict")
    return response


def message(request: Request, title: str, text: str, status: int = 200) -> Response:
    """Render a page that says one thing."""
    return page(request, "message.html", status, title=title, text=text)


def go_to(path: str) -> Response:
    """Send the browser to another page with GET."""
    return RedirectResponse(path, _SEE_OTHER, HEADERS)


def is_own_form(request: Request, form: FormData) -> bool:
    """Tell whether the form came from a page of ours in this browser."""
    cookie = request.cookies.get(FORM_COOKIE, "")
    session, given = request.cookies.get(SESSION_COOKIE, ""), field(form, "form_token")
    return bool(cookie) and labs_of(request).signing.verify(Purpose.FORM, given, cookie, session)


def field(form: FormData, name: str) -> str:
    """Return a text field of a form, "" where it is missing."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


async def style(_request: Request) -> Response:
    """The style sheet."""
    text = rendering.render("lab/lab.css")
    return Response(text, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


_SIZE: Final = 50
Item = TypeVar("Item")


@dataclass(frozen=True)
class Listing(Generic[Item]):
    """One page of a list; numbers count from 1."""

    items: Sequence[Item]
    number: int
    last: int
    total: int


def listing(request: Request, everything: Sequence[Item]) -> Listing[Item]:
    """Return the page that the query parameter `page` names, the nearest one there is."""
    total = len(everything)
    last = max(1, -(-total // _SIZE))
    number = min(max(1, whole_number(request.query_params.get("page", "1")) or 1), last)
    return Listing(everything[(number - 1) * _SIZE : number * _SIZE], number, last, total)
