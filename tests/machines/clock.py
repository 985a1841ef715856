"""A clock that is set forward in a machine, and beside it in the programs whose work depends on the time."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.machines.guest import LAB_MODULE, PROGRAMS
from tests.machines.installation import MachineInstallation
from tests.testbed.installation import LAB

_LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"
_AHEAD = "/run/ahead"
# Only the time of the day: how long something lasts, and when a file was changed, stay as they are.
_FAKED = f"""#!/bin/sh
export LD_PRELOAD='{_LIBRARY}' FAKETIME_TIMESTAMP_FILE={_AHEAD} FAKETIME_NO_CACHE=1
export FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
exec {{}} "$@"
"""
_STOP_LAB = f"pkill -f '[{LAB_MODULE[0]}]{LAB_MODULE[1:]}'; while [ -e {LAB}/lab.json ]; do sleep 0.1; done"


def missing() -> str:
    """Why no clock can be set forward here; "" when one can."""
    found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return "" if found else "libfaketime is not installed"


@dataclass
class MachineClock:
    """The time of a machine, of its tenant and of its VPN client; that of this computer goes on as it is."""

    host: MachineInstallation
    ahead: timedelta = field(default=timedelta(), init=False)

    def __post_init__(self) -> None:
        """Start the tenant once more, so that it takes its time from here."""
        beside = self.host.testbed.client
        self._write()
        beside.shell(_STOP_LAB)
        lab = f"{PROGRAMS}/mstunnel-lab"
        beside.shell(f"mv {lab} {lab}.real")
        for name, real in (("mstunnel-lab", f"{lab}.real"), ("openconnect", "/usr/sbin/openconnect")):
            beside.write(f"{PROGRAMS}/{name}", _FAKED.format(real), 0o755)
        self.host.start_lab()

    def now(self) -> datetime:
        """The time there."""
        return datetime.now(UTC) + self.ahead

    def forward(self, time: timedelta) -> None:
        """Set it forward."""
        self.ahead += time
        self._write()
        self.host.server.run(["date", "--set", f"@{self.now().timestamp():.0f}"])

    def _write(self) -> None:
        """Replace the file in one piece: programs read it all the time."""
        seconds = round(self.ahead.total_seconds())
        self.host.testbed.client.shell(f"echo +{seconds} >{_AHEAD}.new && mv {_AHEAD}.new {_AHEAD}")
