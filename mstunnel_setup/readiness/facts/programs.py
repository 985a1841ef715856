"""Facts from programs of the host: engines, SELinux, auditing, firewall."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from mstunnel_setup.base.parsing import json_object, whole_number
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.readiness.facts import firewall, parse
from mstunnel_setup.readiness.facts.firewall import Firewall
from mstunnel_setup.readiness.facts.section import EngineName, Section, Settings, text_of


class Engine(Section):
    """An installed container engine; `version` is empty if it reports none.

    `running` is None if it did not respond in time: the host may only be slow.
    """

    name: EngineName
    version: str = ""
    running: bool | None = True
    reason: str = ""


class EngineFacts(Section):
    """The engines, and their relevant settings."""

    engines: tuple[Engine, ...] = ()
    userns_remap: str = ""
    pasta: bool = False
    slirp4netns: bool = False


class SecurityFacts(Section):
    """SELinux (`proxy_ports` is None without `semanage`), auditing and the firewall.

    `container_devices` is SELinux's boolean container_use_devices, `container_netlink` its boolean
    virt_sandbox_use_netlink; each is None if the policy lacks it.
    """

    selinux: Literal["enforcing", "permissive", "absent"] = "absent"
    container_devices: bool | None = None
    container_netlink: bool | None = None
    proxy_ports: tuple[str, ...] | None = None
    auditd: Literal["active", "inactive", "absent"] = "absent"
    firewall: Firewall = Firewall()

    def unlabelled(self, ports: Iterable[int]) -> tuple[int, ...]:
        """Return those proxy ports to which SELinux does not let containers connect.

        Empty if it does not enforce, or its port types cannot be read.
        """
        if self.selinux != "enforcing" or self.proxy_ports is None:
            return ()
        bounds = [item.partition("-") for item in self.proxy_ports]
        ranges = [
            range(whole_number(low) or 0, (whole_number(high or low) or 0) + 1) for low, _, high in bounds
        ]
        return tuple(port for port in ports if not any(port in covered for covered in ranges))


_SECONDS = 30.0
_UFW = ("ufw", "status", "verbose")


@dataclass(frozen=True)
class ProgramReader:
    """Runs programs; those that are missing, fail or hang yield no facts."""

    files: Files
    processes: Processes
    settings: Settings
    seconds: float = _SECONDS

    def engine(self) -> EngineFacts:
        """Return the container engines and their networks."""
        daemon = json_object(text_of(self.files, "/etc/docker/daemon.json"))
        # Listing containers proves that Podman runs: `podman info` spends half a second in the package
        # manager.
        podman = self._ask(["podman", "ps", "--quiet"])
        podman_runs = podman is not None and podman.code == 0
        # Docker runs if the daemon, not only its client, reports a version.
        docker = self._ask(["docker", "info", "--format", "{{.ServerVersion}} {{json .SecurityOptions}}"])
        words = docker.output.split() if docker is not None and docker.code == 0 else []
        docker_runs = bool(words) and words[0][0].isdigit()
        # The option may also be on the daemon's command line (dockerd(8)).
        remap = "on" if docker_runs and '"name=userns"' in words[-1] else ""
        engines = (
            self._engine("podman", podman, runs=podman_runs),
            self._engine("docker", docker, runs=docker_runs, version=words[0] if docker_runs else ""),
        )
        return EngineFacts(
            engines=tuple(item for item in engines if item is not None),
            userns_remap=str(daemon.get("userns-remap") or remap),
            pasta=any(map(self.processes.find, ("pasta", "passt"))),
            slirp4netns=self.processes.find("slirp4netns") is not None,
        )

    def _engine(
        self, name: EngineName, answer: Completed | None, *, runs: bool, version: str = ""
    ) -> Engine | None:
        """Return an installed engine, its version, and why it does not run."""
        if self.processes.find(name) is None:
            return None
        if not version:
            # The output is "podman version 5.4.0" or "Docker version 28.1.1, build ...".
            printed = self._ask([name, "--version"])
            words = printed.output.replace(",", " ").split() if printed is not None else []
            version = next((word for word in words if word[0].isdigit()), "")
        if runs:
            return Engine(name=name, version=version)
        if answer is None:
            return Engine(name=name, version=version, running=None, reason=text("no answer in time"))
        *_, reason = answer.error.strip().splitlines() or [""]
        return Engine(name=name, version=version, running=False, reason=plain(reason, 120))

    def security(self) -> SecurityFacts:
        """Return the facts about SELinux, auditing and the firewall."""
        enforce = text_of(self.files, "/sys/fs/selinux/enforce").strip()
        active = self._ask(["systemctl", "is-active", "auditd.service"])
        installed = self.processes.find("auditd") is not None
        audits = active is not None and active.output.strip() == "active"
        return SecurityFacts(
            selinux="enforcing" if enforce == "1" else "permissive" if enforce == "0" else "absent",
            container_devices=self._boolean("container_use_devices"),
            container_netlink=self._boolean("virt_sandbox_use_netlink"),
            proxy_ports=self.proxy_ports() if enforce else None,
            auditd="active" if audits else "inactive" if installed else "absent",
            firewall=self._firewall(),
        )

    def _boolean(self, name: str) -> bool | None:
        """Return an SELinux boolean's present value; the second number is the pending one (selinuxfs)."""
        now = text_of(self.files, f"/sys/fs/selinux/booleans/{name}")[:1]
        return {"0": False, "1": True}.get(now)

    def proxy_ports(self) -> tuple[str, ...] | None:
        """Return the TCP ports with SELinux's type for proxies; None if they cannot be read."""
        listed = self._output(["semanage", "port", "-l"])
        return None if listed is None else firewall.proxy_port_ranges(listed)

    def _firewall(self) -> Firewall:
        """Return the first active firewall: frontends before the rules that they create.

        Packets that an engine or an uplink forwards to a gateway bypass the frontends' zones and rules.
        """
        port = self.settings.port
        forwards = self.settings.mode == "rootful" or port in uplink_address.prepared(self.files)
        if not forwards and self._output(["firewall-cmd", "--state"]) is not None:
            zones = self._ask(["firewall-cmd", "--list-all-zones"])
            return firewall.firewalld(zones.output if zones is not None else "", port)
        status = self._ask(_UFW)
        of_ufw = status.output if status is not None else ""
        if not forwards and (found := firewall.ufw(of_ufw, port)) is not None:
            return found
        # Reading the rules requires the program and root.
        rules = self._output(["nft", "--json", "list", "ruleset"])
        if rules is None:
            return Firewall(kind="nftables", forwarded=forwards)
        if forwards:
            return firewall.forwarded(rules, of_ufw, port)
        return firewall.nftables(rules, port) or Firewall()

    def _output(self, arguments: Sequence[str]) -> str | None:
        """Return a program's output; None if it fails."""
        answer = self._ask(arguments)
        return answer.output if answer is not None and answer.code == 0 else None

    def _ask(self, arguments: Sequence[str]) -> Completed | None:
        if self.processes.find(arguments[0]) is None:
            return None
        try:
            return self.processes.run(arguments, timeout=self.seconds, check=False)
        except ProcessError:
            return None


def obstacle(files: Files, processes: Processes) -> str:
    """Return why a gateway cannot use an uplink here (reachability, name server); empty if it can.

    Only root can see the rules of the host.
    """
    missing = [name for name in ("ip", "nft") if processes.find(name) is None]
    if missing:
        return text("{missing} is not installed", missing=" and ".join(missing))
    firewalld = processes.find("firewall-cmd") is not None
    if firewalld and processes.run(["firewall-cmd", "--state"], timeout=_SECONDS, check=False).code == 0:
        return text("firewalld filters forwarded packets")
    # A drop is final, whatever other tables accept: ufw and Docker drop by default.
    chains = processes.run(["nft", "list", "chains"], timeout=_SECONDS, check=False).output
    if re.search(r"hook forward [^;]*; policy drop;", chains):
        return text("a rule of this host, such as one of ufw or Docker, drops forwarded packets")
    return "" if resolver(files) else text("its only name server listens on the host's loopback")


def resolver(files: Files) -> str:
    """Return the file with a name server that a gateway can reach by an uplink; empty without one."""
    # The second file has the servers behind systemd-resolved's local one.
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        if any(not ip_address(name).is_loopback for name in parse.resolvers(text_of(files, path))):
            return path
    return ""
