"""What every handler of the lab has at hand."""

import secrets
from dataclasses import dataclass, field

from starlette.requests import Request

from mstunnel_setup.lab.records import TenantRecord
from mstunnel_setup.lab.store import Store
from mstunnel_setup.lab.tokens import TokenService
from mstunnel_setup.lab.urls import Urls


@dataclass(frozen=True)
class Lab:
    """A running lab tenant. `form_key` signs the forms of this run of the server."""

    store: Store
    tenant: TenantRecord
    urls: Urls
    tokens: TokenService
    form_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)


def lab_of(request: Request) -> Lab:
    """Return the lab that serves a request."""
    lab = request.app.state.lab
    if not isinstance(lab, Lab):
        raise TypeError("the application was made without a lab")
    return lab
