"""Step `kernel`: load the modules and set the settings that a gateway needs, now and at every boot.

A host that forwarded nothing before gets rules first, so that it forwards for the gateway only. Others keep
agent and gateway from cloud metadata and from the services of the host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mstunnel_setup.actions import firewall
from mstunnel_setup.actions.files import Link, MakeDirectory, WriteFile, directories
from mstunnel_setup.actions.firewall import Family
from mstunnel_setup.actions.kernel import LoadModule, SetSysctl
from mstunnel_setup.actions.units import ConfigureUnit
from mstunnel_setup.base import rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import environment
from mstunnel_setup.install.steps.host_part import uplink_obstacle
from mstunnel_setup.readiness.facts.host import KernelFacts
from mstunnel_setup.readiness.sysctls import (
    CONNTRACK_MODULE_FILES,
    FORWARD,
    FORWARD_6,
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
    """The state of the kernel; `live` is false for the files of a host that is not running (`--root`).

    `rootless_port` is the port of a rootless gateway, None with root, `uplink` whether the kernel forwards
    that port, `forwards_ipv6` whether the gateway gets IPv6 on this host. `limited` are the address families
    that this host forwards only for the gateway; `guarded` says whether the host can have rules for agent and
    gateway, which `account` runs (empty: root) and which reach tenant and proxy at the ports `services`;
    `systemd` whether systemd loads these rules at boot.
    """

    facts: KernelFacts
    live: bool = True
    rootless_port: int | None = None
    forwards_ipv6: bool = False
    uplink: bool = False
    limited: tuple[Family, ...] = ()
    guarded: bool = True
    account: str = ""
    services: tuple[int, ...] = ()
    systemd: bool = True

    @property
    def wanted(self) -> Mapping[str, str]:
        """The settings that a gateway needs, each with its minimum or maximum value."""
        facts, advertised = self.facts, self.facts.advertised if self.forwards_ipv6 else None
        bounds = wanted(self.rootless_port, advertised, uplink=self.uplink)
        # Settings of a kernel module that is not available cannot be set.
        tracks = bool((facts.loadable | facts.built_in) & {*CONNTRACK_MODULE_FILES})
        return {
            name: bound
            for name, bound in bounds.items()
            if tracks or "conntrack" not in name or name in facts.sysctls
        }


def _gather(run: Run) -> Kernel:
    host, files = run.host, run.files
    facts = run.host_reader.kernel()
    rootless = run.answers.mode == "rootless"
    forwards_ipv6 = run.gateway_gets_ipv6
    families: dict[Family, str] = {"ipv4": FORWARD, **({"ipv6": FORWARD_6} if forwards_ipv6 else {})}
    limited: tuple[Family, ...] = tuple(
        family for family, name in families.items() if _forwards_for_us(run, facts, name)
    )
    guarded = not files.live or host.processes.find("nft") is not None
    if not guarded:
        run.note(
            "Without nft, agent and gateway reach the services of this host and the metadata service of its "
            "cloud. Install the package nftables, then run mstunnel-setup again."
        )
        if limited:
            run.note(
                "Without nft, which limits forwarding to the gateway, this host will forward packets for "
                "others, too. Install the package nftables, then run mstunnel-setup again."
            )
        limited = ()
    return Kernel(
        facts,
        files.live,
        run.port if rootless else None,
        forwards_ipv6,
        uplink=rootless and files.live and not uplink_obstacle(host),
        limited=limited,
        guarded=guarded,
        account=run.answers.account if rootless else "",
        services=environment.service_ports(run),
        systemd=not files.live or host.systemd.running(),
    )


def _forwards_for_us(run: Run, facts: KernelFacts, name: str) -> bool:
    """Return whether the setting `name` is on only because a gateway needs it.

    A setting in an administrator's file is their choice; one that was on before the installation stays on.
    """
    path, at_boot = facts.sysctl_files.get(name, ("", ""))
    if at_boot == "1" and path != SYSCTL_FILE:
        return False
    if facts.sysctls.get(name) != "1" or run.files.state(firewall.RULES) is not None:
        return True
    entries = run.receipt.entries
    if entry := entries.get(f"sysctl:{name}"):
        return entry.before.get("value") != "1"
    # `mst-readiness --fix` writes the same file for a gateway, and no receipt has an entry for it.
    return path == SYSCTL_FILE and f"file:{SYSCTL_FILE}" not in entries


def _decide(kernel: Kernel) -> Sequence[Action]:
    actions: list[Action] = []
    # A module that is built in or missing is not loaded; any file that names a module loads it at boot.
    for module, file in _MODULE_FILES.items():
        if module in kernel.facts.loadable:
            if module not in kernel.facts.module_files:
                text = rendering.render("kernel/modules-load.conf", module=module)
                actions.append(WriteFile(path=file, text=text))
            if module not in kernel.facts.modules and kernel.live:
                actions.append(LoadModule(name=module))
    # The rules that limit forwarding are loaded before the settings enable it.
    actions += _rules(kernel) if kernel.guarded else ()
    actions += _settings(kernel)
    places = {action.path.rpartition("/")[0] for action in actions if isinstance(action, WriteFile)}
    places -= {action.path for action in actions if isinstance(action, MakeDirectory)}
    made: list[Action] = [MakeDirectory(path=place) for place in sorted(places)]
    # The mapping drops duplicates: the units need some of the same directories.
    return tuple({action.key: action for action in (*made, *actions)}.values())


def _rules(kernel: Kernel) -> list[Action]:
    """Return the actions for the rules.

    The units come first, since loading the rules starts the unit that reloads them after nftables.
    """
    limits: list[firewall.LoadedRules] = [
        firewall.LimitContainers(text=firewall.container_rules(kernel.account, kernel.services))
    ]
    if kernel.limited:
        limits.insert(0, firewall.LimitForwarding(text=firewall.rules(kernel.limited)))
    actions: list[Action] = [MakeDirectory(path=firewall.DIRECTORY)]
    for unit, target in firewall.WANTS.items() if kernel.systemd else ():
        path, wants = f"{firewall.UNITS}/{unit}", f"{firewall.UNITS}/{target}.wants"
        written = ConfigureUnit(unit=unit, path=path, text=firewall.unit_text(unit))
        actions += [*directories(wants), written if kernel.live else written.file]
        actions.append(Link(path=f"{wants}/{unit}", target=path))
    return [*actions, *(limit if kernel.live else limit.file for limit in limits)]


def _obsolete(run: Run) -> list[str]:
    """Return the limiting rules once a file of an administrator in `sysctl.d` enables forwarding."""
    kernel = _gather(run)
    made = {action.key for action in _rules(replace(kernel, limited=("ipv4",)))} - {
        action.key for action in _decide(kernel)
    }
    return [key for key in run.receipt.entries if key in made]


def _settings(kernel: Kernel) -> list[Action]:
    actions: list[Action] = []
    bounds, at_boot = kernel.wanted, kernel.facts.sysctl_files
    lacking = {name for name in bounds if not suffices(name, at_boot.get(name, ("", None))[1], bounds[name])}
    if FORWARD not in at_boot and kernel.facts.sysctls.get(FORWARD) == "1" and kernel.rootless_port is None:
        # Another program enabled it and does so at each boot. If the setting were on before Docker starts,
        # Docker would not drop the packets that others want forwarded.
        lacking.discard(FORWARD)
    if lacking:
        # The file is replaced as a whole, so the settings that it already has are written again.
        ours = {name: value for name, (path, value) in at_boot.items() if path == SYSCTL_FILE}
        lines = {**ours, **{name: bounds[name] for name in bounds if name in lacking}}
        text = rendering.render("kernel/90-mstunnel.conf", settings=lines)
        actions.append(WriteFile(path=SYSCTL_FILE, text=text))
    for name, value in bounds.items() if kernel.live else ():
        if not suffices(name, kernel.facts.sysctls.get(name), value):
            actions.append(SetSysctl(name=name, value=value))
    return actions


STEP = Step("kernel", text("Kernel modules and settings"), _gather, _decide, obsolete=_obsolete)
