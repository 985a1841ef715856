"""The steps that root runs for a rootless gateway.

`account`: create the service account, and the directory of settings that it owns.

`uplink`: connect the gateway of the account to the host's network, without a program that copies packets.

`boot`: have each boot start `network-online.target`, which rootless containers wait for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.actions import service_account, uplink
from mstunnel_setup.actions.files import Link, MakeDirectory, WriteFile, WriteJson, directories
from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.units import ConfigureUnit, ReachTarget
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.install.installed import path_of
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import environment
from mstunnel_setup.io import accounts as known_accounts
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.host import HostReader, RootlessFacts
from mstunnel_setup.readiness.facts.programs import obstacle
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.step import Step


@dataclass(frozen=True)
class ServiceAccount:
    """The state of the account, and whether it can read the system's journal (None: no such group).

    `incomplete` means that an interrupted run created it without its home directory.
    """

    facts: RootlessFacts
    reads_journal: bool | None = None
    incomplete: bool = False


def _gather_account(run: Run) -> ServiceAccount:
    files, name = run.files, run.answers.account
    if name == "root":
        raise UsageError(
            "account-root",
            "a rootless gateway cannot run as root",
            hint="Name another account.",
        )
    settings = Settings(mode="rootless", account=name)
    facts = HostReader(files, run.host.clock, settings, {}).rootless()
    member = known_accounts.is_member(name, service_account.JOURNAL_GROUP)
    reads_journal = member if known_accounts.has_group(service_account.JOURNAL_GROUP) else None
    return ServiceAccount(facts, reads_journal, is_incomplete(files, run.receipt, name))


def is_incomplete(files: Files, receipt: Receipt, name: str) -> bool:
    """Return whether an interrupted run created the account without its home directory."""
    entry, found = (
        receipt.entries.get(service_account.CreateAccount(name=name).key),
        known_accounts.find(name),
    )
    interrupted = entry is not None and not entry.finished
    return interrupted and found is not None and files.state(found.home) is None


def _decide_account(account: ServiceAccount) -> Sequence[Action]:
    facts, name = account.facts, account.facts.account
    actions: list[Action] = [
        StoreAnswer(name="mode", value="rootless"),
        StoreAnswer(name="account", value=name),
    ]
    if facts.uid is None or account.incomplete:
        # useradd(8) gives a new account its subordinate ids.
        actions.append(service_account.CreateAccount(name=name))
    else:
        if facts.subuids < service_account.IDS:
            actions.append(service_account.GiveIds(name=name, ids="subuid", first=facts.free_subuid))
        if facts.subgids < service_account.IDS:
            actions.append(service_account.GiveIds(name=name, ids="subgid", first=facts.free_subgid))
    if account.reads_journal is False:
        actions.append(service_account.JoinGroup(name=name, group=service_account.JOURNAL_GROUP))
    if not facts.linger:
        actions.append(service_account.EnableLinger(name=name))
    if facts.uid is None or facts.directory_owner != facts.uid:
        actions.append(service_account.GiveDirectory(path=paths.CONFIGURATION, account=name))
    return actions


ACCOUNT = Step("account", text("Service account"), _gather_account, _decide_account)


# Loading the host's rules flushes those of the uplink, so nftables.service has to load these again.
_RULES_LOADED: Final = f"{uplink.UNITS}/nftables.service.wants"


@dataclass(frozen=True)
class Uplink:
    """The account, the port of its gateway, and the program; `obstacle` says why an uplink is impossible.

    `services` are the ports of the tenant and the proxy, which may run on this host.
    """

    account: str
    port: int
    program: str
    obstacle: str = ""
    services: tuple[int, ...] = ()


def uplink_obstacle(host: Host) -> str:
    """Return why this host cannot have an uplink; empty if it can."""
    if not host.systemd.running():
        return text("systemd does not run here")
    return obstacle(host.files, host.processes)


def _gather_uplink(run: Run) -> Uplink:
    if found := uplink_obstacle(run.host):
        run.console.say(
            "No uplink for the gateway: {found}. Its packets go through pasta or slirp4netns instead, "
            "which is slower: see `mst-cli help rootless`.",
            found=found,
        )
    program = path_of(run.files, uplink.PROGRAM)
    services = environment.service_ports(run)
    return Uplink(run.answers.account, run.port, program, found, services)


def _decide_uplink(wanted: Uplink) -> Sequence[Action]:
    if wanted.obstacle:
        return ()

    def unit_text(name: str) -> str:
        return rendering.render(
            f"systemd/{name}",
            account=wanted.account,
            program=wanted.program,
            socket_unit=uplink.SOCKET_UNIT,
            socket=uplink_address.socket_of(wanted.port),
            device=uplink.DEVICE,
            table=uplink.TABLE,
            rules=uplink.RULES,
        )

    # The hook runs as the account in the container's network before its first process (oci-hooks(5)).
    hook: JsonObject = {
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
    links = (_RULES_LOADED, f"{uplink.UNITS}/sockets.target.wants")
    return (
        MakeDirectory(path=uplink_address.DIRECTORY),
        WriteJson(path=uplink_address.HOOK, value=hook),
        WriteFile(path=uplink.RULES, text=uplink.rules(wanted.port, wanted.services)),
        *dict.fromkeys(above for link in links for above in directories(link)),
        *(
            ConfigureUnit(unit=unit, path=f"{uplink.UNITS}/{unit}", text=unit_text(unit))
            for unit in (uplink.SERVICE_UNIT, uplink.RULES_UNIT)
        ),
        Link(path=f"{_RULES_LOADED}/{uplink.RULES_UNIT}", target=f"{uplink.UNITS}/{uplink.RULES_UNIT}"),
        uplink.InstallUplink(unit=uplink.SOCKET_UNIT, text=unit_text(uplink.SOCKET_UNIT)),
    )


UPLINK = Step("uplink", text("Network of the gateway through the kernel"), _gather_uplink, _decide_uplink)


# Since Podman 5.3 a user's containers wait for this target (podman-user-wait-network-online.service). Unless
# a unit pulls it in, they wait 90 s in vain.
TARGET = "network-online.target"
# `systemctl add-wants multi-user.target network-online.target` creates a link in this directory.
_WANTS = "/etc/systemd/system/multi-user.target.wants"


def _decide_boot(live: bool) -> Sequence[Action]:
    link = Link(path=f"{_WANTS}/{TARGET}", target=f"/usr/lib/systemd/system/{TARGET}")
    return (*directories(_WANTS), link, *([ReachTarget(unit=TARGET)] if live else []))


BOOT: Step[Run, bool] = Step(
    "boot",
    text("Network before the containers, at every boot"),
    lambda run: run.files.live,
    _decide_boot,
)
