"""Sign-in in a browser: account, password and second factor; and device sign-in (RFC 8628).

This includes user codes, responses to waiting devices, and the pages for the user's decision.
"""

import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center.render import EXPIRED_FORM, FORM_COOKIE, field, is_own_form, message, page
from mstunnel_lab.entra.permissions import granted_scopes, parse_scope
from mstunnel_lab.errors import ACCOUNT_LOCKED, REFUSALS, OAuthError, refused
from mstunnel_lab.records import ApplicationRecord, DeviceCodeRecord, DeviceCodeStatus, UserRecord, digest
from mstunnel_lab.state import Lab, Labs, labs_of
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text

_PROOF_SECONDS: Final = 300
_PROOF: Final = re.compile(r"(?P<until>[0-9]{1,12})\.(?P<signature>[0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class UserSignIn:
    """A user who has passed all authentication steps."""

    lab: Lab
    user: UserRecord


@dataclass(frozen=True)
class CodeRequest:
    """The password is right, a verification code is still missing; `problem` is why one was refused."""

    upn: str
    proof: str
    problem: str = ""


@dataclass(frozen=True)
class WrongCredentials:
    """Account or password is wrong."""

    upn: str
    problem: str = "Your account or password is incorrect."


@dataclass(frozen=True)
class SignInRefusal:
    """The password is right, but the user is refused."""

    number: int

    @property
    def text(self) -> str:
        """The text of the page."""
        return text("AADSTS{number}: {message}", number=self.number, message=text(REFUSALS[self.number][1]))


Outcome = UserSignIn | CodeRequest | WrongCredentials | SignInRefusal


def sign_in(labs: Labs, lab: Lab, upn: str, password: str) -> UserRecord | None:
    """Return the user with this name and password, or None; raises `OAuthError` 50053 after many attempts.

    Unknown names are counted too, so that no response reveals which names exist.
    """
    user, tries = lab.user(upn), labs.wrong_passwords
    name = user.id if user else digest(upn.strip().lower())[:4]
    if tries.exhausted(name):
        raise refused(ACCOUNT_LOCKED)
    expected = user.password if user else secrets.token_urlsafe()
    if not hmac.compare_digest(expected.encode(), password.encode()):
        tries.count(name)
        return None
    tries.forget(name)
    return user


def authenticate(request: Request, form: FormData) -> Outcome:
    """Authenticate with the fields upn, password, proof and verification_code of a form."""
    labs, upn = labs_of(request), field(form, "upn")
    owner = labs.of_user(upn)
    if field(form, "proof"):
        return _second_factor(request, form, owner)
    lab = owner[0] if owner else labs.home
    try:
        user = sign_in(labs, lab, upn, field(form, "password"))
    except OAuthError as locked:
        return WrongCredentials(upn, SignInRefusal(locked.number).text)
    if user is None:
        return WrongCredentials(upn)
    if user.mfa_code:
        # The signature proves for five minutes that this browser has given the user's password.
        cookie, until = request.cookies.get(FORM_COOKIE, ""), str(int(time.time()) + _PROOF_SECONDS)
        signature = labs.sign("password", cookie, user.id, until)
        return CodeRequest(user.upn, f"{until}.{signature}")
    return SignInRefusal(user.refused_with) if user.refused_with else UserSignIn(lab, user)


def _second_factor(request: Request, form: FormData, owner: tuple[Lab, UserRecord] | None) -> Outcome:
    upn, proof, tries = field(form, "upn"), field(form, "proof"), labs_of(request).wrong_codes
    # Without a second factor no code can be right.
    if owner is None or not owner[1].mfa_code or not _is_proven(request, owner[1], proof):
        return WrongCredentials(upn, "Please sign in again.")
    lab, user = owner
    if tries.exhausted(user.id):
        return WrongCredentials(upn, SignInRefusal(ACCOUNT_LOCKED).text)
    code = field(form, "verification_code").strip()
    if not hmac.compare_digest(code.encode(), user.mfa_code.encode()):
        tries.count(user.id)
        return CodeRequest(upn, proof, "That verification code is incorrect.")
    tries.forget(user.id)
    return SignInRefusal(user.refused_with) if user.refused_with else UserSignIn(lab, user)


def _is_proven(request: Request, user: UserRecord, proof: str) -> bool:
    """Return whether this browser has given the user's password."""
    parts, cookie = _PROOF.fullmatch(proof), request.cookies.get(FORM_COOKIE, "")
    if parts is None:
        return False
    given, until = parts["signature"], parts["until"]
    if not time.time() < (whole_number(until, 12) or 0) <= time.time() + _PROOF_SECONDS:
        return False
    return labs_of(request).verify("password", given, cookie, user.id, until)


_USER_CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_POLL_TOLERANCE: Final = 0.5
_MAX_WRONG_PASSWORDS: Final = 5
_NOT_IN_TENANT: Final = (
    "AADSTS50020: Your account does not exist in this tenant and cannot use the application there. "
    "Sign in with an account of the tenant, or be invited as a guest first."
)


def start(lab: Lab, client_id: str, scope: str, *, any_tenant: bool) -> dict[str, str | int]:
    """Start a device sign-in and return the response of the device code endpoint.

    With `any_tenant` users of the server's other tenants may sign in too.
    """
    now, lifetime = time.time(), lab.tenant.device_code_lifetime
    device_code = secrets.token_urlsafe(48)
    user_code = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(9))
    lab.store.forget_expired(now - lifetime)
    record = DeviceCodeRecord(
        id=digest(device_code),
        user_code=user_code,
        client_id=client_id,
        scope=scope,
        expires_at=now + lifetime,
        any_tenant=any_tenant,
    )
    lab.store.add(record, parent=user_code, expires=record.expires_at)
    page = lab.urls.device_login
    return {
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": page,
        "expires_in": lifetime,
        "interval": lab.tenant.poll_interval,
        "message": f"To sign in, open {page} in a web browser and enter the code {user_code}.",
    }


