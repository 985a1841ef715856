"""State that every handler of the lab uses."""

import base64
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request

from mstunnel_lab.entra.safeguards import GuessLimits, PurposeKeys
from mstunnel_lab.entra.tokens import KeyRing, TokenService
from mstunnel_lab.faults import Faults, Throttle
from mstunnel_lab.pki import Authority
from mstunnel_lab.records import ApplicationRecord, TenantRecord, UserRecord
from mstunnel_lab.store import Store
from mstunnel_lab.urls import TENANT_ALIASES, Urls
from mstunnel_setup.base.parsing import json_value

_PARTS_OF_A_TOKEN: Final = 3


@dataclass(frozen=True)
class Lab:
    """A running lab tenant. `uploads` is the directory of collected logs."""

    store: Store
    tenant: TenantRecord
    urls: Urls
    tokens: TokenService
    uploads: Path

    def application_for(self, use: str) -> str:
        """Return the client id of the application that is made for a use: `setup` or `device`."""
        return self.store.each(ApplicationRecord, parent=use)[0].app_id

    def user(self, upn: str) -> UserRecord | None:
        """Return the user with this name, or None."""
        wanted = upn.strip().lower()
        return next((user for user in self.store.each(UserRecord) if user.upn == wanted), None)


@dataclass(frozen=True)
class Labs:
    """All tenants of one server, the home tenant first.

    `signing` signs what this run of the server hands out to browsers, `control_key` opens its control paths.
    """

    tenants: tuple[Lab, ...]
    keys: KeyRing
    authority: Authority
    faults: Faults = field(default_factory=Faults)
    throttle: Throttle = field(default_factory=Throttle)
    limits: GuessLimits = field(default_factory=GuessLimits)
    signing: PurposeKeys = field(default_factory=lambda: PurposeKeys(secrets.token_bytes(32)), repr=False)
    control_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def home(self) -> Lab:
        """The tenant that is meant where none is named."""
        return self.tenants[0]

    @property
    def setup_option(self) -> str:
        """The value of `mstunnel-setup --lab`: it leads to the home tenant."""
        return f"{self.home.urls.base}#{self.authority.fingerprint}"

    def named(self, name: str) -> Lab | None:
        """Return the tenant with this id, domain or alias, or None."""
        if name in TENANT_ALIASES:
            return self.home
        return next((lab for lab in self.tenants if lab.urls.is_tenant(name)), None)

    def of_user(self, upn: str) -> tuple[Lab, UserRecord] | None:
        """Return the tenant that has this user, and the user."""
        return next(((lab, user) for lab in self.tenants if (user := lab.user(upn))), None)

    def close(self) -> None:
        """Close all stores."""
        for lab in self.tenants:
            lab.store.close()


def labs_of(request: Request) -> Labs:
    """Return the tenants of the server that serves a request."""
    labs = request.app.state.labs
    if not isinstance(labs, Labs):
        raise TypeError("the application was made without a lab")
    return labs


def lab_of(request: Request) -> Lab:
    """Return the tenant that a request is for: that of its session, path or token, else home."""
    labs = labs_of(request)
    if len(labs.tenants) == 1:
        return labs.home
    if isinstance(chosen := getattr(request.state, "lab", None), Lab):
        return chosen
    name = request.path_params.get("tenant") or tenant_of_token(request)
    return labs.named(name) or labs.home


def tenant_of_token(request: Request) -> str:
    """Return the `tid` claim of a bearer token that is not verified yet, or ""."""
    parts = request.headers.get("authorization", "").partition(" ")[2].split(".")
    if len(parts) != _PARTS_OF_A_TOKEN:
        return ""
    try:
        claims = json_value(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return ""
    return str(claims.get("tid", "")) if isinstance(claims, dict) else ""
