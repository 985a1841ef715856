"""Who types a password into a page: account, password, and the second factor of those who have one."""

import hmac
import time
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request

from mstunnel_setup.lab.grants import sign_in
from mstunnel_setup.lab.records import UserRecord
from mstunnel_setup.lab.refusals import REFUSALS
from mstunnel_setup.lab.state import Lab, labs_of
from mstunnel_setup.lab.web.render import FORM_COOKIE, field, signature

NO_SUCH_ACCOUNT: Final = "Your account or password is incorrect."
WRONG_CODE: Final = "That verification code is incorrect."
_PROOF_SECONDS: Final = 300


@dataclass(frozen=True)
class SignedIn:
    """The user has shown everything that was asked for."""

    lab: Lab
    user: UserRecord


@dataclass(frozen=True)
class NeedsCode:
    """The password is right, a verification code is still missing; `problem` is what was wrong with one."""

    upn: str
    proof: str
    problem: str = ""


@dataclass(frozen=True)
class Wrong:
    """Account or password is wrong."""

    upn: str
    problem: str = NO_SUCH_ACCOUNT


@dataclass(frozen=True)
class Refused:
    """The password is right and the user is refused all the same."""

    number: int

    @property
    def text(self) -> str:
        """What the page says."""
        return f"AADSTS{self.number}: {REFUSALS[self.number].message}"


Outcome = SignedIn | NeedsCode | Wrong | Refused


def authenticate(request: Request, form: FormData) -> Outcome:
    """Judge the fields upn, password, proof and verification_code of a form."""
    if field(form, "proof"):
        return _second_factor(request, form)
    upn = field(form, "upn")
    owner = labs_of(request).of_user(upn)
    lab = owner[0] if owner else labs_of(request).home
    user = sign_in(lab, upn, field(form, "password"))
    if user is None:
        return Wrong(upn)
    if user.mfa_code:
        return NeedsCode(user.upn, _proof(request, user, int(time.time()) + _PROOF_SECONDS))
    return _admitted(lab, user)


def _admitted(lab: Lab, user: UserRecord) -> Outcome:
    return Refused(user.refused_with) if user.refused_with else SignedIn(lab, user)


def _proof(request: Request, user: UserRecord, until: int) -> str:
    """Sign that this browser has shown the user's password."""
    cookie = request.cookies.get(FORM_COOKIE, "")
    return f"{until}.{signature(request, f'password {cookie} {user.id} {until}')}"


def _second_factor(request: Request, form: FormData) -> Outcome:
    upn, given = field(form, "upn"), field(form, "proof")
    until = given.partition(".")[0]
    owner = labs_of(request).of_user(upn)
    if owner is None or not until.isdecimal() or int(until) < time.time():
        return Wrong(upn, "Please sign in again.")
    lab, user = owner
    expected = _proof(request, user, int(until))
    if not hmac.compare_digest(expected.encode(), given.encode()):
        return Wrong(upn, "Please sign in again.")
    typed = field(form, "verification_code").strip()
    if not hmac.compare_digest(typed.encode(), user.mfa_code.encode()):
        return NeedsCode(upn, given, WRONG_CODE)
    return _admitted(lab, user)
