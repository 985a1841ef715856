"""System, kernel, networks and proxies, from files."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mstunnel_setup.actions import uplink
from mstunnel_setup.actions.kernel import place
from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.containers import ipv6
from mstunnel_setup.containers.listeners import listening
from mstunnel_setup.gateway.configuration import OWN_NETWORKS
from mstunnel_setup.gateway.ocserv_conf import read_tunnel_settings
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts import parse
from mstunnel_setup.readiness.facts.parse import Bridge, ProxyPlace, Route
from mstunnel_setup.readiness.facts.section import Section, Settings, text_of, texts_below
from mstunnel_setup.readiness.sysctls import (
    CONNTRACK_MODULE_FILES,
    FORWARD,
    FORWARD_6,
    MODULE_FILES,
    NAMESPACES,
    PORT_START,
    ROOTLESS,
    UNANSWERED,
    accepting,
)

CGROUP_V2 = 2
"""`SystemFacts.cgroup` with the unified hierarchy of control groups."""


class SystemFacts(Section):
    """The machine. Sizes in bytes; `cgroup` is 1, 2 or 0 (none).

    `store` is where containers are kept, or will be; `disk` and `disk_free` are of its file system.
    """

    distribution: str
    version: str
    name: str
    architecture: str = "x86_64"
    cpus: int
    memory: int
    disk: int
    disk_free: int
    store: str = "/var/lib"
    cgroup: int = 2
    systemd: bool = True
    root: bool = True
    today: date


class KernelFacts(Section):
    """Modules that work now (loaded or built in), the files that load modules at boot, and sysctls.

    `built_in` are those of `modules` that need no loading, `loadable` those that modprobe(8) finds on the
    disk, `sysctls` the values now, `sysctl_files` the file that sets each at boot, and to what, `advertised`
    the devices whose default route of IPv6 the kernel has from a router. `forwarding_rules` is the state of
    the rules that keep the host from forwarding for others (`unknown`: only root can see what is loaded).
    """

    modules: frozenset[str] = frozenset()
    built_in: frozenset[str] = frozenset()
    loadable: frozenset[str] = frozenset()
    module_files: dict[str, str] = Field(default_factory=dict)
    sysctls: dict[str, str] = Field(default_factory=dict)
    sysctl_files: dict[str, tuple[str, str]] = Field(default_factory=dict)
    forwarding_rules: Literal["absent", "unloaded", "loaded", "unknown"] = "absent"
    tun_device: bool = True
    advertised: tuple[str, ...] = ()


class AddressFacts(Section):
    """Networks around the host: routes (without the default), bridges, resolvers; `mtu` of the default route.

    `ipv6` says whether the kernel has IPv6 at all, `ipv6_disabled` whether a setting keeps it off, and
    `ipv6_addresses` are those of the host that lead beyond its links.
    """

    routes: tuple[Route, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    resolvers: tuple[str, ...] = ()
    device: str = ""
    mtu: int = 0
    ipv6: bool = True
    ipv6_disabled: bool = False
    ipv6_addresses: tuple[str, ...] = ()


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(_network, texts))


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return ""
    return text


class TunnelFacts(Section):
    """The server configuration of the site as far as it is known; `source` is empty when it is not.

    `pool` and `ipv6_pool` are the networks for devices, the latter empty where they get no IPv6. What is no
    address and no network is left out: the gateway judges it, and refuses the configuration.
    """

    source: str = ""
    pool: Annotated[str, AfterValidator(_network)] = ""
    ipv6_pool: Annotated[str, AfterValidator(_network)] = ""
    dns_servers: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    includes: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()


class ProxyFacts(Section):
    """Every place that names a proxy."""

    places: tuple[ProxyPlace, ...] = ()


class PortHolder(Section):
    """A program that listens on the gateway's port."""

    protocol: Literal["tcp", "udp"]
    address: str
    program: str = ""


