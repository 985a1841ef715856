"""Step `monitor`: the mailbox of the agent, and the service on the host that carries out what it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import MakeDirectory
from mstunnel_setup.engine.step import Step
from mstunnel_setup.host import sandbox
from mstunnel_setup.readiness.facts import EngineName
from mstunnel_setup.steps.context import Context
from mstunnel_setup.steps.program import path_of
from mstunnel_setup.steps.surroundings import engine_name
from mstunnel_setup.system.service import TARGET_FOLDER, InstallService
from mstunnel_setup.upgrade.actions import OpenMailbox

PROGRAM = "mstunnel_monitor"
UNIT = f"{PROGRAM}.service"
_TEXT = """\
[Unit]
Description=Monitor of the Microsoft Tunnel gateway
{order}
[Service]
ExecStart="{program}"
Restart=always
RestartSec=30
SyslogIdentifier={name}
{limits}
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Monitor:
    """The program to run, whether systemd can run it, and the engine it asks."""

    program: str
    systemd: bool
    engine: EngineName = "podman"


def _gather(context: Context) -> Monitor:
    systemd = context.world.systemd.running()
    if not systemd:
        context.prompter.say(
            f"No systemd runs here: have cron run `{PROGRAM} --once` every minute, to restart what is down "
            "and to carry out upgrades."
        )
    return Monitor(path_of(context, PROGRAM), systemd, engine_name(context))


def _decide(monitor: Monitor) -> Sequence[Action[Any]]:
    if not monitor.systemd:
        return (OpenMailbox(),)
    order = sandbox.start_order(monitor.engine, "mstunnel-server.service", "mstunnel-agent.service")
    limits = sandbox.limits(monitor.engine)
    text = _TEXT.format(program=monitor.program, name=PROGRAM, order=order, limits=limits)
    folders = [MakeDirectory(path=path) for path in ("/etc/systemd", paths.UNITS, TARGET_FOLDER)]
    return (OpenMailbox(), *folders, InstallService(unit=UNIT, text=text))


STEP = Step("monitor", "Monitor of the host", _gather, _decide)
