"""Step `boot`: have each boot reach the target that rootless containers wait for.

Podman 5.3 and later lets the containers of an account wait for the system's network-online.target, for 90 s
and in vain where nothing pulls it in (podman-user-wait-network-online.service).
"""

from collections.abc import Sequence

from mstunnel_setup.actions.files import Link, directories
from mstunnel_setup.actions.units import ReachTarget
from mstunnel_setup.base.text import text
from mstunnel_setup.install.context import Context
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

TARGET = "network-online.target"
# What `systemctl add-wants multi-user.target network-online.target` makes.
_WANTS = "/etc/systemd/system/multi-user.target.wants"


def _gather(context: Context) -> bool:
    """Whether the service manager of this host runs now."""
    return context.host.files.live


def _decide(live: bool) -> Sequence[Action]:
    link = Link(path=f"{_WANTS}/{TARGET}", target=f"/usr/lib/systemd/system/{TARGET}")
    return (*directories(_WANTS), link, *([ReachTarget(unit=TARGET)] if live else []))


STEP = Step("boot", text("Network before the containers, at every boot"), _gather, _decide)