class PortFacts(Section):
    """Who listens on the gateway's port."""

    holders: tuple[PortHolder, ...] = ()


class RootlessFacts(Section):
    """The service account of a rootless gateway; counts of subordinate ids; free bytes of its home.

    `directory_owner` is the uid of /etc/mstunnel, None without it; `free_subuid` and `free_subgid` are
    where a free range of ids may begin; `uplinks` are the ports for which root has prepared an uplink,
    `uplink_obstacle` is why none works, as far as this user can see (empty: nothing).
    """

    account: str
    uid: int | None = None
    subuids: int = 0
    subgids: int = 0
    linger: bool = False
    home: str = "/home"
    home_free: int = 0
    directory_owner: int | None = None
    free_subuid: int = 100000
    free_subgid: int = 100000
    uplinks: tuple[int, ...] = ()
    uplink_obstacle: str = ""


_MODULE_DIRECTORIES = ("/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d")

_SYSCTL_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d")

_SYSCTLS = (FORWARD, FORWARD_6, PORT_START, NAMESPACES, UNANSWERED, *ROOTLESS)

_DISABLED = "/proc/sys/net/ipv6/conf/all/disable_ipv6"

_SYSTEMD_SYSCTL = "/usr/lib/systemd/systemd-sysctl"

_STORES = ("/var/lib/containers", "/var/lib/docker", "/var/lib", "/var", "/")

_RESOLVED = "/run/systemd/resolve/resolv.conf"

_UNIT_DIRECTORIES = ("docker.service.d", "podman.service.d", "mstunnel_monitor.service.d")

_DEFAULT_BRIDGES = {"podman": "10.88.0.0/16", "docker": "172.17.0.0/16"}

_CONTAINERS_CONF = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")

_CHOSEN_BACKEND = "/var/lib/containers/storage/defaultNetworkBackend"

_NETAVARK_PROGRAMS = tuple(
    f"{directory}/netavark"
    for directory in ("/usr/libexec/podman", "/usr/lib/podman", "/usr/local/libexec/podman")
)

_LOCAL_ADDRESS = re.compile(r"\|-- ([0-9.]+)\s+/32 host LOCAL")

_BRIDGE_DEVICES = ("docker", "podman", "cni-podman", "br-")


