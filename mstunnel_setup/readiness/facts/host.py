"""System, kernel, networks and proxies, read from files."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mstunnel_setup.actions.kernel import place
from mstunnel_setup.answers.variables import proxy_place
from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import json_object, whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.containers import ipv6, uplink_address
from mstunnel_setup.containers.listeners import Listener, listening
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
"""The value of `SystemFacts.cgroup` with the unified hierarchy of control groups."""


class SystemFacts(Section):
    """The machine. Sizes in bytes; `cgroup` is 1, 2 or 0 (none).

    `store` is the present or future directory of the containers; `disk` and `disk_free` are of its file
    system.
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
    """Modules that work now (loaded or built in), files that load modules at boot, and sysctls.

    `built_in` are those of `modules` that need no loading, `loadable` those that modprobe(8) finds on disk,
    `sysctls` the present values, `sysctl_files` the file and value of each at boot, `advertised` the devices
    whose IPv6 default route the kernel has from a router. `forwarding_rules` is the state of the rules that
    keep the host from forwarding for others (`unknown`: only root can see what is loaded).
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

    `ipv6` is true if the kernel has IPv6 at all, `ipv6_disabled` if a setting turns it off, and
    `ipv6_addresses` are the host's global ones. `network_backend` creates Podman's networks.
    """

    routes: tuple[Route, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    resolvers: tuple[str, ...] = ()
    device: str = ""
    mtu: int = 0
    ipv6: bool = True
    ipv6_disabled: bool = False
    ipv6_addresses: tuple[str, ...] = ()
    network_backend: Literal["netavark", "cni"] = "netavark"


def ipv6_obstacle(addresses: AddressFacts, mode: str, engine: str) -> str:
    """Return why the gateway gets no IPv6 on this host with this engine; empty if it does."""
    if not addresses.ipv6:
        return text("this kernel has no IPv6")
    if addresses.ipv6_disabled:
        return text("net.ipv6.conf.all.disable_ipv6 is 1")
    if not addresses.ipv6_addresses:
        return text("this host has only link-local IPv6 addresses")
    if mode == "rootless":
        return text("a gateway without root gets none")
    if (engine, addresses.network_backend) != ("podman", "netavark"):
        return text("only Podman with netavark gives it to the gateway")
    return ""


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return ""
    return text


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(_network, texts))


class TunnelFacts(Section):
    """The site's server configuration as far as it is known; `source` is empty if it is not.

    `pool` and `ipv6_pool` are the networks for devices, the latter empty if they get no IPv6. Invalid
    addresses and networks are left out: the gateway checks them, and refuses the configuration.
    """

    source: str = ""
    pool: Annotated[str, AfterValidator(_network)] = ""
    ipv6_pool: Annotated[str, AfterValidator(_network)] = ""
    dns_servers: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    includes: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()


class ProxyFacts(Section):
    """All places that name a proxy."""

    places: tuple[ProxyPlace, ...] = ()

    @property
    def urls(self) -> tuple[ProxyPlace, ...]:
        """The places that name a proxy, not only exceptions."""
        return tuple(item for item in self.places if item.name != "no_proxy" and item.value)

    @property
    def in_use(self) -> tuple[str, str]:
        """The proxy for HTTPS, as written, and `no_proxy`; the first place with each variable counts."""
        first = {item.name: item.value for item in reversed(self.places)}
        return first.get("https_proxy") or first.get("http_proxy") or "", first.get("no_proxy", "")

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of all named proxies, in order."""
        found = (proxy_place(item.value) for item in self.urls)
        return tuple(sorted({place[1] for place in found if place is not None}))


class PortFacts(Section):
    """The listeners on the gateway's port."""

    holders: tuple[Listener, ...] = ()


