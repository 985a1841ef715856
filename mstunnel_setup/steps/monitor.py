"""Step `monitor`: the mailbox of the agent, and the service on the host that carries out what it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import folders
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
WantedBy={target}
"""


@dataclass(frozen=True)
class Monitor:
    """The program to run, whether systemd can run it, the engine it asks, whether an account runs it."""

    program: str
    systemd: bool
    engine: EngineName = "podman"
    rootless: bool = False


def _gather(context: Context) -> Monitor:
    systemd = context.world.systemd.running()
    if not systemd:
        context.prompter.say(
            f"No systemd runs here: have cron run `{PROGRAM} --once` every minute, to restart what is down "
            "and to carry out upgrades."
        )
    program, engine = path_of(context.world.files, PROGRAM), engine_name(context)
    return Monitor(program, systemd, engine, paths.ROOTLESS)


def _decide(monitor: Monitor) -> Sequence[Action[Any]]:
    if not monitor.systemd:
        return (OpenMailbox(),)
    rootless = monitor.rootless
    text = _TEXT.format(
        program=monitor.program,
        name=PROGRAM,
        order=sandbox.start_order(
            monitor.engine, "mstunnel-server.service", "mstunnel-agent.service", rootless=rootless
        ),
        limits=sandbox.limits(monitor.engine, rootless=rootless),
        target="default.target" if rootless else "multi-user.target",
    )
    return (OpenMailbox(), *folders(TARGET_FOLDER), InstallService(unit=UNIT, text=text))


STEP = Step("monitor", "Monitor of the host", _gather, _decide)