@dataclass(frozen=True)
class HostReader:
    """Reads the files of the host below the root of `files`.

    `environment` is that of this process, `answered` what the answer file wants in `env.sh`.
    """

    files: Files
    clock: Clock
    settings: Settings
    environment: Mapping[str, str]
    answered: Mapping[str, str] = field(default_factory=dict)

    def system(self) -> SystemFacts:
        """The machine."""
        known = parse.assignments(
            text_of(self.files, "/etc/os-release") or text_of(self.files, "/usr/lib/os-release")
        )
        unnamed = f"{known.get('NAME', 'Linux')} {known.get('VERSION_ID', '')}"
        store, disk, free = self._space()
        return SystemFacts(
            distribution=known.get("ID", "unknown"),
            version=known.get("VERSION_ID", ""),
            name=known.get("PRETTY_NAME") or unnamed.strip(),
            architecture=os.uname().machine,
            cpus=len(os.sched_getaffinity(0)),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            disk=disk,
            disk_free=free,
            store=store,
            cgroup=self._cgroup(),
            systemd=self.files.state("/run/systemd/system") is not None,
            root=os.geteuid() == 0,
            today=self.clock.now().date(),
        )

    def _space(self) -> tuple[str, int, int]:
        """Where the engine keeps containers, or will; size and free bytes of that file system."""
        own = (self.rootless().home,) if self.settings.mode == "rootless" else ()
        place = next(path for path in (*own, *_STORES) if self.files.state(path) is not None)
        found = os.statvfs(self.files.locate(place))
        return place, found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize

    def _cgroup(self) -> int:
        if self.files.state("/sys/fs/cgroup/cgroup.controllers") is not None:
            return 2
        return 1 if self.files.state("/sys/fs/cgroup/memory") is not None else 0

    def kernel(self) -> KernelFacts:
        """Modules and sysctls, now and at boot."""
        advertised = self._advertised()
        names = (*_SYSCTLS, *map(accepting, advertised))
        values = {name: text_of(self.files, place(name)).strip() for name in names}
        return KernelFacts(
            modules=self.modules(),
            built_in=self._on_disk("modules.builtin"),
            loadable=self.loadable(),
            module_files=self._module_files(),
            sysctls={name: value for name, value in values.items() if value},
            sysctl_files=self._sysctl_files(names),
            advertised=advertised,
            tun_device=self.files.state("/dev/net/tun") is not None,
        )

    def _advertised(self) -> tuple[str, ...]:
        """Without 0: there a network manager takes the routes itself, whatever the kernel forwards."""
        found = parse.advertised_devices(text_of(self.files, "/proc/net/ipv6_route"))
        return tuple(item for item in found if text_of(self.files, place(accepting(item))).strip() != "0")

    def modules(self) -> frozenset[str]:
        """Modules that work, whether or not this system can see how they were loaded (containers cannot)."""
        release = text_of(self.files, "/proc/sys/kernel/osrelease").strip()
        found = parse.modules(
            text_of(self.files, "/proc/modules"),
            text_of(self.files, f"/lib/modules/{release}/modules.builtin"),
            text_of(self.files, "/proc/misc"),
        )
        seen = self.files.state("/proc/net/ip_tables_names") is not None
        return found | {"ip_tables"} if seen else found

    def loadable(self) -> frozenset[str]:
        """Of the modules that matter, those that the running kernel can load."""
        return self._on_disk("modules.dep")

    def _on_disk(self, index: str) -> frozenset[str]:
        """Of the modules that matter, those that an index of depmod(8) names for the running kernel."""
        release = text_of(self.files, "/proc/sys/kernel/osrelease").strip()
        found = parse.modules_on_disk(text_of(self.files, f"/lib/modules/{release}/{index}"))
        return found & {*MODULE_FILES, *CONNTRACK_MODULE_FILES}

    def _module_files(self) -> dict[str, str]:
        texts = {"/etc/modules": text_of(self.files, "/etc/modules")}
        texts |= texts_below(self.files, _MODULE_DIRECTORIES, ".conf")
        return {module: path for path, text in texts.items() for module in parse.module_lines(text)}

    def _sysctl_files(self, names: Collection[str]) -> dict[str, tuple[str, str]]:
        """The last file wins. systemd reads sysctl.conf only where a link of sysctl.d leads to it.

        Debian 13 has no such link any more; what others read comes after the directories (sysctl(8)).
        """
        texts = texts_below(self.files, _SYSCTL_DIRECTORIES, ".conf")
        if self.files.state(_SYSTEMD_SYSCTL) is None:
            texts["/etc/sysctl.conf"] = text_of(self.files, "/etc/sysctl.conf")
        return {
            name: (path, value)
            for path, text in texts.items()
            for name, value in parse.sysctl_lines(text).items()
            if name in names
        }

    def addresses(self) -> AddressFacts:
        """Routes, bridges, resolvers and the MTU of the default route."""
        table = text_of(self.files, "/proc/net/route")
        table6 = text_of(self.files, "/proc/net/ipv6_route")
        device = parse.default_device(table) or parse.default_device_6(table6)
        mtu = text_of(self.files, f"/sys/class/net/{device}/mtu").strip() if device else ""
        return AddressFacts(
            routes=parse.routes(table),
            bridges=self._bridges(table),
            resolvers=self._resolvers(),
            device=device,
            mtu=whole_number(mtu) or 0,
            ipv6=self.files.state("/proc/net/if_inet6") is not None,
            ipv6_disabled=text_of(self.files, _DISABLED).strip() == "1",
            ipv6_addresses=tuple(map(str, _ipv6_addresses(self.files))),
        )

    def _resolvers(self) -> tuple[str, ...]:
        found = parse.resolvers(text_of(self.files, "/etc/resolv.conf"))
        behind = parse.resolvers(text_of(self.files, _RESOLVED))
        return behind if behind and all(item.startswith("127.") for item in found) else found

    def _bridges(self, table: str) -> tuple[Bridge, ...]:
        """Bridges that stand, those that files define, and the one an installed engine makes by default."""
        standing = [
            Bridge(network=item.network, name=item.device, source="now")
            for item in parse.routes(table)
            if item.device.startswith(_BRIDGE_DEVICES)
        ]
        found = [*standing, *self._defined_bridges(), *standing]
        # Another network than the engine's own says nothing of the one that the gateway will use.
        default = self._default_bridge()
        if all(item.name.removeprefix("cni-") != default.name for item in found):
            found.append(default)
        return tuple({(item.network, item.name): item for item in found}.values())

    def _defined_bridges(self) -> list[Bridge]:
        daemon = "/etc/docker/daemon.json"
        found = [*parse.docker_bridges(text_of(self.files, daemon), daemon)]
        for path, content in texts_below(self.files, (ipv6.DIRECTORY,), ".json").items():
            # What this program adds leaves the range of the bridge to Podman.
            found += parse.netavark_bridges(content, path) if path != ipv6.FILE else ()
        if self.network_backend() == "cni":
            for path, content in texts_below(self.files, ("/etc/cni/net.d",), ".conflist").items():
                found += parse.cni_bridges(content, path)
        return found

    def network_backend(self) -> Literal["netavark", "cni"]:
        """What makes Podman's networks: as set, as chosen at its first run, else netavark where it is there.

        Files of CNI say nothing: Debian's Podman brings one along and does not read it.
        """
        chosen = text_of(self.files, _CHOSEN_BACKEND).strip()
        names = [chosen, *(parse.network_backend(text) for text in self._containers_conf().values())]
        known = [name for name in names if name in ("netavark", "cni")]
        if known:
            return "cni" if known[-1] == "cni" else "netavark"
        there = any(self.files.state(path) is not None for path in _NETAVARK_PROGRAMS)
        return "netavark" if there else "cni"

    def _default_bridge(self) -> Bridge:
        docker = self.files.state("/etc/docker") is not None and self.files.state("/etc/containers") is None
        name = "docker" if self.settings.engine == "docker" or docker else "podman"
        default = Bridge(network=_DEFAULT_BRIDGES[name], name=f"{name}0", source="default")
        return default if name == "docker" else self._podman_subnet() or default

    def _podman_subnet(self) -> Bridge | None:
        """The range that the last file of containers.conf(5) sets for Podman's own network."""
        texts = self._containers_conf()
        found = [bridge for path, text in texts.items() for bridge in parse.podman_subnet(text, path)]
        return found[-1] if found else None

    def _containers_conf(self) -> dict[str, str]:
        """The texts of the files of containers.conf(5), the one that wins last."""
        texts = {path: text_of(self.files, path) for path in _CONTAINERS_CONF}
        return texts | texts_below(self.files, ("/etc/containers/containers.conf.d",), ".conf")

    def tunnel(self) -> TunnelFacts:
        """The server configuration of an installed gateway."""
        found = parse.json_object(text_of(self.files, paths.ADMIN_SETTINGS))
        if not found:
            return TunnelFacts()
        return TunnelFacts(
            source=paths.ADMIN_SETTINGS,
            pool=str(found.get("Network") or ""),
            ipv6_pool=self._ipv6_pool(),
            dns_servers=_strings(found.get("DNSServers")),
            includes=tuple(item for item in _strings(found.get("RoutesInclude")) if item != "default"),
        )

    def _ipv6_pool(self) -> str:
        """The vendor's settings have no name for it."""
        served = read_tunnel_settings(self.files.read(paths.OCSERV_CONF) or b"")
        pools = served.pools if served else ()
        return next((str(pool) for pool in pools if isinstance(pool, IPv6Network)), "")

    def proxies(self) -> ProxyFacts:
        """The proxy variables of every place that may name some."""
        files = ("/etc/environment", "/etc/profile.d/http_proxy.sh", paths.ENVIRONMENT)
        found: list[ProxyPlace] = [*parse.proxy_places("the environment", self.environment)]
        found += parse.proxy_places("the answer file", self.answered)
        for path in files:
            found += parse.proxy_places(path, parse.assignments(text_of(self.files, path)))
        directories = tuple(f"/etc/systemd/system/{name}" for name in _UNIT_DIRECTORIES)
        for directory in directories:
            for path, content in texts_below(self.files, (directory,), ".conf").items():
                found += parse.proxy_places(path, parse.unit_environment(content))
        return ProxyFacts(places=tuple(found))

    def ports(self) -> PortFacts:
        """Who listens on the gateway's port."""
        found = listening(self.files, self.settings.port)
        return PortFacts(
            holders=tuple(
                PortHolder(protocol=item.protocol, address=item.address, program=item.program or "")
                for item in found
            )
        )

    def rootless(self) -> RootlessFacts:
        """The service account."""
        name = self.settings.account
        uid, home = parse.account_line(text_of(self.files, "/etc/passwd"), name) or (None, "/home")
        place = home if self.files.state(home) is not None else "/home"
        directory = self.files.state(paths.CONFIGURATION)
        return RootlessFacts(
            account=name,
            uid=uid,
            subuids=parse.subordinate_ids(text_of(self.files, "/etc/subuid"), name, uid),
            subgids=parse.subordinate_ids(text_of(self.files, "/etc/subgid"), name, uid),
            linger=self.files.state(f"/var/lib/systemd/linger/{name}") is not None,
            home=place,
            home_free=self.files.free_bytes(place) if self.files.state(place) is not None else 0,
            directory_owner=None if directory is None else directory.uid,
            free_subuid=parse.free_subordinate_id(text_of(self.files, "/etc/subuid")),
            free_subgid=parse.free_subordinate_id(text_of(self.files, "/etc/subgid")),
            uplinks=uplink.prepared(self.files),
        )


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def own_addresses(files: Files, clock: Clock) -> str:
    """What devices must not reach on this host, as the gateway's container cannot see it: `host-addresses`.

    Networks of the container engine and the host's addresses outside of them, one a line.
    Loopback and link-local addresses are left out: the gateway refuses them all. Empty where the kernel tells
    nothing, such as below another root.
    """
    reader = HostReader(files, clock, Settings(), {})
    # The address of a bridge is there once a container has run, its network is known before.
    standing = [item for item in reader.addresses().bridges if item.source == "now" or not paths.ROOTLESS]
    bridges = [ip_network(bridge.network) for bridge in standing]
    found = [
        address for address in _own_addresses(files) if not any(address in network for network in bridges)
    ]
    return "".join(f"{item}\n" for item in dict.fromkeys([*map(str, bridges), *map(str, found)]))


def _own_addresses(files: Files) -> Iterator[IPv4Address | IPv6Address]:
    """Source: proc(5), `/proc/net/fib_trie` and `/proc/net/if_inet6`."""
    for found in _LOCAL_ADDRESS.findall(text_of(files, "/proc/net/fib_trie")):
        address = IPv4Address(found)
        if not (address.is_loopback or address.is_link_local):
            yield address
    yield from _ipv6_addresses(files)


def _ipv6_addresses(files: Files) -> Iterator[IPv6Address]:
    """Those beyond the links, without what this program gives to the engine's network."""
    for line in text_of(files, "/proc/net/if_inet6").splitlines():
        address = IPv6Address(bytes.fromhex(line.split()[0]))
        if not (address.is_loopback or address.is_link_local or address in OWN_NETWORKS):
            yield address
