"""`--lab URL#FINGERPRINT`: the answers about the tenant, fetched from a lab tenant."""

from collections.abc import Mapping
from dataclasses import replace

from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.install.errors import (
    LAB_ADDRESS_INVALID,
    LAB_CONNECTION_INVALID,
    LAB_FINGERPRINT_MISSING,
    LAB_FINGERPRINT_WRONG,
)
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.pinned import FINGERPRINT, fetch_root

# The lab's own paths (docs/reference/lab.md): its root certificate, and its addresses.
_ROOT, _CONNECTION = "/lab/ca.pem", "/lab/connection"
_SETTINGS = {"authority": "tenant.authority", "graph": "tenant.graph", "client_id": "sign_in.client_id"}


def with_lab(clock: Clock, request: InstallRequest) -> InstallRequest:
    """The request with what the lab that it names answers; settings that were given count more.

    Raises UsageError for an address without its fingerprint, NetworkError when no lab answers there, or one
    with another fingerprint.
    """
    if not request.lab:
        return request
    address, fingerprint = _parts(request.lab)
    root = _root(address, fingerprint)
    tenant = {"tenant.cloud": "custom", "tenant.ca_pem": root, **_connection(clock, address, root)}
    return replace(request, settings={**tenant, **request.settings})


def _parts(lab: str) -> tuple[str, str]:
    address, _, fingerprint = lab.partition("#")
    address = address.rstrip("/")
    if not address.startswith("https://"):
        raise LAB_ADDRESS_INVALID(address=address)
    if not FINGERPRINT.fullmatch(fingerprint):
        raise LAB_FINGERPRINT_MISSING(address=address)
    return address, fingerprint.lower()


def _root(address: str, fingerprint: str) -> str:
    """The root certificate (PEM) of the lab, once it has proved to be the expected one."""
    root, found = fetch_root(f"{address}{_ROOT}")
    if found != fingerprint:
        raise LAB_FINGERPRINT_WRONG(address=address, found=found, expected=fingerprint)
    return root


def _connection(clock: Clock, address: str, root: str) -> Mapping[str, str]:
    """The settings that the lab names, over a connection that the root verifies."""
    http = HttpSession(clock, roots=root, timeout=15, deadline=30)
    try:
        answer = http.get(f"{address}{_CONNECTION}")
        found = json_value(answer.content)
        return {path: str(found[name]) for name, path in _SETTINGS.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise LAB_CONNECTION_INVALID(address=address) from error
    finally:
        http.close()
