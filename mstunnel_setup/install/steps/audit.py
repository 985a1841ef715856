"""Step `audit`: where auditd runs, have it record who changes the files of the gateway.

Newer kernels refuse rules for paths that do not exist, so this comes when they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.loaded_files import AUDIT_LOADER, WriteAuditRules
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.programs import FILE, path_of
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

RULES = "/etc/audit/rules.d/mst.rules"
_MARK = "# Written by mstunnel-setup"
_SECONDS = 15.0


@dataclass(frozen=True)
class Audit:
    """Whether auditd runs, the paths to watch, and whether the rules at our place are of others."""

    active: bool
    watched: tuple[str, ...]
    foreign: bool = False


def _gather(context: Context) -> Audit:
    host = context.host
    systemd = host.systemd
    active = host.files.live and host.processes.find(AUDIT_LOADER) is not None
    active = active and systemd.running() and systemd.active("auditd.service")
    present = host.files.read(RULES)
    foreign = present is not None and not present.startswith(_MARK.encode())
    # Rules that cannot be changed before the next boot (auditctl(8)).
    status = ("auditctl", "-s")
    if (
        active
        and not foreign
        and "enabled 2" in host.processes.run(status, timeout=_SECONDS, check=False).output
    ):
        context.note(
            "The audit rules of this host are locked: those of the gateway count from the next boot."
        )
    return Audit(active, (paths.CONFIGURATION, path_of(host.files, FILE)), foreign)


def _decide(audit: Audit) -> Sequence[Action]:
    if not audit.active or audit.foreign:
        return ()
    return (WriteAuditRules(path=RULES, text=rendering.render("audit/mst.rules", watched=audit.watched)),)


STEP = Step("audit", text("Audit of the gateway's files"), _gather, _decide)
