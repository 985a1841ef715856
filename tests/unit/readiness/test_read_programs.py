"""Facts from programs of the host, with programs that print prepared responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.containers import uplink_address
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.readiness.facts.firewall import Firewall
from mstunnel_setup.readiness.facts.programs import Engine, ProgramReader
from mstunnel_setup.readiness.facts.section import Settings
from tests.unit.readiness.known import put

Answer = Completed | None
ROOTFUL = Settings()
ROOTLESS = Settings(mode="rootless")


@dataclass
class FakeProcesses(Processes):
    """Programs with prepared responses by the start of the command line; None stands for a hang."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    installed: frozenset[str] = frozenset()

    def find(self, program: str) -> str | None:
        known = program in self.installed or any(key.split()[0] == program for key in self.answers)
        return f"/usr/bin/{program}" if known else None

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        line = " ".join(arguments)
        for beginning, answer in self.answers.items():
            if line.startswith(beginning):
                if answer is None:
                    raise ProcessError("program-timeout", f"{line} did not finish")
                return answer
        return Completed(1, "", "unknown command")


def said(output: str, code: int = 0, error: str = "") -> Completed:
    return Completed(code, output, error)


def reader(
    root: Path, answers: Mapping[str, Answer], *installed: str, settings: Settings = ROOTFUL
) -> ProgramReader:
    return ProgramReader(Files(root), FakeProcesses(answers, frozenset(installed)), settings)


DOCKER_VERSION = {"docker --version": said("Docker version 28.1.1, build 4eba377\n")}
PODMAN_VERSION = {"podman --version": said("podman version 5.4.0\n")}
NO_DAEMON = "Cannot connect to the Docker daemon.\nIs it \x1b[31mrunning?\n"


@pytest.mark.parametrize(
    ("answers", "engine"),
    [
        ({**PODMAN_VERSION, "podman ps": said("0123456789ab\n")}, Engine(name="podman", version="5.4.0")),
        (
            {**DOCKER_VERSION, "docker info": said("", 1, NO_DAEMON)},
            Engine(name="docker", version="28.1.1", running=False, reason="Is it [31mrunning?"),
        ),
        # A client without a daemon reports no version of the server.
        (
            {**DOCKER_VERSION, "docker info": said(" null\n")},
            Engine(name="docker", version="28.1.1", running=False),
        ),
        (
            {**PODMAN_VERSION, "podman ps": said("", 125, "Error: read-only file system\n")},
            Engine(
                name="podman",
                version="5.4.0",
                running=False,
                reason="Error: read-only file system",
            ),
        ),
        # An engine that hangs may be running: on a loaded host, one took over 15 s to respond.
        (
            {**PODMAN_VERSION, "podman ps": None},
            Engine(name="podman", version="5.4.0", running=None, reason="no answer in time"),
        ),
    ],
)
def test_engine_version_and_state_are_read(
    tmp_path: Path, answers: dict[str, Answer], engine: Engine
) -> None:
    assert reader(tmp_path, answers).engine().engines == (engine,)


def test_installed_network_programs_are_found(tmp_path: Path) -> None:
    found = reader(tmp_path, PODMAN_VERSION, "pasta").engine()
    assert (found.pasta, found.slirp4netns) == (True, False)


def test_userns_remap_is_read_from_daemon_json(tmp_path: Path) -> None:
    put(tmp_path, {"etc/docker/daemon.json": '{"userns-remap": "default"}'})
    assert reader(tmp_path, {}).engine().userns_remap == "default"


@pytest.mark.parametrize(
    ("options", "expected"),
    [('["name=apparmor","name=userns"]', "on"), ('["name=seccomp"]', ""), ("null", "")],
)
def test_userns_remap_is_read_from_the_running_daemon(tmp_path: Path, options: str, expected: str) -> None:
    answers = {"docker info --format {{.ServerVersion}} {{json": said(f"28.1.1 {options}\n")}
    found = reader(tmp_path, answers).engine()
    assert found.engines == (Engine(name="docker", version="28.1.1"),)
    assert found.userns_remap == expected


