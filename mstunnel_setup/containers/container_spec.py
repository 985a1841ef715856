"""The container specification, the source of Quadlet files, units and engine calls."""

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict
from pydantic.dataclasses import dataclass

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.image_names import IMAGE

_BUILT_WHEN_USED = ConfigDict(defer_build=True)
Protocol: TypeAlias = Literal["tcp", "udp"]
# This port handler of slirp4netns keeps the source address of connections.
Network: TypeAlias = Literal["", "none", "pasta", "slirp4netns:port_handler=slirp4netns,mtu=1500"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes fetched and the total so far.

The total grows as layers are found; 0 means failure.
"""

MANAGED_LABEL = "org.mstunnel.managed"
"""The label of all our containers, with the value `1`; containers without it are never changed."""

CONFIGURATION_LABEL = "org.mstunnel.configuration"
"""The label with the digest of the configuration that a container was created for."""

DIGEST_LABEL = "org.mstunnel.digest"
"""The label with the digest of the image, for engines that do not keep it."""


def _require(what: str, value: object, *, ok: bool) -> None:
    if not ok:
        raise EngineError(
            "container-spec",
            "{value!r} is not a valid {option} of a container",
            hint="Correct the setting that this value comes from.",
            value=str(value),
            option=what,
        )


def _valid(what: str, holds: Callable[[Any], object]) -> AfterValidator:
    """Return a validator that requires `holds` to be true; `what` names the value in the error."""

    def checked(value: object) -> object:
        _require(what, value, ok=bool(holds(value)))
        return value

    return AfterValidator(checked)


def _matching(what: str, pattern: str) -> AfterValidator:
    return _valid(what, re.compile(pattern).fullmatch)


def _is_path(value: str) -> bool:
    return value.isprintable() and value.startswith("/") and ":" not in value


def _is_description(value: str) -> bool:
    # A backslash at the end of a line continues it in unit files.
    return value.isprintable() and "\\" not in value and value.strip() == value != ""


def _is_sysctl_value(value: str) -> bool:
    # Podman's generator mishandles these characters: it drops the line, or doubles them.
    return value.isprintable() and not {'"', "\\"} & set(value)


_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
_OPTION = r"[\w=.-]+"
_Port = Annotated[int, _valid("port", range(1, 65536).__contains__)]
_Id = Annotated[int, _valid("user or group", range(65536).__contains__)]
_OptionalPath = Annotated[str, _valid("path", lambda path: not path or _is_path(path))]
_Seconds = Annotated[int, _valid("health check", lambda seconds: seconds > 0)]


@dataclass(frozen=True, kw_only=True, config=_BUILT_WHEN_USED)
class Volume:
    """A bind mount: an absolute path of the host at `container`; `options` such as `ro`, `z`."""

    host: Annotated[str, _valid("volume", _is_path)]
    container: Annotated[str, _valid("volume", _is_path)]
    options: tuple[Annotated[str, _matching("volume option", _OPTION)], ...] = ()


@dataclass(frozen=True, kw_only=True, config=_BUILT_WHEN_USED)
class Tmpfs:
    """A tmpfs at `path`; `options` such as `size=16m`, `mode=0700`."""

    path: Annotated[str, _valid("tmpfs", _is_path)]
    options: tuple[Annotated[str, _matching("tmpfs option", _OPTION)], ...] = ()


@dataclass(frozen=True, kw_only=True, config=_BUILT_WHEN_USED)
class Port:
    """A published port: a port of the host (all addresses) and the port of the container."""

    host: _Port
    container: _Port
    protocol: Protocol = "tcp"


@dataclass(frozen=True, kw_only=True, config=_BUILT_WHEN_USED)
class HealthCheck:
    """A command run inside the container; exit code 0 means healthy. Times are in seconds.

    With `kill` Podman ends a container that has become unhealthy, and the service manager starts it again;
    Docker has no such option.
    """

    command: Annotated[
        tuple[str, ...],
        _valid("health check", lambda words: words != () and all(map(str.isprintable, words))),
    ]
    interval: _Seconds = 30
    timeout: _Seconds = 10
    retries: _Seconds = 3
    start_period: Annotated[int, _valid("health check start period", lambda seconds: seconds >= 0)] = 0
    kill: bool = False


HARDWARE_ADDRESSES: Final[Mapping[str, str]] = {
    paths.SERVER: "02:4d:53:54:00:01",
    paths.AGENT: "02:4d:53:54:00:02",
}
"""The locally administered addresses of our containers on the engine's bridge, for rules of the host."""


@dataclass(frozen=True, kw_only=True, config=_BUILT_WHEN_USED)
class ContainerSpec:
    """Everything an engine needs to run one container; capabilities not named here are dropped.

    `image` is `name@sha256:...`, `local_name` its name in this engine if that differs (`digest_tag`),
    `description` is for people, `user` and `group` are numbers inside the container, `network` is the
    rootless network mode (empty: the engine's bridge), `ipv6_network` the name of a Podman network to join in
    addition to its bridge, `hardware_address` its address on both (empty: the engine's choice), `hooks` a
    directory with hooks (oci-hooks(5)), `resolver` the file with the host's name servers, which is copied at
    each start (both only in Quadlet files), `pids_limit` None is the engine's default, `stop_timeout` is in
    seconds, `selinux_level` that of its processes and files (empty: a level of this container only, chosen by
    the engine), `log_tag` the identifier in the journal (empty: the name). With `read_only` Podman still
    mounts a writable tmpfs on /run, /tmp and /var/tmp.

    Raises EngineError `container-spec` for a value that an engine or systemd could misread.
    """

    name: Annotated[str, _matching("container name", _NAME)]
    image: Annotated[str, _matching("image", IMAGE)]
    description: Annotated[str, _valid("description", _is_description)]
    local_name: str = ""
    user: _Id = 0
    group: _Id = 0
    volumes: tuple[Volume, ...] = ()
    devices: tuple[Annotated[str, _matching("device", r"/dev/[\w./-]+")], ...] = ()
    capabilities: tuple[Annotated[str, _matching("capability", r"[A-Z][A-Z_]*")], ...] = ()
    network: Network = ""
    ipv6_network: Annotated[str, _matching("network", f"({_NAME})?")] = ""
    hardware_address: Annotated[str, _matching("hardware address", "([0-9a-f]{2}(:[0-9a-f]{2}){5})?")] = ""
    hooks: _OptionalPath = ""
    resolver: _OptionalPath = ""
    ports: tuple[Port, ...] = ()
    sysctls: Mapping[
        Annotated[str, _matching("sysctl", r"[a-z0-9_.-]+")],
        Annotated[str, _valid("sysctl value", _is_sysctl_value)],
    ] = field(default_factory=dict)
    read_only: bool = True
    tmpfs: tuple[Tmpfs, ...] = ()
    health: HealthCheck | None = None
    labels: Mapping[
        Annotated[str, _matching("label", r"[a-zA-Z0-9._/-]+"), _valid("label", MANAGED_LABEL.__ne__)],
        Annotated[str, _valid("label value", str.isprintable)],
    ] = field(default_factory=dict)
    pids_limit: Annotated[int | None, _valid("process limit", lambda most: most is None or most > 0)] = None
    # Calls to the engine must not take longer than two minutes.
    stop_timeout: Annotated[int, _valid("stop timeout", range(91).__contains__)] = 10
    log_tag: Annotated[str, _matching("log tag", f"({_NAME})?")] = ""
    selinux_level: Annotated[str, _matching("SELinux level", r"(s\d+(:c\d+(,c\d+)*)?)?")] = ""

    def __post_init__(self) -> None:
        """Refuse a local name that this program does not give to the image."""
        _require("image", self.local_name, ok=self.local_name in ("", self.image, digest_tag(self.image)))

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks to pass to the engine; empty for its bridge, which a named network would replace."""
        # Podman's own network is called `podman` in its documentation and in containers.conf(5).
        if not self.ipv6_network:
            return (self.network,) if self.network else ()
        address = f":mac={self.hardware_address}" if self.hardware_address else ""
        return (f"{self.network or 'podman'}{address}", f"{self.ipv6_network}{address}")

    @property
    def bridge_address(self) -> str:
        """The hardware address, unless a network is named (and has it); empty: the engine's choice."""
        return "" if self.networks else self.hardware_address

    @property
    def all_labels(self) -> Mapping[str, str]:
        """All labels: the managed label, then `labels`."""
        return {MANAGED_LABEL: "1", **self.labels}

    @property
    def local_image(self) -> str:
        """The name of the image in this engine."""
        return self.local_name or self.image


def split_reference(reference: str) -> tuple[str, str]:
    """Return name and digest (`sha256:...`) of an image reference.

    Raises EngineError `container-spec` unless it is `registry/name@sha256:digest` without a tag.
    """
    _require("image", reference, ok=re.fullmatch(IMAGE, reference) is not None)
    name, _, digest = reference.partition("@")
    return name, digest


def digest_tag(reference: str) -> str:
    """Return the tag for an image whose archive has another name: the start of its digest."""
    name, digest = split_reference(reference)
    return f"{name}:sha256-{digest.removeprefix('sha256:')[:12]}"
