"""Step `audit`: where auditd runs, have it record who changes the files of the gateway.

Newer kernels refuse rules for paths that do not exist, so this comes when they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.audit import LOADER, WriteAuditRules
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.ports import Ports
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
    ports = context.ports
    active = ports.files.live and ports.processes.find(LOADER) is not None and _runs(ports)
    present = ports.files.read(RULES)
    foreign = present is not None and not present.startswith(_MARK.encode())
    if active and not foreign and _locked(ports):
        context.note(
            "The audit rules of this host are locked: those of the gateway count from the next boot."
        )
    return Audit(active, (paths.CONFIGURATION, path_of(ports.files, FILE)), foreign)


def _runs(ports: Ports) -> bool:
    return ports.systemd.running() and ports.systemd.active("auditd.service")


def _locked(ports: Ports) -> bool:
    """Whether no rule can be changed before the next boot (auditctl(8))."""
    return "enabled 2" in ports.processes.run(["auditctl", "-s"], timeout=_SECONDS, check=False).output


def _decide(audit: Audit) -> Sequence[Action[Ports]]:
    if not audit.active or audit.foreign:
        return ()
    return (WriteAuditRules(path=RULES, text=rendering.render("audit/mst.rules", watched=audit.watched)),)


STEP = Step("audit", text("Audit of the gateway's files"), _gather, _decide)
