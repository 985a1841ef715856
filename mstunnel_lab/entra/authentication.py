"""Who types a password into a page: account, password, and the second factor of those who have one."""

import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request

from mstunnel_lab.admin_center.render import FORM_COOKIE, field
from mstunnel_lab.errors import ACCOUNT_LOCKED, REFUSALS, OAuthError, refused
from mstunnel_lab.records import UserRecord, digest
from mstunnel_lab.state import Lab, Labs, Purpose, labs_of
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text

_PROOF_SECONDS: Final = 300
_PROOF: Final = re.compile(r"(?P<until>[0-9]{1,12})\.(?P<signature>[0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class UserSignIn:
    """The user has shown everything that was asked for."""

    lab: Lab
    user: UserRecord


@dataclass(frozen=True)
class CodeRequest:
    """The password is right, a verification code is still missing; `problem` is what was wrong with one."""

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
    """The password is right and the user is refused all the same."""

    number: int

    @property
    def text(self) -> str:
        """What the page says."""
        return text("AADSTS{number}: {message}", number=self.number, message=text(REFUSALS[self.number][1]))


Outcome = UserSignIn | CodeRequest | WrongCredentials | SignInRefusal


def sign_in(labs: Labs, lab: Lab, upn: str, password: str) -> UserRecord | None:
    """Return the user with this name and password, or None; raises `OAuthError` 50053 after too many tries.

    Names without an account are counted too, so that no answer tells them from the others.
    """
    user, tries = lab.user(upn), labs.limits.passwords
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
    """Judge the fields upn, password, proof and verification_code of a form."""
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
        # Sign that this browser has shown the user's password, for five minutes.
        cookie, until = request.cookies.get(FORM_COOKIE, ""), str(int(time.time()) + _PROOF_SECONDS)
        signature = labs.signing.sign(Purpose.PASSWORD, cookie, user.id, until)
        return CodeRequest(user.upn, f"{until}.{signature}")
    return SignInRefusal(user.refused_with) if user.refused_with else UserSignIn(lab, user)


def _second_factor(request: Request, form: FormData, owner: tuple[Lab, UserRecord] | None) -> Outcome:
    upn, proof, tries = field(form, "upn"), field(form, "proof"), labs_of(request).limits.codes
    # Without a second factor there is no code that could be right.
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
    """Whether this browser has shown the user's password."""
    parts, cookie = _PROOF.fullmatch(proof), request.cookies.get(FORM_COOKIE, "")
    if parts is None:
        return False
    given, until = parts["signature"], parts["until"]
    if not time.time() < (whole_number(until, 12) or 0) <= time.time() + _PROOF_SECONDS:
        return False
    return labs_of(request).signing.verify(Purpose.PASSWORD, given, cookie, user.id, until)
