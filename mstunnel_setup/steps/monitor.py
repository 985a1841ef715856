"""Step `monitor`: the mailbox of the agent, and the service on the host that carries out what it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import MakeDirectory
from mstunnel_setup.engine.step import Step
from mstunnel_setup.steps.context import Context
from mstunnel_setup.steps.program import path_of
from mstunnel_setup.system.service import TARGET_FOLDER, InstallService
from mstunnel_setup.upgrade.actions import OpenMailbox

PROGRAM = "mstunnel_monitor"
UNIT = f"{PROGRAM}.service"
# The engine's program needs these to fetch and unpack images; containers are started by systemd.
_CAPABILITIES = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_MKNOD CAP_SETFCAP "
    "CAP_SETGID CAP_SETUID CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_SYS_MODULE CAP_SYS_PTRACE"
)
_TEXT = """\
[Unit]
Description=Monitor of the Microsoft Tunnel gateway
Wants=network-online.target
After=network-online.target mstunnel-server.service mstunnel-agent.service

[Service]
ExecStart="{program}"
Restart=always
RestartSec=30
SyslogIdentifier={name}
CapabilityBoundingSet={capabilities}
LockPersonality=true
NoNewPrivileges=true
PrivateTmp=true
ProtectClock=true
ProtectHome=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectProc=invisible
ProtectSystem=strict
ReadWritePaths=/etc /run /var
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service @mount @module
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Monitor:
    """The program to run, and whether systemd can run it."""

    program: str
    systemd: bool


def _gather(context: Context) -> Monitor:
    systemd = context.world.systemd.running()
    if not systemd:
        context.prompter.say(
            f"No systemd runs here: have cron run `{PROGRAM} --once` every minute, to restart what is down "
            "and to carry out upgrades."
        )
    return Monitor(path_of(context, PROGRAM), systemd)


def _decide(monitor: Monitor) -> Sequence[Action[Any]]:
    if not monitor.systemd:
        return (OpenMailbox(),)
    text = _TEXT.format(program=monitor.program, name=PROGRAM, capabilities=_CAPABILITIES)
    folders = [MakeDirectory(path=path) for path in ("/etc/systemd", paths.UNITS, TARGET_FOLDER)]
    return (OpenMailbox(), *folders, InstallService(unit=UNIT, text=text))


STEP = Step("monitor", "Monitor of the host", _gather, _decide)
