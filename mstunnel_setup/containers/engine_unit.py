"""A systemd unit that calls an engine: for Docker, and for Podman where Quadlet is not possible (cgroup v1).

The processes of the unit are only clients of the engine: one creates the container, one waits for its end.
So the unit has a strict sandbox, while the container gets what its specification says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mstunnel_setup.containers.run_arguments import EngineName, container_options
from mstunnel_setup.containers.spec import ContainerSpec
from mstunnel_setup.containers.start_order import start_order

_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./:=,@+-]+")


@dataclass(frozen=True)
class _Client:
    """How a unit calls an engine: command, unit to wait for, the options of `run`, and lines of `[Unit]`."""

    command: str
    unit: str
    options: tuple[str, ...]
    lines: tuple[str, ...] = ()


_CLIENTS: Mapping[EngineName, _Client] = {
    # A stop or restart of the daemon stops us first, so that devices are disconnected properly.
    "docker": _Client("/usr/bin/docker", "docker.service", (), ("PartOf=docker.service",)),
    "podman": _Client(
        "/usr/bin/podman --url unix:///run/podman/podman.sock", "podman.socket", ("--pull=never",)
    ),
}
WANTED_BY: Mapping[EngineName, tuple[str, ...]] = {
    # A unit that was stopped with the daemon starts with it again.
    "docker": ("multi-user.target", "docker.service"),
    "podman": ("multi-user.target",),
}
# A client of a local socket needs no capabilities, no network and no other files.
_SANDBOX = """\
CapabilityBoundingSet=
DevicePolicy=closed
IPAddressDeny=any
LockPersonality=true
MemoryDenyWriteExecute=true
NoNewPrivileges=true
PrivateDevices=true
PrivateNetwork=true
PrivateTmp=true
ProcSubset=pid
ProtectClock=true
ProtectControlGroups=true
ProtectHome=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077"""


def render(spec: ContainerSpec, engine: EngineName) -> str:
    """The text of `NAME.service` for `spec`."""
    client = _CLIENTS[engine]
    sections = {
        "Unit": _unit(spec, client),
        "Service": _service(spec, engine, client),
        "Install": iter((f"WantedBy={' '.join(WANTED_BY[engine])}",)),
    }
    return "\n".join("\n".join((f"[{name}]", *lines, "")) for name, lines in sections.items())


def _unit(spec: ContainerSpec, client: _Client) -> Iterator[str]:
    yield f"Description={spec.description.replace('%', '%%')}"
    yield from start_order(client.unit)
    yield from client.lines


def _service(spec: ContainerSpec, engine: EngineName, client: _Client) -> Iterator[str]:
    logged = ("--log-driver=journald", f"--log-opt=tag={spec.log_tag or spec.name}")
    options = (*client.options, *logged, *container_options(spec, engine))
    words = " ".join(_quoted(word) for word in (*options, spec.local_image))
    remove = f"-{client.command} rm --force {spec.name}"
    yield f"ExecStartPre={remove}"
    yield f"ExecStartPre={client.command} run --detach {words}"
    yield f"ExecStart={client.command} wait {spec.name}"
    yield f"ExecStop={client.command} stop -t {spec.stop_timeout} {spec.name}"
    yield f"ExecStopPost={remove}"
    yield "Restart=always"
    # Five starts in ten seconds would make systemd give up for good.
    yield "RestartSec=5"
    yield "TimeoutStartSec=120"
    yield f"TimeoutStopSec={spec.stop_timeout + 30}"
    # The clients print ids and exit codes; their error messages belong to the log of the container.
    yield "StandardOutput=null"
    yield f"SyslogIdentifier={spec.name}"
    # The clients must not look for settings in a home directory that the sandbox hides.
    yield "Environment=HOME=/nonexistent DOCKER_CONFIG=/nonexistent"
    yield _SANDBOX


def _quoted(word: str) -> str:
    """One word of a command line (systemd.syntax(7), systemd.service(5))."""
    if _PLAIN_WORD.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
