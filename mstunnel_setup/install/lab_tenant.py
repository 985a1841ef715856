"""`--lab`: the answers about the tenant come from a lab tenant."""

from collections.abc import Mapping
from dataclasses import replace

from mstunnel_setup.base.errors import NetworkError, TenantError, UsageError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import FINGERPRINT, HttpSession, fetch_root

# The lab serves its root certificate and its addresses at these paths (docs/reference/lab.md).
_ROOT, _CONNECTION = "/lab/ca.pem", "/lab/connection"
_SETTINGS = {"authority": "tenant.authority", "graph": "tenant.graph", "client_id": "sign_in.client_id"}


def with_lab(clock: Clock, request: InstallRequest) -> InstallRequest:
    """Return the request with the answers of the lab that it names; given settings take precedence.

    Raises UsageError for an address without a fingerprint, NetworkError if no lab answers there, or one with
    another fingerprint.
    """
    if not request.lab:
        return request
    address, _, fingerprint = request.lab.partition("#")
    address = address.rstrip("/")
    if not address.startswith("https://"):
        raise UsageError(
            "lab-address-invalid",
            "--lab: {address} is not an https address",
            hint="Copy the whole command that `mstunnel-lab serve` prints.",
            address=address,
        )
    if not FINGERPRINT.fullmatch(fingerprint):
        raise UsageError(
            "lab-fingerprint-missing",
            "--lab: {address} comes without a fingerprint (`#sha256:` and 64 hex digits)",
            hint="Copy the whole command that `mstunnel-lab serve` prints.",
            address=address,
        )
    root, found = fetch_root(f"{address}{_ROOT}")
    if found != fingerprint.lower():
        raise NetworkError(
            "lab-fingerprint-wrong",
            (
                "the root certificate of {address} has the fingerprint {found}, not {expected}; "
                "nothing was changed"
            ),
            hint=(
                "Copy the command that `mstunnel-lab serve` prints now. If its fingerprint is the "
                "same, another server answers in its place."
            ),
            address=address,
            found=found,
            expected=fingerprint.lower(),
        )
    tenant = {"tenant.cloud": "custom", "tenant.ca_pem": root, **_connection(clock, address, root)}
    return replace(request, settings={**tenant, **request.settings})


def _connection(clock: Clock, address: str, root: str) -> Mapping[str, str]:
    """Fetch the settings of the lab over a connection verified with `root` (PEM)."""
    http = HttpSession(clock, roots=root, timeout=15, deadline=30)
    try:
        answer = http.get(f"{address}{_CONNECTION}")
        found = json_value(answer.content)
        return {path: str(found[name]) for name, path in _SETTINGS.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise TenantError(
            "lab-connection-invalid",
            "{address} does not describe a lab tenant",
            hint="Check that `mstunnel-lab serve` runs there, in a version like this one.",
            address=address,
        ) from error
    finally:
        http.close()