def redeem(lab: Lab, device_code: str, client_id: str) -> DeviceCodeRecord:
    """Return the approved sign-in of a device code, once; raises `OAuthError` without one."""
    now = time.time()
    code = lab.store.get(DeviceCodeRecord, digest(device_code))
    if code is None or code.client_id != client_id:
        raise OAuthError("bad_verification_code", 70018, "Invalid verification code.")
    refusal = judge_poll(code, now, lab.tenant.poll_interval)
    status = code.status if refusal else DeviceCodeStatus.REDEEMED
    _update(lab, code, last_poll=now, status=status)
    if refusal:
        raise refusal
    return code


def judge_poll(code: DeviceCodeRecord, now: float, interval: int) -> OAuthError | None:
    """Return the error for a device that polls at `now` (Unix time); None if it gets its tokens."""
    error: OAuthError | None = None
    if code.status is DeviceCodeStatus.REDEEMED:
        error = OAuthError("invalid_grant", 54005, "OAuth2 device code was already redeemed.")
    elif now >= code.expires_at:
        error = OAuthError("expired_token", 70020, "The device code has expired.")
    elif code.status is DeviceCodeStatus.REFUSED:
        error = refused(code.refused_with)
    elif code.status is DeviceCodeStatus.DECLINED:
        error = OAuthError("authorization_declined", 65004, "User declined to consent to access the app.")
    elif now - code.last_poll < interval * _POLL_TOLERANCE:
        error = OAuthError("slow_down", 0, f"Ask no more often than every {interval} seconds.")
    elif code.status is DeviceCodeStatus.PENDING:
        description = "OAuth 2.0 device flow error. Authorization is pending."
        error = OAuthError("authorization_pending", 70016, description)
    return error


def _update(lab: Lab, code: DeviceCodeRecord, **update: object) -> None:
    lab.store.replace(code.model_copy(update=update))


def _code_page(request: Request, status: int = 200, code: str = "", problem: str = "") -> Response:
    return page(request, "code.html", status, code=code, problem=problem)


def _waiting(request: Request, form: FormData) -> tuple[Lab, DeviceCodeRecord] | Response:
    """Return tenant and sign-in for the code in the form, or the page that refuses it.

    Wrong codes are counted by the browser's address (RFC 8628 section 5.1).
    """
    if not is_own_form(request, form):
        return _code_page(request, 403, problem=EXPIRED_FORM)
    labs, typed = labs_of(request), field(form, "code")
    tries, browser = labs.wrong_user_codes, digest(request.client.host if request.client else "")[:4]
    if tries.exhausted(browser):
        return _code_page(
            request, 429, problem="Too many wrong codes were entered from here. Try again in ten minutes."
        )
    user_code = "".join(typed.split()).replace("-", "").upper()
    for lab in labs.tenants:
        for code in lab.store.each(DeviceCodeRecord, parent=user_code):
            if code.status is DeviceCodeStatus.PENDING and code.expires_at > time.time():
                return lab, code
    tries.count(browser)
    return _code_page(
        request,
        400,
        code=typed,
        problem="That code didn't work. Check it and try again; a code is valid for a few minutes.",
    )


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
        _update(lab, waiting, status=DeviceCodeStatus.DECLINED)
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


async def code(request: Request) -> Response:
    """Ask for the code on the device."""
    if request.method == "GET":
        return _code_page(request, code=request.query_params.get("otc", ""))
    found = _waiting(request, await request.form())
    return found if isinstance(found, Response) else _account_page(request, *found)


async def account(request: Request) -> Response:
    """Sign in with account and password, or cancel; five wrong passwords decline the sign-in."""
    form = await request.form()
    found = _waiting(request, form)
    if isinstance(found, Response):
        return found
    lab, waiting = found
    if field(form, "decision") == "cancel":
        _update(lab, waiting, status=DeviceCodeStatus.DECLINED)
        return message(request, "Cancelled", "The device was not signed in. You may close this page.")
    match authenticate(request, form):
        case WrongCredentials() | CodeRequest() as asked:
            if asked.problem:
                wrong = waiting.wrong_passwords + 1
                status = DeviceCodeStatus.DECLINED if wrong >= _MAX_WRONG_PASSWORDS else waiting.status
                _update(lab, waiting, wrong_passwords=wrong, status=status)
            return _account_page(request, lab, waiting, 401 if asked.problem else 200, asked)
        case SignInRefusal() as refusal:
            _update(lab, waiting, status=DeviceCodeStatus.REFUSED, refused_with=refusal.number)
            return message(request, "You cannot sign in", refusal.text, 403)
        case UserSignIn(owner, _) if owner.tenant.id != lab.tenant.id and not waiting.any_tenant:
            _update(lab, waiting, status=DeviceCodeStatus.DECLINED)
            return message(request, "You cannot sign in", _NOT_IN_TENANT, 403)
        case UserSignIn(owner, user):
            approved = DeviceCodeStatus.APPROVED
            _update(lab, waiting, status=approved, user_id=user.id, tenant_id=owner.tenant.id)
            return message(
                request, "Signed in", "You have signed in on your device. You may close this page."
            )


ROUTES = [
    Route("/devicelogin/account", account, methods=["POST"]),
    *(
        Route(path, code, methods=["GET", "POST"])
        for path in ("/devicelogin", "/common/oauth2/deviceauth", "/{tenant}/deviceauth")
    ),
]
