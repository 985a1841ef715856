"""Device sign-in in the browser (RFC 8628 section 3.3): the code, then the account."""

from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center.render import EXPIRED_FORM, field, is_own_form, message, page
from mstunnel_lab.entra import device_flow
from mstunnel_lab.entra.authentication import NeedsCode, Refused, SignedIn, Wrong, authenticate
from mstunnel_lab.entra.scopes import granted_scopes, parse_scope
from mstunnel_lab.errors import OAuthError
from mstunnel_lab.graph.directory import application_of
from mstunnel_lab.records import DeviceCodeRecord, digest
from mstunnel_lab.state import Lab, labs_of

_TOO_MANY_REQUESTS: Final = 429
_BAD_CODE: Final = "That code didn't work. Check it and try again; a code is valid for a few minutes."
_TOO_MANY: Final = "Too many wrong codes were entered from here. Try again in ten minutes."
_NOT_IN_TENANT: Final = (
    "AADSTS50020: Your account does not exist in this tenant and cannot use the application there. "
    "Sign in with an account of the tenant, or be invited as a guest first."
)


def _code_page(request: Request, status: int = 200, code: str = "", problem: str = "") -> Response:
    return page(request, "code.html", status, code=code, problem=problem)


def _sought(request: Request, form: FormData) -> tuple[Lab, DeviceCodeRecord] | Response:
    """Return the sign-in that waits for the code in the form, and its tenant, or the page that refuses it.

    Wrong codes are counted by the browser's address (RFC 8628 section 5.1).
    """
    labs, typed = labs_of(request), field(form, "code")
    tries, browser = labs.limits.user_codes, digest(request.client.host if request.client else "")[:4]
    if tries.exhausted(browser):
        return _code_page(request, _TOO_MANY_REQUESTS, problem=_TOO_MANY)
    found = ((lab, waiting) for lab in labs.tenants if (waiting := device_flow.find(lab, typed)))
    if (first := next(found, None)) is None:
        tries.count(browser)
        return _code_page(request, 400, code=typed, problem=_BAD_CODE)
    return first


async def code(request: Request) -> Response:
    """Take the code that the device shows."""
    if request.method == "GET":
        return _code_page(request, code=request.query_params.get("otc", ""))
    form = await request.form()
    if not is_own_form(request, form):
        return _code_page(request, 403, problem=EXPIRED_FORM)
    found = _sought(request, form)
    return found if isinstance(found, Response) else _account_page(request, *found)


def _account_page(
    request: Request,
    lab: Lab,
    waiting: DeviceCodeRecord,
    status: int = 200,
    asked: Wrong | NeedsCode | None = None,
) -> Response:
    client = application_of(lab, waiting.client_id)
    try:
        scopes = granted_scopes(client, parse_scope(waiting.scope, lab.urls)) if client else ()
    except OAuthError as error:
        device_flow.decline(lab, waiting)
        return message(request, "Sign-in failed", error.message, 400)
    return page(
        request,
        "account.html",
        status,
        action="/devicelogin/account",
        hidden={"code": waiting.user_code},
        application=client.display_name if client else waiting.client_id,
        scopes=scopes,
        asked=asked,
    )


async def account(request: Request) -> Response:
    """Take account and password, or the user's refusal."""
    form = await request.form()
    if not is_own_form(request, form):
        return _code_page(request, 403, problem=EXPIRED_FORM)
    found = _sought(request, form)
    if isinstance(found, Response):
        return found
    lab, waiting = found
    if field(form, "decision") == "cancel":
        device_flow.decline(lab, waiting)
        return message(request, "Cancelled", "The device was not signed in. You may close this page.")
    return _decided(request, form, lab, waiting)


def _decided(request: Request, form: FormData, lab: Lab, waiting: DeviceCodeRecord) -> Response:
    match authenticate(request, form):
        case Wrong() as wrong:
            device_flow.count_wrong_password(lab, waiting)
            return _account_page(request, lab, waiting, 401, wrong)
        case NeedsCode() as needed:
            if needed.problem:
                device_flow.count_wrong_password(lab, waiting)
            return _account_page(request, lab, waiting, 401 if needed.problem else 200, needed)
        case Refused() as refusal:
            device_flow.refuse(lab, waiting, refusal.number)
            return message(request, "You cannot sign in", refusal.text, 403)
        case SignedIn() as signed:
            if signed.lab.tenant.id != lab.tenant.id and not waiting.any_tenant:
                device_flow.decline(lab, waiting)
                return message(request, "You cannot sign in", _NOT_IN_TENANT, 403)
            device_flow.approve(lab, waiting, signed.user, signed.lab.tenant.id)
            return message(
                request, "Signed in", "You have signed in on your device. You may close this page."
            )


_FORM = ["GET", "POST"]
ROUTES = [
    Route("/devicelogin", code, methods=_FORM),
    Route("/devicelogin/account", account, methods=["POST"]),
    Route("/common/oauth2/deviceauth", code, methods=_FORM),
    Route("/{tenant}/deviceauth", code, methods=_FORM),
]
