"""State shared by all handlers of the lab: tenants, limits on guessing, signing keys for browsers."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from starlette.requests import Request

from mstunnel_lab.entra.tokens import KeyRing, TokenService
from mstunnel_lab.faults import Fault, Throttle
from mstunnel_lab.pki import Authority
from mstunnel_lab.records import ApplicationRecord, TenantRecord, UserRecord
from mstunnel_lab.store import Store
from mstunnel_lab.urls import TENANT_ALIASES, Urls
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.io.clock import Clock


@dataclass(frozen=True)
class Lab:
    """A running lab tenant. `uploads` is the directory of collected logs."""

    store: Store
    tenant: TenantRecord
    urls: Urls
    tokens: TokenService
    uploads: Path

    def application_for(self, use: str) -> str:
        """Return the client id of the application for a use: `setup` or `device`."""
        return next(iter(self.store.each(ApplicationRecord, parent=use))).app_id

    def user(self, upn: str) -> UserRecord | None:
        """Return the user with this name, or None."""
        wanted = upn.strip().lower()
        return next((user for user in self.store.each(UserRecord) if user.upn == wanted), None)


@dataclass
class FailedAttempts:
    """Failed attempts by name: `most` of them within `seconds` lock the name until the first is that old.

    Names must be few: ids of accounts, or digests cut to a few digits.
    """

    most: int
    seconds: float
    clock: Clock = field(default_factory=Clock)
    _wrong: dict[str, list[float]] = field(default_factory=dict, init=False)

    def exhausted(self, name: str) -> bool:
        """Return whether the name is locked; then even a correct attempt must be refused."""
        oldest = self.clock.monotonic() - self.seconds
        return sum(at > oldest for at in self._wrong.get(name, ())) >= self.most

    def count(self, name: str) -> None:
        """Count a failed attempt."""
        self._wrong[name] = [*self._wrong.get(name, ()), self.clock.monotonic()][-self.most :]

    def forget(self, name: str) -> None:
        """Reset the count: the right secret was given, or an administrator unlocks the name."""
        self._wrong.pop(name, None)


Purpose = Literal["form", "password", "logs"]
"""The purpose of a signature: form token, proof of a password, or address of collected logs."""


def _mac(key: bytes, *parts: str) -> bytes:
    """Return an HMAC-SHA-256 (RFC 2104). Each part is prefixed with its length to prevent ambiguity."""
    encoded = [part.encode() for part in parts]
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
    return hmac.digest(key, framed, hashlib.sha256)


@dataclass(frozen=True)
class Labs:
    """All tenants of one server, the home tenant first.

    `faults` are pending. Wrong passwords and codes (second factor) are counted by account, user codes by the
    browser's address. The signing keys for browsers, one for each purpose, are derived from `secret`, which
    is new for each run of the server; `control_key` opens its control paths.
    """

    tenants: tuple[Lab, ...]
    keys: KeyRing
    authority: Authority
    faults: list[Fault] = field(default_factory=list)
    throttle: Throttle = field(default_factory=Throttle)
    wrong_passwords: FailedAttempts = field(default_factory=lambda: FailedAttempts(10, 600))
    wrong_codes: FailedAttempts = field(default_factory=lambda: FailedAttempts(5, 600))
    wrong_user_codes: FailedAttempts = field(default_factory=lambda: FailedAttempts(20, 600))
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    control_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def home(self) -> Lab:
        """The tenant of requests that name none."""
        return self.tenants[0]

    @property
    def setup_option(self) -> str:
        """The value of `mstunnel-setup --lab`, which leads to the home tenant."""
        return f"{self.home.urls.base}#{self.authority.fingerprint}"

    def sign(self, purpose: Purpose, *parts: str) -> str:
        """Return the signature of the parts for a purpose, in hexadecimal."""
        return _mac(_mac(self.secret, purpose), *parts).hex()

    def verify(self, purpose: Purpose, signature: str, *parts: str) -> bool:
        """Return, in constant time, whether this is the signature of the parts."""
        return hmac.compare_digest(self.sign(purpose, *parts).encode(), signature.encode())

    def named(self, name: str) -> Lab | None:
        """Return the tenant with this id, domain or alias, or None."""
        if name in TENANT_ALIASES:
            return self.home
        wanted = name.lower()
        return next(
            (lab for lab in self.tenants if wanted in {lab.tenant.id, lab.tenant.domain.lower()}), None
        )

    def of_user(self, upn: str) -> tuple[Lab, UserRecord] | None:
        """Return the tenant with this user, and the user."""
        return next(((lab, user) for lab in self.tenants if (user := lab.user(upn))), None)


def labs_of(request: Request) -> Labs:
    """Return the tenants of the server that handles a request."""
    labs: Labs = request.app.state.labs
    return labs


def lab_of(request: Request) -> Lab:
    """Return the tenant of a request: that of its session, path or token, or else home."""
    labs = labs_of(request)
    if len(labs.tenants) == 1:
        return labs.home
    if isinstance(chosen := getattr(request.state, "lab", None), Lab):
        return chosen
    name = request.path_params.get("tenant") or tenant_of_token(request)
    return labs.named(name) or labs.home


def tenant_of_token(request: Request) -> str:
    """Return the `tid` claim of an unverified bearer token, or ""."""
    try:
        _, payload, _ = request.headers.get("authorization", "").partition(" ")[2].split(".")
        claims = json_value(base64.urlsafe_b64decode(payload + "=="))
    except ValueError:
        return ""
    return str(claims.get("tid", "")) if isinstance(claims, dict) else ""
