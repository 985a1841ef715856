"""Firewall rules of the host: the forwarded traffic, and what agent and gateway can reach on it.

A host that forwarded nothing before forwards for the gateway only. The kernel's setting for each device
(`net.ipv4.conf.DEVICE.forwarding`) cannot do this: a packet for the gateway arrives on the same device as one
of a neighbour that uses the host as a router. So nftables rules decide, in a separate table alongside those
of firewalld, ufw and the container engines: a packet that one table drops is dropped.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import Declared, StepError, declare
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.base.values import Outputs
from mstunnel_setup.containers.container_spec import HARDWARE_ADDRESSES
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.runner import Removal

Family: TypeAlias = Literal["ipv4", "ipv6"]

DIRECTORY: Final = "/etc/mstunnel-forwarding"
ALL_RULES: Final = f"{DIRECTORY}/*.nft"
RULES: Final = f"{DIRECTORY}/rules.nft"
TABLE: Final = "mstunnel-forwarding"
CONTAINER_RULES: Final = f"{DIRECTORY}/containers.nft"
CONTAINER_TABLE: Final = "mstunnel-containers"
UPLINK_DEVICE: Final = "mstunnel0"
UNITS: Final = "/etc/systemd/system"
UNIT: Final = "mstunnel-forwarding.service"
AGAIN_UNIT: Final = "mstunnel-forwarding-again.service"
WANTS: Final = {UNIT: "sysinit.target", AGAIN_UNIT: "nftables.service"}
"""The units, each with the unit that starts it."""
# Bridges of Podman (netavark and CNI) and Docker, our bridge with IPv6, and the uplink.
_NETWORKS: Final = ("podman", "cni-podman", "docker", "mstunnel")
_SECONDS: Final = 60.0


def rules(families: Collection[Family]) -> str:
    """Return rules for `nft --file`, for packets of these families; they replace earlier ones as a whole."""
    family = next(iter(families)) if len(families) == 1 else ""
    return rendering.render("network/forwarding.nft", table=TABLE, networks=_NETWORKS, family=family)


def container_rules(account: str, services: Sequence[int]) -> str:
    """Return rules that deny agent and gateway cloud metadata and, with root, services of this host.

    `account` runs them without root (empty: root does). `services` are exceptions: the TCP ports of tenant
    and proxy, which may be on this host.
    """
    return rendering.render(
        "network/containers.nft",
        table=CONTAINER_TABLE,
        account=account,
        uplink=UPLINK_DEVICE,
        addresses=tuple(HARDWARE_ADDRESSES.values()),
        services=services,
    )


def unit_text(unit: str) -> str:
    """Return the unit that loads the rules at boot, or again after nftables."""
    return rendering.render("systemd/mstunnel-forwarding.service", rules=ALL_RULES, again=unit == AGAIN_UNIT)


def loaded(processes: Processes, table: str = TABLE) -> bool | None:
    """Return whether the kernel has the table; None without root or without nft."""
    if processes.find("nft") is None:
        return None
    listed = processes.run(["nft", "list", "tables"], timeout=_SECONDS, check=False)
    return None if listed.code else f"table inet {table}" in listed.output.splitlines()


def delete_table(processes: Processes, table: str) -> None:
    """Remove a table from the kernel; it may be gone if others have flushed all rules.

    Raises StepError `firewall-rules-kept` if it is still there.
    """
    if processes.find("nft") is None:
        return
    command = ["nft", "delete", "table", "inet", table]
    done = processes.run(command, timeout=_SECONDS, check=False)
    if done.code and loaded(processes, table):
        raise StepError(
            "firewall-rules-kept",
            "cannot remove the rules in the table {table} of nftables: {reason}",
            hint="Run `{command}` to find the cause, then run the command again.",
            table=table,
            reason=printable(done.error).strip() or text("exit code {code}", code=done.code),
            command=" ".join(command),
        )


class LoadedRules(Composite):
    """Write the rules to `path` and load them; undo also removes the table from the kernel."""

    path: ClassVar[str]
    table: ClassVar[str]
    refused: ClassVar[Declared[StepError]]
    text: str

    @property
    def file(self) -> WriteFile:
        """The action that writes the file without loading it."""
        return WriteFile(path=self.path, text=self.text)

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": self.file}

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Return whether the file matches and the kernel has the table, which only root may list."""
        there = paths.ROOTLESS or loaded(host.processes, self.table) is True
        return super().satisfied(host, outputs) and there

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Write and load the rules, and have them reloaded whenever nftables loads the host's rules.

        Raises StepError `refused`: without the rules the host would allow what they forbid.
        """
        super().apply(host, outputs)
        command = ["nft", "--file", self.path]
        try:
            host.processes.run(command, timeout=_SECONDS)
        except ProcessError as error:
            raise self.refused(reason=error.message, command=" ".join(command)) from error
        if host.systemd.running() and host.systemd.active(WANTS[AGAIN_UNIT]):
            host.systemd.start(AGAIN_UNIT)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        # The units load the other rules, too.
        others = {RULES, CONTAINER_RULES} - {self.path}
        if all(host.files.state(path) is None for path in others):
            for unit in (UNIT, AGAIN_UNIT):
                if host.systemd.known(unit):
                    host.systemd.stop(unit)
        delete_table(host.processes, self.table)
        return super().undo(host, record)


class LimitForwarding(LoadedRules):
    """Forward traffic of the gateway only."""

    kind = "limit-forwarding"
    key_template = f"forwarding:{RULES}"
    description = text(
        "write {rules} and load it: this host forwards for the gateway, not for others", rules=RULES
    )
    path = RULES
    table = TABLE
    refused = declare(
        StepError,
        "forwarding-rules-refused",
        "cannot load the rules for what this host forwards: {reason}",
        "Run `{command}` to find the cause, then run mstunnel-setup again.",
    )


class LimitContainers(LoadedRules):
    """Limit what agent and gateway reach on this host and in its cloud."""

    kind = "limit-containers"
    key_template = f"forwarding:{CONTAINER_RULES}"
    description = text(
        "write {rules} and load it: agent and gateway reach no cloud metadata and no service of this host "
        "that they do not need",
        rules=CONTAINER_RULES,
    )
    path = CONTAINER_RULES
    table = CONTAINER_TABLE
    refused = declare(
        StepError,
        "container-rules-refused",
        "cannot load the rules for what agent and gateway reach: {reason}",
        "Run `{command}` to find the cause, then run mstunnel-setup again.",
    )


Frontend: TypeAlias = Literal["firewalld", "ufw"]

# This file is separate from an installation's state, which may belong to an account and is created later.
RECORD: Final = "/var/lib/mstunnel-opened-ports.json"


@dataclass(frozen=True)
class OpenedPort:
    """A port opened at a firewall frontend, or `forwarded` to a container (firewall-cmd(1), ufw(8))."""

    frontend: Frontend
    port: int
    protocol: str
    forwarded: bool = False

    @property
    def opening(self) -> tuple[tuple[str, ...], ...]:
        """The commands that open it, now and at boot.

        firewalld is not reloaded: that drops what others added at run time, such as published ports.
        """
        return self._commands("--add-port", "allow")

    @property
    def closing(self) -> tuple[tuple[str, ...], ...]:
        """The commands that close it."""
        return self._commands("--remove-port", "delete", "allow")

    def _commands(self, option: str, *verb: str) -> tuple[tuple[str, ...], ...]:
        port = f"{self.port}/{self.protocol}"
        if self.frontend == "ufw" and self.forwarded:
            return (("ufw", "route", *verb, "proto", self.protocol, "to", "any", "port", str(self.port)),)
        if self.frontend == "ufw":
            return (("ufw", *verb, port),)
        return ("firewall-cmd", "--permanent", f"{option}={port}"), ("firewall-cmd", f"{option}={port}")


def put_on_record(files: Files, opened: OpenedPort) -> None:
    """Record that a port is about to be opened."""
    every = dict.fromkeys((*(recorded(files) or ()), opened))
    files.write(RECORD, json.dumps([asdict(each) for each in every]).encode(), 0o600)


def recorded(files: Files) -> tuple[OpenedPort, ...] | None:
    """Return the recorded ports; None if the record cannot be read."""
    try:
        items = json_value((files.read(RECORD) or b"[]").decode())
        return tuple(OpenedPort(**item) for item in items)
    except (ValueError, TypeError):
        return None


def close(files: Files, processes: Processes) -> Iterator[Removal]:
    """Close every recorded port. A port that cannot be closed is kept, with the reason, and forgotten."""
    every = recorded(files)
    if every is None:
        kept = Undone(Undo.KEPT, f"the open ports in {RECORD}, which cannot be read")
        yield Removal("opened-ports", f"close the ports in {RECORD}", kept)
        return
    for opened in every:
        port = f"{opened.port}/{opened.protocol}"
        undone = Undone(Undo.REMOVED)
        try:
            for command in opened.closing:
                processes.run(command, timeout=60)
        except ProcessError as error:
            undone = Undone(
                Undo.KEPT,
                text(
                    "{port} open at {frontend}: {reason}",
                    port=port,
                    frontend=opened.frontend,
                    reason=error.message,
                ),
            )
        yield Removal(f"opened-port:{port}", f"close {port} at {opened.frontend}", undone)
    files.remove(RECORD)
