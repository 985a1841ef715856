"""Step `kernel`: the modules and the forwarding that a gateway needs, now and at every boot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import MakeDirectory, WriteFile
from mstunnel_setup.engine.step import Step
from mstunnel_setup.readiness.facts import KernelFacts, Settings
from mstunnel_setup.readiness.read.host import HostReader
from mstunnel_setup.readiness.sysctls import FORWARD, MODULE_FILES, SYSCTL_FILE
from mstunnel_setup.steps.context import Context
from mstunnel_setup.system.modules import LoadModule
from mstunnel_setup.system.sysctls import SetSysctl

_ON = "1"


@dataclass(frozen=True)
class Kernel:
    """The kernel as it is; `live` is false for the files of a host that does not run now (`--root`)."""

    facts: KernelFacts
    live: bool = True


def _gather(context: Context) -> Kernel:
    files = context.world.files
    reader = HostReader(files, context.world.clock, Settings(), {})
    return Kernel(reader.kernel(), live=files.live)


def _decide(kernel: Kernel) -> Sequence[Action[Any]]:
    actions = [action for module in MODULE_FILES for action in _module(module, kernel)]
    actions += _forwarding(kernel)
    folders = dict.fromkeys(
        action.path.rpartition("/")[0] for action in actions if isinstance(action, WriteFile)
    )
    return (*(MakeDirectory(path=folder) for folder in folders), *actions)


def _module(name: str, kernel: Kernel) -> list[Action[Any]]:
    """What is built in, or not to be had, needs no loading; any file that names a module loads it at boot."""
    actions: list[Action[Any]] = []
    if name not in kernel.facts.loadable:
        return actions
    if name not in kernel.facts.module_files:
        actions.append(WriteFile(path=MODULE_FILES[name], text=f"{name}\n"))
    if name not in kernel.facts.modules and kernel.live:
        actions.append(LoadModule(name=name))
    return actions


def _forwarding(kernel: Kernel) -> list[Action[Any]]:
    actions: list[Action[Any]] = []
    _, at_boot = kernel.facts.sysctl_files.get(FORWARD, ("", ""))
    if at_boot != _ON:
        actions.append(WriteFile(path=SYSCTL_FILE, text=f"{FORWARD} = {_ON}\n"))
    if kernel.facts.sysctls.get(FORWARD) != _ON and kernel.live:
        actions.append(SetSysctl(name=FORWARD, value=_ON))
    return actions


def expected(facts: KernelFacts) -> KernelFacts:
    """The kernel as this step leaves it."""
    known = [name for name in MODULE_FILES if name in facts.loadable]
    files = {name: facts.module_files.get(name, MODULE_FILES[name]) for name in known}
    return facts.model_copy(
        update={
            "modules": facts.modules | set(known),
            "module_files": {**facts.module_files, **files},
            "sysctls": {**facts.sysctls, FORWARD: _ON},
            "sysctl_files": {FORWARD: (SYSCTL_FILE, _ON), **facts.sysctl_files},
            "tun_device": facts.tun_device or "tun" in known,
        }
    )


STEP = Step("kernel", "Kernel modules and settings", _gather, _decide)
