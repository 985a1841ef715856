"""The container specification, from which Quadlet files, units and engine calls are made."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mstunnel_setup.base.errors import EngineError

Protocol: TypeAlias = Literal["tcp", "udp"]
# This port handler of slirp4netns keeps the source address of connections.
Network: TypeAlias = Literal["", "none", "pasta", "slirp4netns:port_handler=slirp4netns,mtu=1500"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes fetched so far and the total so far (it grows as layers are found)."""

MANAGED_LABEL = "org.mstunnel.managed"
"""Label of all our containers, with the value `1`; containers without it are never changed."""

CONFIGURATION_LABEL = "org.mstunnel.configuration"
"""Label with the digest of the configuration that a container was created for."""

DIGEST_LABEL = "org.mstunnel.digest"
"""Label with the digest of the image, for engines that do not keep it."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_REFERENCE = re.compile(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
_DEVICE = re.compile(r"/dev/[\w./-]+")
_CAPABILITY = re.compile(r"[A-Z][A-Z_]*")
_SYSCTL = re.compile(r"[a-z0-9_.-]+")
_LABEL = re.compile(r"[a-zA-Z0-9._/-]+")
_LEVEL = re.compile(r"s\d+(:c\d+(,c\d+)*)?")
_OPTION = re.compile(r"[\w=.-]+")
# Longest stop timeout; calls to the engine must not take longer than two minutes.
_LONGEST_STOP = 90
_HIGHEST_PORT = 65535
_HIGHEST_ID = 65535


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A bind mount: a path of the host (absolute) at `container`; `options` as `ro`, `z`."""

    host: str
    container: str
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that no engine accepts."""
        for path in (self.host, self.container):
            _absolute("volume", path)
        _matching("volume option", _OPTION, self.options)


@dataclass(frozen=True, kw_only=True)
class Tmpfs:
    """A tmpfs at `path`; `options` as `size=16m`, `mode=0700`."""

    path: str
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that no engine accepts."""
        _absolute("tmpfs", self.path)
        _matching("tmpfs option", _OPTION, self.options)


