"""Whether a gateway serves again after it was disturbed, and after what time."""

import time
from collections.abc import Callable

from tests.machines import record
from tests.machines.installation import MachineInstallation
from tests.testbed.waiting import eventually

_SECONDS = 400


def serves_again(host: MachineInstallation, what: str, disturb: Callable[[], object]) -> list[str]:
    """Put the time until a device is served after a disturbance on record; what is wrong then."""
    begin = time.monotonic()
    disturb()
    answered = eventually(host.answers_tls, _SECONDS)
    seconds = time.monotonic() - begin
    complaints = host.serves() if answered else [f"no TLS handshake within {_SECONDS} s"]
    failed = host.server.shell("systemctl --failed --no-legend --plain").stdout
    complaints += [f"failed units: {failed}"] if failed else []
    record.add(host.bed, what, complaints, seconds=round(seconds))
    return complaints
