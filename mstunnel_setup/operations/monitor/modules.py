"""Kernel modules that a system update has removed; without them no device can connect."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.kernel import LoadModule
from mstunnel_setup.actions.tunnel_device import DEVICE
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.host import HostReader
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.sysctls import MODULE_FILES

TUN: Final = DEVICE


def lost(files: Files, clock: Clock) -> Sequence[str]:
    """The modules that the gateway needs and this kernel can load, but has not; `tun` without its device."""
    reader = HostReader(files.given, clock, Settings(), {})
    away = [name for name in MODULE_FILES if name not in reader.modules()]
    found = set(away) & reader.loadable() if away else set[str]()
    if not Path(TUN).exists():
        found.add("tun")
    return sorted(found)


def load(ports: Host, names: Sequence[str]) -> str:
    """Load modules; returns why that did not work, empty when it did."""
    if paths.ROOTLESS:
        return text("only root may load it: run `modprobe --all {names}` as root", names=" ".join(names))
    try:
        for name in names:
            LoadModule(name=name).apply(ports, {})
    except StepError as error:
        return error.message
    return ""
