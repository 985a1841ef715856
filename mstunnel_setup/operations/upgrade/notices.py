"""What `mst-cli status` says of whatever keeps the gateway going: the monitor, and the last upgrade."""

from collections.abc import Iterator

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import EngineError, StepError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.exchange.upgrade_decision import read_standing
from mstunnel_setup.exchange.upgrade_history import Upgrade, UpgradeOutcome, read_history
from mstunnel_setup.install.installed import MONITOR_UNIT
from mstunnel_setup.io.files import Files

# A window or a turn comes with time; these wait for a person.
_STUCK = frozenset({"approval-missing", "held", "other-failed"})


def upgrade_failed(upgrade: Upgrade) -> EngineError:
    """The error for an upgrade that failed, with what serves now."""
    begun = upgrade.outcome is not UpgradeOutcome.NOT_BEGUN
    return EngineError(
        "upgrade-failed",
        "the upgrade to {release} failed: {reason}; {kept}",
        hint="Fix the cause, then run `mst-cli upgrade apply` again. See `mst-cli upgrade history`.",
        release=upgrade.release,
        reason=upgrade.reason,
        kept=text("the earlier release is in use again") if begun else text("nothing was changed"),
    )


def monitor_notices(ports: Host) -> Iterator[Problem]:
    """The monitor is installed but not running. Without systemd this is unknown."""
    if ports.systemd.known(MONITOR_UNIT) and not ports.systemd.active(MONITOR_UNIT):
        yield warning(
            "monitor-down",
            "the monitor is not running, so nothing is restarted or upgraded automatically",
            hint="Run `systemctl start {unit}`.",
            unit=MONITOR_UNIT,
        )


def waiting_notices(files: Files) -> Iterator[Problem]:
    """The agent waits for a person before it upgrades this server."""
    found = read_standing(files)
    if found is not None and found.code in _STUCK:
        yield warning(
            "upgrade-waits",
            "{reason}",
            hint="See `mst-cli upgrade check`.",
            reason=plain(found.reason),
        )


def upgrade_notices(files: Files) -> Iterator[Problem]:
    """The last upgrade is not over, or did not succeed."""
    try:
        history = read_history(files)
    except StepError as error:
        yield error.problem
        return
    last = next(reversed(history.upgrades), None)
    if last is not None and last.outcome is None:
        yield warning(
            "upgrade-unfinished",
            "the upgrade to {release} is in progress or was interrupted (phase {phase})",
            hint="The monitor completes it; so does `mst-cli upgrade apply`.",
            release=last.release,
            phase=last.phase,
        )
    elif last is not None and last.outcome is not UpgradeOutcome.DONE:
        yield upgrade_failed(last).problem