class RootlessFacts(Section):
    """The service account of a rootless gateway; counts of subordinate ids; free bytes of its home.

    `directory_owner` is the uid of /etc/mstunnel, None without it; `free_subuid` and `free_subgid` are
    possible starts of a free range of ids; `uplinks` are the ports for which root has prepared an uplink,
    `uplink_obstacle` is why none works, as far as this user can see (empty: none).
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
_STORES = ("/var/lib/containers", "/var/lib/docker", "/var/lib", "/var", "/")
_DEFAULT_BRIDGES = {"podman": "10.88.0.0/16", "docker": "172.17.0.0/16"}
_CONTAINERS_CONF = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
_CHOSEN_BACKEND = "/var/lib/containers/storage/defaultNetworkBackend"
_NETAVARK_DIRECTORIES = ("/usr/libexec/podman", "/usr/lib/podman", "/usr/local/libexec/podman")
_LOCAL_ADDRESS = re.compile(r"\|-- ([0-9.]+)\s+/32 host LOCAL")
_BRIDGE_DEVICES = ("docker", "podman", "cni-podman", "br-")


@dataclass(frozen=True)
class HostReader:
    """Reads the host's files below the root of `files`.

    `environment` is that of this process, `answered` are the answers for `env.sh`.
    """

    files: Files
    clock: Clock
    settings: Settings
    environment: Mapping[str, str]
    answered: Mapping[str, str] = field(default_factory=dict)

    def _text(self, path: str) -> str:
        return text_of(self.files, path)

    def _exists(self, path: str) -> bool:
        return self.files.state(path) is not None

    def system(self) -> SystemFacts:
        """Return the facts about the machine."""
        known = parse.assignments(self._text("/etc/os-release") or self._text("/usr/lib/os-release"))
        unnamed = f"{known.get('NAME', 'Linux')} {known.get('VERSION_ID', '')}"
        # The present or future directory of the engine's containers.
        own = (self.rootless().home,) if self.settings.mode == "rootless" else ()
        store = next(path for path in (*own, *_STORES) if self._exists(path))
        disk = os.statvfs(self.files.locate(store))
        cgroup = 1 if self._exists("/sys/fs/cgroup/memory") else 0
        return SystemFacts(
            distribution=known.get("ID", "unknown"),
            version=known.get("VERSION_ID", ""),
            name=known.get("PRETTY_NAME") or unnamed.strip(),
            architecture=os.uname().machine,
            cpus=len(os.sched_getaffinity(0)),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            disk=disk.f_blocks * disk.f_frsize,
            disk_free=disk.f_bavail * disk.f_frsize,
            store=store,
            cgroup=CGROUP_V2 if self._exists("/sys/fs/cgroup/cgroup.controllers") else cgroup,
            systemd=self._exists("/run/systemd/system"),
            root=os.geteuid() == 0,
            today=self.clock.now().date(),
        )

    def kernel(self) -> KernelFacts:
        """Return modules and sysctls, now and at boot."""
        # Devices with 0 are left out: a network manager handles their routes, even if the kernel forwards.
        advertised = tuple(
            device
            for device in parse.advertised_devices(self._text("/proc/net/ipv6_route"))
            if self._sysctl(accepting(device)) != "0"
        )
        names = (*_SYSCTLS, *map(accepting, advertised))
        values = {name: self._sysctl(name) for name in names}
        module_files = {"/etc/modules": self._text("/etc/modules")}
        module_files |= texts_below(self.files, _MODULE_DIRECTORIES, ".conf")
        # The last file wins. systemd reads sysctl.conf only through a link in sysctl.d, which Debian 13 no
        # longer has. Other programs read it after the directories (sysctl(8)).
        sysctl_files = texts_below(self.files, _SYSCTL_DIRECTORIES, ".conf")
        if not self._exists("/usr/lib/systemd/systemd-sysctl"):
            sysctl_files["/etc/sysctl.conf"] = self._text("/etc/sysctl.conf")
        return KernelFacts(
            modules=self.modules(),
            built_in=self._on_disk("modules.builtin"),
            loadable=self.loadable(),
            module_files={
                module: path for path, text in module_files.items() for module in parse.module_lines(text)
            },
            sysctls={name: value for name, value in values.items() if value},
            sysctl_files={
                name: (path, value)
                for path, text in sysctl_files.items()
                for name, value in parse.sysctl_lines(text).items()
                if name in names
            },
            advertised=advertised,
            tun_device=self._exists("/dev/net/tun"),
        )

    def _sysctl(self, name: str) -> str:
        return self._text(place(name)).strip()

    def modules(self) -> frozenset[str]:
        """Return the modules that work, even if a container cannot see how they were loaded."""
        found = parse.modules(
            self._text("/proc/modules"), self._index("modules.builtin"), self._text("/proc/misc")
        )
        return found | {"ip_tables"} if self._exists("/proc/net/ip_tables_names") else found

    def loadable(self) -> frozenset[str]:
        """Return those of the relevant modules that the running kernel can load."""
        return self._on_disk("modules.dep")

    def _on_disk(self, index: str) -> frozenset[str]:
        return parse.modules_on_disk(self._index(index)) & {*MODULE_FILES, *CONNTRACK_MODULE_FILES}

    def _index(self, name: str) -> str:
        """Return an index of depmod(8) for the running kernel."""
        release = self._text("/proc/sys/kernel/osrelease").strip()
        return self._text(f"/lib/modules/{release}/{name}")

    def addresses(self) -> AddressFacts:
        """Return routes, bridges, resolvers and the MTU of the default route."""
        table = self._text("/proc/net/route")
        device = parse.default_device(table) or parse.default_device_6(self._text("/proc/net/ipv6_route"))
        mtu = self._text(f"/sys/class/net/{device}/mtu").strip() if device else ""
        resolvers = parse.resolvers(self._text("/etc/resolv.conf"))
        # These are the servers behind systemd-resolved's local one.
        behind = parse.resolvers(self._text("/run/systemd/resolve/resolv.conf"))
        if behind and all(item.startswith("127.") for item in resolvers):
            resolvers = behind
        return AddressFacts(
            routes=parse.routes(table),
            bridges=self._bridges(table),
            resolvers=resolvers,
            device=device,
            mtu=whole_number(mtu) or 0,
            ipv6=self._exists("/proc/net/if_inet6"),
            ipv6_disabled=self._text("/proc/sys/net/ipv6/conf/all/disable_ipv6").strip() == "1",
            ipv6_addresses=tuple(map(str, _ipv6_addresses(self.files))),
            network_backend=self.network_backend(),
        )

    def _bridges(self, table: str) -> tuple[Bridge, ...]:
        """Return existing bridges, those defined in files, and the installed engine's default one."""
        standing = [
            Bridge(network=item.network, name=item.device, source="now")
            for item in parse.routes(table)
            if item.device.startswith(_BRIDGE_DEVICES)
        ]
        daemon = "/etc/docker/daemon.json"
        found = [*standing, *parse.docker_bridges(self._text(daemon), daemon)]
        for path, content in texts_below(self.files, (ipv6.DIRECTORY,), ".json").items():
            # The file of this program does not change the bridge's range.
            found += parse.netavark_bridges(content, path) if path != ipv6.FILE else ()
        if self.network_backend() == "cni":
            for path, content in texts_below(self.files, ("/etc/cni/net.d",), ".conflist").items():
                found += parse.cni_bridges(content, path)
        found += standing
        # The default of the engine's own network. For Podman the last file of containers.conf(5) may set it.
        docker = self._exists("/etc/docker") and not self._exists("/etc/containers")
        engine = "docker" if self.settings.engine == "docker" or docker else "podman"
        defaults = [Bridge(network=_DEFAULT_BRIDGES[engine], name=f"{engine}0", source="default")]
        if engine == "podman":
            for path, text in self._containers_conf().items():
                defaults += parse.podman_subnet(text, path)
        # Other networks do not reveal the one that the gateway will use.
        if all(item.name.removeprefix("cni-") != f"{engine}0" for item in found):
            found.append(defaults[-1])
        return tuple({(item.network, item.name): item for item in found}.values())

    def network_backend(self) -> Literal["netavark", "cni"]:
        """Return the backend of Podman's networks: as set, as chosen at the first run, or else as installed.

        CNI files prove nothing: Debian's Podman contains one and does not read it.
        """
        names = [self._text(_CHOSEN_BACKEND).strip()]
        names += map(parse.network_backend, self._containers_conf().values())
        known = [name for name in names if name in ("netavark", "cni")]
        if known:
            return "cni" if known[-1] == "cni" else "netavark"
        there = any(self._exists(f"{directory}/netavark") for directory in _NETAVARK_DIRECTORIES)
        return "netavark" if there else "cni"

    def _containers_conf(self) -> dict[str, str]:
        """Return the texts of the files of containers.conf(5), the decisive one last."""
        texts = {path: self._text(path) for path in _CONTAINERS_CONF}
        return texts | texts_below(self.files, ("/etc/containers/containers.conf.d",), ".conf")

    def tunnel(self) -> TunnelFacts:
        """Return the server configuration of an installed gateway."""
        found = json_object(self._text(paths.ADMIN_SETTINGS))
        if not found:
            return TunnelFacts()
        # The vendor's settings have no name for the IPv6 pool.
        served = read_tunnel_settings(self.files.read(paths.OCSERV_CONF) or b"")
        pools = [str(pool) for pool in served.pools if isinstance(pool, IPv6Network)] if served else []
        return TunnelFacts(
            source=paths.ADMIN_SETTINGS,
            pool=str(found.get("Network") or ""),
            ipv6_pool=pools[0] if pools else "",
            dns_servers=_strings(found.get("DNSServers")),
            includes=tuple(item for item in _strings(found.get("RoutesInclude")) if item != "default"),
        )

    def proxies(self) -> ProxyFacts:
        """Return the proxy variables of all places that may name some."""
        found = [
            *parse.proxy_places("the environment", self.environment),
            *parse.proxy_places("the answer file", self.answered),
        ]
        for path in ("/etc/environment", "/etc/profile.d/http_proxy.sh", paths.ENVIRONMENT):
            found += parse.proxy_places(path, parse.assignments(self._text(path)))
        for unit in ("docker", "podman", "mstunnel_monitor"):
            directory = f"/etc/systemd/system/{unit}.service.d"
            for path, content in texts_below(self.files, (directory,), ".conf").items():
                found += parse.proxy_places(path, parse.unit_environment(content))
        return ProxyFacts(places=tuple(found))

    def ports(self) -> PortFacts:
        """Return the listeners on the gateway's port."""
        return PortFacts(holders=listening(self.files, self.settings.port))

    def rootless(self) -> RootlessFacts:
        """Return the facts about the service account."""
        name = self.settings.account
        uid, home = parse.account_line(self._text("/etc/passwd"), name) or (None, "/home")
        subuid, subgid = self._text("/etc/subuid"), self._text("/etc/subgid")
        place = home if self._exists(home) else "/home"
        directory = self.files.state(paths.CONFIGURATION)
        return RootlessFacts(
            account=name,
            uid=uid,
            subuids=parse.subordinate_ids(subuid, name, uid),
            subgids=parse.subordinate_ids(subgid, name, uid),
            linger=self._exists(f"/var/lib/systemd/linger/{name}"),
            home=place,
            home_free=self.files.free_bytes(place) if self._exists(place) else 0,
            directory_owner=None if directory is None else directory.uid,
            free_subuid=parse.free_subordinate_id(subuid),
            free_subgid=parse.free_subordinate_id(subgid),
            uplinks=uplink_address.prepared(self.files),
        )


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def own_addresses(files: Files, clock: Clock) -> str:
    """Return the content of `host-addresses`: addresses of this host that devices must not reach.

    These are the container engine's networks and the host's addresses outside of them, one per line, because
    the gateway's container cannot see them. Loopback and link-local addresses are left out: the gateway
    refuses them all. Empty if the kernel provides nothing, such as below another root. Source: proc(5),
    `/proc/net/fib_trie` and `/proc/net/if_inet6`.
    """
    reader = HostReader(files, clock, Settings(), {})
    # The address of a bridge exists once a container has run; its network is known earlier.
    standing = [item for item in reader.addresses().bridges if item.source == "now" or not paths.ROOTLESS]
    bridges = [ip_network(bridge.network) for bridge in standing]
    listed = map(IPv4Address, _LOCAL_ADDRESS.findall(text_of(files, "/proc/net/fib_trie")))
    ipv4 = (address for address in listed if not (address.is_loopback or address.is_link_local))
    found = [
        address
        for address in (*ipv4, *_ipv6_addresses(files))
        if not any(address in network for network in bridges)
    ]
    return "".join(f"{item}\n" for item in dict.fromkeys([*map(str, bridges), *map(str, found)]))


def _ipv6_addresses(files: Files) -> Iterator[IPv6Address]:
    """Yield the global addresses, except those of this program for the engine's network."""
    for line in text_of(files, "/proc/net/if_inet6").splitlines():
        address = IPv6Address(bytes.fromhex(line.split()[0]))
        if not (address.is_loopback or address.is_link_local or address in OWN_NETWORKS):
            yield address
