"""Whether a gateway serves again after it was disturbed, and after what time."""

import time
from collections.abc import Callable

from mstunnel_setup.readiness.sysctls import SYSCTL_FILE
from tests.machines import record
from tests.machines.installation import MachineInstallation
from tests.testbed.process import TestbedError
from tests.testbed.testbed import INTRANET_PAGE
from tests.testbed.waiting import eventually

_SECONDS = 400
_SETTINGS = f"""
while read -r name _ value; do
    now="$(sysctl --values "$name")"
    [ "$now" = "$value" ] || echo "$name is $now and not $value"
done <{SYSCTL_FILE}
"""


def serves_again(host: MachineInstallation, what: str, disturb: Callable[[], object]) -> list[str]:
    """Put the time until a device is served after a disturbance on record; what is wrong then."""
    begin = time.monotonic()
    disturb()
    served = eventually(lambda: host.answers_tls() and serves_device(host), _SECONDS)
    seconds = time.monotonic() - begin
    complaints = host.serves() if served else [f"no device was served within {_SECONDS} s"]
    # Settings of the kernel that are not as the installer's file has them.
    complaints += [*lasting_failures(host), *host.server.shell(_SETTINGS).stdout.splitlines()]
    record.add(host.bed, what, complaints, seconds=round(seconds))
    return complaints


def serves_device(host: MachineInstallation) -> bool:
    """Whether a device connects and fetches the internal page."""
    try:
        host.connect()
    except TestbedError:
        return False
    page = host.fetch_internal_page(check=False)
    host.disconnect()
    return page.stdout == INTRANET_PAGE


def lasting_failures(host: MachineInstallation) -> list[str]:
    """Units that stay failed; a health check of Podman that has failed is one until the next."""
    return [] if eventually(lambda: not _failed_units(host), 60) else [f"failed units: {_failed_units(host)}"]


def _failed_units(host: MachineInstallation) -> str:
    """Units that have failed, but for the one that a test has fail on purpose."""
    if not host.testbed.kind.systemd:
        return ""
    listed = host.server.shell("systemctl --failed --no-legend --plain").stdout.splitlines()
    return "\n".join(line for line in listed if not line.startswith("systemd-modules-load."))
