"""Step `kernel`: the modules and the settings that a gateway needs, now and at every boot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.files import MakeDirectory, WriteFile
from mstunnel_setup.actions.kernel_modules import LoadModule
from mstunnel_setup.actions.sysctls import SetSysctl
from mstunnel_setup.base import rendering
from mstunnel_setup.install import ipv6
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.ports import Ports
from mstunnel_setup.readiness.facts import KernelFacts, Settings
from mstunnel_setup.readiness.read.host import HostReader
from mstunnel_setup.readiness.sysctls import (
    CONNTRACK_MODULE_FILES,
    MODULE_FILES,
    SYSCTL_FILE,
    suffices,
    wanted,
)
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_MODULE_FILES = {**MODULE_FILES, **CONNTRACK_MODULE_FILES}


@dataclass(frozen=True)
class Kernel:
    """The kernel as it is; `live` is false for the files of a host that does not run now (`--root`).

    `rootless_port` is the port of a gateway without root, None with root, `forwards_ipv6` whether the gateway
    gets IPv6 on this host.
    """

    facts: KernelFacts
    live: bool = True
    rootless_port: int | None = None
    forwards_ipv6: bool = False

    @property
    def wanted(self) -> Mapping[str, str]:
        """The settings that a gateway needs, each with its least or its greatest value."""
        return _wanted(self.facts, self.rootless_port, forwards_ipv6=self.forwards_ipv6)


def _wanted(facts: KernelFacts, rootless_port: int | None, *, forwards_ipv6: bool) -> Mapping[str, str]:
    """Without those of a module that is not to be had."""
    bounds = wanted(rootless_port, facts.advertised if forwards_ipv6 else None)
    tracks = bool((facts.loadable | facts.built_in) & {*CONNTRACK_MODULE_FILES})
    return {
        name: bound
        for name, bound in bounds.items()
        if tracks or "conntrack" not in name or name in facts.sysctls
    }


def _gather(context: Context) -> Kernel:
    files = context.ports.files
    reader = HostReader(files, context.ports.clock, Settings(), {})
    port = context.port if context.answers.mode == "rootless" else None
    return Kernel(reader.kernel(), files.live, port, forwards_ipv6=ipv6.reaches_gateway(context))


def _decide(kernel: Kernel) -> Sequence[Action[Ports]]:
    actions = [action for module, file in _MODULE_FILES.items() for action in _module(module, file, kernel)]
    actions += _settings(kernel)
    directories = dict.fromkeys(
        action.path.rpartition("/")[0] for action in actions if isinstance(action, WriteFile)
    )
    return (*(MakeDirectory(path=directory) for directory in directories), *actions)


def _module(name: str, file: str, kernel: Kernel) -> list[Action[Ports]]:
    """What is built in, or not to be had, needs no loading; any file that names a module loads it at boot."""
    actions: list[Action[Ports]] = []
    if name not in kernel.facts.loadable:
        return actions
    if name not in kernel.facts.module_files:
        actions.append(WriteFile(path=file, text=rendering.render("kernel/modules-load.conf", module=name)))
    if name not in kernel.facts.modules and kernel.live:
        actions.append(LoadModule(name=name))
    return actions


def _settings(kernel: Kernel) -> list[Action[Ports]]:
    actions: list[Action[Ports]] = []
    bounds, at_boot = kernel.wanted, kernel.facts.sysctl_files
    lacking = {name for name in bounds if not suffices(name, at_boot.get(name, ("", None))[1], bounds[name])}
    if lacking:
        # The file is written as a whole: what it sets already stays in it.
        ours = {name: value for name, (path, value) in at_boot.items() if path == SYSCTL_FILE}
        lines = {**ours, **{name: bounds[name] for name in bounds if name in lacking}}
        text = rendering.render("kernel/90-mstunnel.conf", settings=lines)
        actions.append(WriteFile(path=SYSCTL_FILE, text=text))
    for name, value in bounds.items() if kernel.live else ():
        if not suffices(name, kernel.facts.sysctls.get(name), value):
            actions.append(SetSysctl(name=name, value=value))
    return actions


STEP = Step("kernel", "Kernel modules and settings", _gather, _decide)