@dataclass(frozen=True, kw_only=True)
class Port:
    """A published port: a port of the host (all addresses) and the port of the container."""

    host: int
    container: int
    protocol: Protocol = "tcp"

    def __post_init__(self) -> None:
        """Refuse numbers outside 1-65535."""
        for number in (self.host, self.container):
            _require("port", str(number), ok=0 < number <= _HIGHEST_PORT)


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """A command run inside the container; exit code 0 means healthy. Times are in seconds.

    With `kill` Podman ends a container that has become unhealthy, for the service manager to start again;
    Docker does not know that.
    """

    command: tuple[str, ...]
    interval: int = 30
    timeout: int = 10
    retries: int = 3
    start_period: int = 0
    kill: bool = False

    def __post_init__(self) -> None:
        """Refuse empty commands and control characters."""
        _require("health check", " ".join(self.command), ok=bool(self.command))
        for word in self.command:
            _visible("health check", word)
        for number in (self.interval, self.timeout, self.retries):
            _require("health check", str(number), ok=number > 0)
        _require("health check start period", str(self.start_period), ok=self.start_period >= 0)


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Everything an engine needs to run one container; capabilities not named here are dropped.

    `image` is `name@sha256:...`, `local_name` its name in this engine if that differs (`digest_tag`),
    `description` is for people, `environment_files` are host paths, `user` and `group` are numbers inside
    the container, `network` is the rootless network mode (empty: the engine's bridge), `ipv6_network` the
    name of a network of Podman to join besides its bridge, `hooks` a directory
    with hooks (oci-hooks(5)), `resolver` the file with the name servers of the host, which is copied at each
    start (both in Quadlet files alone), `pids_limit` None is the engine's default, `stop_timeout` is in
    seconds, `selinux_level` that of its processes and of the files they make (empty: the engine's choice, of
    this container alone), `log_tag` is the identifier in the journal (empty: the name). With `read_only`
    Podman still mounts a writable tmpfs on /run, /tmp and /var/tmp.

    Raises EngineError `container-spec` for a value that an engine or systemd could misread.
    """

    name: str
    image: str
    description: str
    local_name: str = ""
    user: int = 0
    group: int = 0
    environment_files: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    devices: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    network: Network = ""
    ipv6_network: str = ""
    hooks: str = ""
    resolver: str = ""
    ports: tuple[Port, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = True
    tmpfs: tuple[Tmpfs, ...] = ()
    health: HealthCheck | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    pids_limit: int | None = None
    stop_timeout: int = 10
    log_tag: str = ""
    selinux_level: str = ""

    def __post_init__(self) -> None:
        """Check every value."""
        _matching("container name", _NAME, [self.name])
        check_reference(self.image)
        _require("image", self.local_name, ok=self.local_name in ("", self.image, digest_tag(self.image)))
        _matching("network", _NAME, filter(None, [self.ipv6_network]))
        _matching("log tag", _NAME, [self.log_tag or self.name])
        _matching("SELinux level", _LEVEL, filter(None, [self.selinux_level]))
        _visible("description", self.description)
        # A backslash at the end of a line continues it in unit files.
        _require("description", self.description, ok="\\" not in self.description)
        _require("description", self.description, ok=self.description.strip() == self.description != "")
        for path in self.environment_files:
            _absolute("environment file", path)
        for path in filter(None, (self.hooks, self.resolver)):
            _absolute("path", path)
        for number in (self.user, self.group):
            _require("user or group", str(number), ok=0 <= number <= _HIGHEST_ID)
        _matching("device", _DEVICE, self.devices)
        _matching("capability", _CAPABILITY, self.capabilities)
        _matching("sysctl", _SYSCTL, self.sysctls)
        for value in self.sysctls.values():
            _visible("sysctl value", value)
            # Podman's generator mishandles these: it drops the line, or doubles them.
            _require("sysctl value", value, ok=not {'"', "\\"} & set(value))
        _matching("label", _LABEL, self.labels)
        for value in self.labels.values():
            _visible("label value", value)
        _require("label", MANAGED_LABEL, ok=MANAGED_LABEL not in self.labels)
        _require("process limit", str(self.pids_limit), ok=self.pids_limit is None or self.pids_limit > 0)
        _require("stop timeout", str(self.stop_timeout), ok=0 <= self.stop_timeout <= _LONGEST_STOP)

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks to name to the engine; none is its bridge, which one that is named would replace."""
        # Podman's own network, as its documentation and containers.conf(5) name it.
        bridge = "podman" if self.ipv6_network else ""
        return tuple(filter(None, (self.network or bridge, self.ipv6_network)))

    @property
    def all_labels(self) -> Mapping[str, str]:
        """All labels: the managed label, then `labels`."""
        return {MANAGED_LABEL: "1", **self.labels}

    @property
    def local_image(self) -> str:
        """The name of the image in this engine."""
        return self.local_name or self.image


def check_reference(reference: str) -> None:
    """Raise EngineError `container-spec` unless `reference` is `host/name@sha256:digest` without a tag."""
    _matching("image", _REFERENCE, [reference])


def split_reference(reference: str) -> tuple[str, str]:
    """Name and digest (`sha256:...`) of an image reference.

    Raises EngineError `container-spec` when it is not one by digest.
    """
    check_reference(reference)
    name, _, digest = reference.partition("@")
    return name, digest


def digest_tag(reference: str) -> str:
    """The tag for an image whose archive has another name: the start of its digest."""
    name, digest = split_reference(reference)
    return f"{name}:sha256-{digest.removeprefix('sha256:')[:12]}"


def _absolute(what: str, path: str) -> None:
    _visible(what, path)
    _require(what, path, ok=path.startswith("/") and ":" not in path)


def _visible(what: str, value: str) -> None:
    _require(what, value, ok=value.isprintable())


def _matching(what: str, pattern: re.Pattern[str], values: Iterable[str]) -> None:
    for value in values:
        _require(what, value, ok=pattern.fullmatch(value) is not None)


def _require(what: str, value: str, *, ok: bool) -> None:
    if not ok:
        raise EngineError(
            "container-spec",
            "{value!r} is not a valid {option} of a container",
            hint="Correct the setting that this value comes from.",
            value=value,
            option=what,
        )


def no_progress(_fetched: int, _known: int) -> None:
    """A progress listener that does nothing."""
