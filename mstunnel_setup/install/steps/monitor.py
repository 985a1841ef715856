"""Step `monitor`: the service on the host that carries out what the agent asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.actions import init_script
from mstunnel_setup.actions.files import directories
from mstunnel_setup.actions.init_script import Init
from mstunnel_setup.actions.units import TARGET_DIRECTORY, InstallService
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.programs import MONITOR, MONITOR_UNIT, path_of
from mstunnel_setup.install.readiness_input import engine_name
from mstunnel_setup.readiness.facts.section import EngineName
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step


@dataclass(frozen=True)
class MonitorService:
    """The program to run, whether systemd can run it, the engine it asks, whether an account runs it.

    `init` is what runs it in place of systemd, if anything can.
    """

    program: str
    systemd: bool
    engine: EngineName = "podman"
    rootless: bool = False
    init: Init | None = None


def _gather(context: Context) -> MonitorService:
    host = context.host
    systemd = host.systemd.running()
    init = init_script.running(host.files, host.processes) if host.files.live and not systemd else None
    if not systemd and init is None:
        context.prompter.say(
            text(
                "No systemd runs here: have the init of this host run `{monitor}`, and start it "
                "again when it ends. It carries out upgrades and restarts what is unhealthy.",
                monitor=MONITOR,
            )
        )
    program, engine = path_of(host.files, MONITOR), engine_name(context)
    return MonitorService(program, systemd, engine, paths.ROOTLESS, init)


def _decide(monitor: MonitorService) -> Sequence[Action]:
    if not monitor.systemd:
        return init_script.at_boot(monitor.init, MONITOR, monitor.program, now=True) if monitor.init else ()
    text = rendering.render(
        f"systemd/{MONITOR_UNIT}", program=monitor.program, engine=monitor.engine, rootless=monitor.rootless
    )
    return (*directories(TARGET_DIRECTORY), InstallService(unit=MONITOR_UNIT, text=text))


STEP = Step("monitor", text("Monitor of the host"), _gather, _decide)
