"""What `mst-cli status` says of whatever keeps the gateway going: the monitor, and the last upgrade."""

from collections.abc import Iterator

from mstunnel_setup.errors import StepError
from mstunnel_setup.host.files import Files
from mstunnel_setup.install.steps.monitor import UNIT
from mstunnel_setup.install.world import World
from mstunnel_setup.result import Notice
from mstunnel_setup.tenant.text import plain
from mstunnel_setup.upgrade.last_decision import read_standing
from mstunnel_setup.upgrade.record import Outcome, read_history

_AGAIN = "Mend the cause, then run `mst-cli upgrade apply`."
# A window or a turn comes by itself; these wait for a person.
_STUCK = frozenset({"approval-missing", "held", "other-failed"})


def monitor_notices(world: World) -> Iterator[Notice]:
    """The monitor is installed and does not run. Where no systemd runs, nobody can tell."""
    if world.systemd.known(UNIT) and not world.systemd.active(UNIT):
        message = "the monitor does not run, so nothing is restarted or upgraded by itself"
        yield Notice("monitor-down", message, f"Run `systemctl start {UNIT}`.")


def waiting_notices(files: Files) -> Iterator[Notice]:
    """The agent waits for a person before it upgrades this server."""
    found = read_standing(files)
    if found is not None and found.code in _STUCK:
        yield Notice("upgrade-waits", plain(found.reason), "See `mst-cli upgrade check`.")


def upgrade_notices(files: Files) -> Iterator[Notice]:
    """The last upgrade is not over, or did not succeed."""
    try:
        history = read_history(files)
    except StepError as error:
        yield Notice(error.code, error.message, error.hint)
        return
    last = history.upgrades[-1] if history.upgrades else None
    if last is None or last.outcome is Outcome.DONE:
        return
    if last.outcome is None:
        message = f"the upgrade to {last.release} is under way or was cut off (phase {last.phase})"
        yield Notice("upgrade-unfinished", message, "The monitor ends it; so does `mst-cli upgrade apply`.")
    else:
        yield Notice("upgrade-failed", f"the upgrade to {last.release} failed: {last.reason}", _AGAIN)