@pytest.mark.parametrize(
    ("content", "expected"), [("1", "enforcing"), ("0\n", "permissive"), (None, "absent")]
)
def test_selinux_mode_and_proxy_ports_are_read(tmp_path: Path, content: str | None, expected: str) -> None:
    put(tmp_path, {"sys/fs/selinux/enforce": content})
    answers = {"semanage port -l": said("http_port_t   tcp   80, 443\n")}
    found = reader(tmp_path, answers).security()
    assert found.selinux == expected
    assert found.proxy_ports == (None if content is None else ("80", "443"))


@pytest.mark.parametrize(("content", "expected"), [("0 0", False), ("1 1", True), ("", None), (None, None)])
def test_selinux_device_boolean_for_containers_is_read(
    tmp_path: Path, content: str | None, expected: object
) -> None:
    put(tmp_path, {"sys/fs/selinux/booleans/container_use_devices": content})
    assert reader(tmp_path, {}).security().container_devices is expected


@pytest.mark.parametrize(
    ("answers", "installed", "expected"),
    [
        ({"systemctl is-active auditd": said("active\n")}, [], "active"),
        ({"systemctl is-active auditd": said("inactive\n", 3)}, ["auditd"], "inactive"),
        ({"systemctl is-active auditd": None}, [], "absent"),
    ],
)
def test_state_of_auditd_is_read(
    tmp_path: Path, answers: dict[str, Answer], installed: list[str], expected: str
) -> None:
    assert reader(tmp_path, answers, *installed).security().auditd == expected


ZONES = {
    "firewall-cmd --state": said("running\n"),
    "firewall-cmd --list-all-zones": said("public (active)\n  interfaces: eth0\n  services: https\n"),
}
UFW = "Status: active\nDefault: deny (incoming)\n443  ALLOW IN  Anywhere\n"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({**ZONES, "nft": said("{}")}, Firewall(kind="firewalld", tcp=True, udp=False)),
        (
            {"firewall-cmd --state": said("not running\n", 252), "ufw status": said(UFW)},
            Firewall(kind="ufw", tcp=True, udp=True),
        ),
        ({"ufw status": said("Status: inactive\n"), "nft --json": said('{"nftables": []}')}, Firewall()),
    ],
    ids=["frontend before its rules", "one that does not run", "none"],
)
def test_active_firewall_is_detected(tmp_path: Path, answers: dict[str, Answer], expected: Firewall) -> None:
    assert reader(tmp_path, answers, settings=ROOTLESS).security().firewall == expected


@pytest.mark.parametrize("nft", [None, said("", 1)], ids=["no program", "no right"])
@pytest.mark.parametrize(("settings", "forwarded"), [(ROOTFUL, True), (ROOTLESS, False)])
def test_unreadable_firewall_rules_are_unknown(
    settings: Settings, forwarded: bool, nft: Answer, tmp_path: Path
) -> None:
    answers = {"ufw status": said("Status: inactive\n"), "nft --json": nft}
    unknown = Firewall(kind="nftables", forwarded=forwarded)
    assert reader(tmp_path, answers, settings=settings).security().firewall == unknown


@pytest.mark.parametrize("settings", [ROOTFUL, ROOTLESS])
def test_forwarded_packets_bypass_firewall_frontends(tmp_path: Path, settings: Settings) -> None:
    """Check both ways to forward: by an engine with root, and by an uplink."""
    put(tmp_path, {f"{uplink_address.SOCKETS}/443": "", uplink_address.HOOK: ""})
    answers = {"ufw status": said("Status: active\nDefault: deny (incoming)\n"), "nft --json": said("{}")}
    assert reader(tmp_path, answers, settings=settings).security().firewall == Firewall(forwarded=True)
