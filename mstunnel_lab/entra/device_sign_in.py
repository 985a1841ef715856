"""Device sign-in (RFC 8628): codes, the answer to a waiting device, and the pages where the user decides."""

import secrets
import time
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center.render import EXPIRED_FORM, field, is_own_form, message, page
from mstunnel_lab.entra.authentication import (
    CodeRequest,
    SignInRefusal,
    UserSignIn,
    WrongCredentials,
    authenticate,
)
from mstunnel_lab.entra.permissions import granted_scopes, parse_scope
from mstunnel_lab.errors import OAuthError, refused
from mstunnel_lab.records import ApplicationRecord, DeviceCodeRecord, DeviceCodeStatus, UserRecord, digest
from mstunnel_lab.state import Lab, labs_of

_USER_CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_USER_CODE_LENGTH: Final = 9
_POLL_TOLERANCE: Final = 0.5
_MAX_WRONG_PASSWORDS: Final = 5


def start(lab: Lab, client_id: str, scope: str, *, any_tenant: bool) -> dict[str, str | int]:
    """Begin a device sign-in and return the answer of the device code endpoint.

    With `any_tenant` users of the server's other tenants may sign in too.
    """
    now = time.time()
    device_code = secrets.token_urlsafe(48)
    user_code = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(_USER_CODE_LENGTH))
    expires_at = now + lab.tenant.device_code_lifetime
    lab.store.forget_expired(now - lab.tenant.device_code_lifetime)
    record = DeviceCodeRecord(
        id=digest(device_code),
        user_code=user_code,
        client_id=client_id,
        scope=scope,
        expires_at=expires_at,
        any_tenant=any_tenant,
    )
    lab.store.add(record, parent=user_code, expires=expires_at)
    page = lab.urls.device_login
    return {
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": page,
        "expires_in": lab.tenant.device_code_lifetime,
        "interval": lab.tenant.poll_interval,
        "message": f"To sign in, open {page} in a web browser and enter the code {user_code}.",
    }


def find(lab: Lab, user_code: str) -> DeviceCodeRecord | None:
    """Return the sign-in that waits for this user code, or None."""
    typed = "".join(user_code.split()).replace("-", "").upper()
    waiting = lab.store.each(DeviceCodeRecord, parent=typed)
    now = time.time()
    return next((code for code in waiting if code.expires_at > now and _is_pending(code)), None)


def _is_pending(code: DeviceCodeRecord) -> bool:
    return code.status is DeviceCodeStatus.PENDING


def approve(lab: Lab, code: DeviceCodeRecord, user: UserRecord, tenant_id: str) -> None:
    """The user, of that tenant, signed in: the device may have its tokens."""
    update = {"status": DeviceCodeStatus.APPROVED, "user_id": user.id, "tenant_id": tenant_id}
    lab.store.replace(code.model_copy(update=update))


def refuse(lab: Lab, code: DeviceCodeRecord, number: int) -> None:
    """Entra refuses the user: the device gets the AADSTS number."""
    lab.store.replace(code.model_copy(update={"status": DeviceCodeStatus.REFUSED, "refused_with": number}))


def decline(lab: Lab, code: DeviceCodeRecord) -> None:
    """The user refused."""
    lab.store.replace(code.model_copy(update={"status": DeviceCodeStatus.DECLINED}))


def count_wrong_password(lab: Lab, code: DeviceCodeRecord) -> None:
    """A wrong password was typed; after five the sign-in is declined."""
    wrong = code.wrong_passwords + 1
    status = DeviceCodeStatus.DECLINED if wrong >= _MAX_WRONG_PASSWORDS else code.status
    lab.store.replace(code.model_copy(update={"wrong_passwords": wrong, "status": status}))


def redeem(lab: Lab, device_code: str, client_id: str) -> DeviceCodeRecord:
    """Return the approved sign-in of a device code, once; raises `OAuthError` while there is none."""
    now = time.time()
    code = lab.store.get(DeviceCodeRecord, digest(device_code))
    refusal = judge_poll(code, client_id, now, lab.tenant.poll_interval)
    if code is None or (refusal and refusal.error == "bad_verification_code"):
        raise refusal or _bad_code()
    status = code.status if refusal else DeviceCodeStatus.REDEEMED
    lab.store.replace(code.model_copy(update={"last_poll": now, "status": status}))
    if refusal:
        raise refusal
    return code


def judge_poll(code: DeviceCodeRecord | None, client_id: str, now: float, interval: int) -> OAuthError | None:
    """The error for a device that polls at `now` (Unix time); None means: its tokens."""
    if code is None or code.client_id != client_id:
        return _bad_code()
    return _judge_end(code, now) or _judge_waiting(code, now, interval)


def _judge_end(code: DeviceCodeRecord, now: float) -> OAuthError | None:
    if code.status is DeviceCodeStatus.REDEEMED:
        return OAuthError("invalid_grant", 54005, "OAuth2 device code was already redeemed.")
    if now >= code.expires_at:
        return OAuthError("expired_token", 70020, "The device code has expired.")
    if code.status is DeviceCodeStatus.REFUSED:
        return refused(code.refused_with)
    if code.status is DeviceCodeStatus.DECLINED:
        return OAuthError("authorization_declined", 65004, "User declined to consent to access the app.")
    return None


def _judge_waiting(code: DeviceCodeRecord, now: float, interval: int) -> OAuthError | None:
    if now - code.last_poll < interval * _POLL_TOLERANCE:
        return OAuthError("slow_down", 0, f"Ask no more often than every {interval} seconds.")
    if _is_pending(code):
        return OAuthError(
            "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending."
        )
    return None


def _bad_code() -> OAuthError:
    return OAuthError("bad_verification_code", 70018, "Invalid verification code.")


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
    found = ((lab, waiting) for lab in labs.tenants if (waiting := find(lab, typed)))
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
    asked: WrongCredentials | CodeRequest | None = None,
) -> Response:
    client = lab.store.with_app_id(ApplicationRecord, waiting.client_id)
    try:
        scopes = granted_scopes(client, parse_scope(waiting.scope, lab.urls)) if client else ()
    except OAuthError as error:
        decline(lab, waiting)
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
        decline(lab, waiting)
        return message(request, "Cancelled", "The device was not signed in. You may close this page.")
    return _decided(request, form, lab, waiting)


def _decided(request: Request, form: FormData, lab: Lab, waiting: DeviceCodeRecord) -> Response:
    match authenticate(request, form):
        case WrongCredentials() as wrong:
            count_wrong_password(lab, waiting)
            return _account_page(request, lab, waiting, 401, wrong)
        case CodeRequest() as needed:
            if needed.problem:
                count_wrong_password(lab, waiting)
            return _account_page(request, lab, waiting, 401 if needed.problem else 200, needed)
        case SignInRefusal() as refusal:
            refuse(lab, waiting, refusal.number)
            return message(request, "You cannot sign in", refusal.text, 403)
        case UserSignIn() as signed:
            if signed.lab.tenant.id != lab.tenant.id and not waiting.any_tenant:
                decline(lab, waiting)
                return message(request, "You cannot sign in", _NOT_IN_TENANT, 403)
            approve(lab, waiting, signed.user, signed.lab.tenant.id)
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
