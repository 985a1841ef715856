"""Step `uplink`: connect the rootless gateway to the network in the kernel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.actions import uplink
from mstunnel_setup.actions.files import Link, MakeDirectory, WriteFile, WriteJson, directories
from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.units import ConfigureUnit
from mstunnel_setup.base import rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.programs import path_of
from mstunnel_setup.readiness.facts.programs import obstacle
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

# Whenever the rules of the host are loaded again, those of the uplink have to be.
_RULES_LOADED: Final = f"{uplink.UNITS}/nftables.service.wants"


@dataclass(frozen=True)
class Uplink:
    """The account, the port of its gateway, the program; `obstacle` is why the host cannot have an uplink."""

    account: str
    port: int
    program: str
    obstacle: str = ""


def obstacle_here(host: Host) -> str:
    """Why this host cannot have an uplink; empty when it can."""
    if not host.systemd.running():
        return text("systemd does not run here")
    return obstacle(host.files, host.processes)


def _gather(context: Context) -> Uplink:
    host = context.host
    found = obstacle_here(host)
    if found:
        context.prompter.say(
            text(
                "No uplink for the gateway: {found}. Its packets pass pasta or slirp4netns instead, "
                "which is slower. `mst-cli help rootless` says more.",
                found=found,
            )
        )
    program = path_of(host.files, uplink.PROGRAM)
    return Uplink(context.answers.account, context.port, program, found)


def _decide(wanted: Uplink) -> Sequence[Action]:
    if wanted.obstacle:
        return ()
    links = (_RULES_LOADED, f"{uplink.UNITS}/sockets.target.wants")
    return (
        MakeDirectory(path=uplink.DIRECTORY),
        WriteJson(path=uplink.HOOK, value=_hook(wanted)),
        WriteFile(path=uplink.RULES, text=uplink.rules(wanted.port)),
        *dict.fromkeys(above for link in links for above in directories(link)),
        *(
            ConfigureUnit(unit=unit, path=f"{uplink.UNITS}/{unit}", text=_unit(unit, wanted))
            for unit in (uplink.SERVICE_UNIT, uplink.RULES_UNIT)
        ),
        Link(path=f"{_RULES_LOADED}/{uplink.RULES_UNIT}", target=f"{uplink.UNITS}/{uplink.RULES_UNIT}"),
        uplink.InstallUplink(unit=uplink.SOCKET_UNIT, text=_unit(uplink.SOCKET_UNIT, wanted)),
    )


def _unit(name: str, wanted: Uplink) -> str:
    return rendering.render(
        f"systemd/{name}",
        account=wanted.account,
        program=wanted.program,
        socket_unit=uplink.SOCKET_UNIT,
        socket=uplink.socket_of(wanted.port),
        device=uplink.DEVICE,
        table=uplink.TABLE,
        rules=uplink.RULES,
    )


def _hook(wanted: Uplink) -> JsonObject:
    """What runs as the account in the network of a container before its first process (oci-hooks(5))."""
    return {
        "version": "1.0.0",
        "hook": {
            "path": wanted.program,
            "args": [uplink.PROGRAM, "attach", str(wanted.port)],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            "timeout": 60,
        },
        "when": {"always": True},
        "stages": ["createContainer"],
    }


STEP = Step("uplink", text("Network of the gateway through the kernel"), _gather, _decide)
