"""What was found out about a host and its surroundings: frozen values that can be kept as JSON."""

from datetime import date
from ipaddress import ip_network
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mstunnel_setup.base.problem import Problem

EngineName: TypeAlias = Literal["podman", "docker"]
CGROUP_V2 = 2
"""`SystemFacts.cgroup` with the unified hierarchy of control groups."""


class Section(BaseModel):
    """A part of the facts."""

    # An installation uses few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Settings(Section):
    """The planned gateway. `devices` is how many are expected, `port` serves TCP and UDP.

    `bridge` is the range that the engine's bridge will move to, empty to keep it.
    """

    mode: Literal["rootful", "rootless"] = "rootful"
    engine: Literal["auto", "podman", "docker"] = "auto"
    cloud: str = "public"
    port: int = 443
    devices: int = 1000
    account: str = "mstunnel"
    bridge: str = ""


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


class Engine(Section):
    """A container engine that is installed; `version` is empty when it reports none.

    `running` is None when it did not respond in time: a slow host is not one without an engine.
    """

    name: EngineName
    version: str = ""
    running: bool | None = True
    reason: str = ""


class EngineFacts(Section):
    """The engines, and settings of theirs that matter."""

    engines: tuple[Engine, ...] = ()
    userns_remap: str = ""
    network_backend: Literal["netavark", "cni", ""] = ""
    pasta: bool = False
    slirp4netns: bool = False


class Route(Section):
    """A network the host reaches through `device`."""

    network: str
    device: str


class Bridge(Section):
    """A network of the container engine; `source` is the file or device that says so."""

    network: str
    name: str
    source: str


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


class ProxyPlace(Section):
    """A proxy variable in one place. `value` is without user name and password."""

    place: str
    name: Literal["http_proxy", "https_proxy", "no_proxy"]
    value: str
    credentials: bool = False


class ProxyFacts(Section):
    """Every place that names a proxy."""

    places: tuple[ProxyPlace, ...] = ()


class Firewall(Section):
    """The firewall of the host. Whether the gateway's port is let in; None when unknown.

    `forwarded`: the host forwards the port to the gateway, so only rules for forwarded packets apply.
    """

    kind: Literal["firewalld", "ufw", "nftables", "none"] = "none"
    forwarded: bool = False
    tcp: bool | None = None
    udp: bool | None = None


class SecurityFacts(Section):
    """SELinux (`proxy_ports` is None without `semanage`), auditing and the firewall.

    `container_devices` is SELinux's boolean container_use_devices, `container_netlink` its boolean
    virt_sandbox_use_netlink; each is None where the policy has none.
    """

    selinux: Literal["enforcing", "permissive", "absent"] = "absent"
    container_devices: bool | None = None
    container_netlink: bool | None = None
    proxy_ports: tuple[str, ...] | None = None
    auditd: Literal["active", "inactive", "absent"] = "absent"
    firewall: Firewall = Firewall()


class PortHolder(Section):
    """A program that listens on the gateway's port."""

    protocol: Literal["tcp", "udp"]
    address: str
    program: str = ""


class PortFacts(Section):
    """Who listens on the gateway's port."""

    holders: tuple[PortHolder, ...] = ()


class VendorFacts(Section):
    """Signs of Microsoft's own gateway: programs and units (paths), and containers by engine and name.

    The directory /etc/mstunnel is none: auditing scripts create it before any installation.
    """

    programs: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()

    @property
    def signs(self) -> tuple[str, ...]:
        """All of them, for people; empty where the gateway is not installed."""
        return (*self.programs, *self.units, *(f"container {name}" for name in self.containers))


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


class CertificateFacts(Section):
    """The certificate at its usual place or as given. `problem` says why it could not be read."""

    place: str = ""
    problem: str = ""
    hint: str = ""
    findings: tuple[Problem, ...] = ()
    days_left: int | None = None


class RevocationFacts(Section):
    """What the authorities say: `asked` are the certificates of the chain that name a responder or a list."""

    asked: tuple[str, ...] = ()
    findings: tuple[Problem, ...] = ()


class Attempt(Section):
    """One try of an endpoint. `target` is an address, or the host itself when a proxy resolves it.

    `trust` is what the certificate chains to: a public root, only this host's roots, or none.
    `skew` is this host's clock minus the server's, in seconds.
    """

    target: str
    through: str = ""
    error: str = ""
    trust: Literal["public", "host", "none", ""] = ""
    issuer: str = ""
    status: int = 0
    skew: float | None = None
    mtu: int = 0
    seconds: float = 0.0


class EndpointFacts(Section):
    """What came of one name: its addresses as resolved here (with the reason if not) and all attempts.

    `expect` and `expect_certificate` are the statuses of the endpoint table; `with_certificate` is the try
    that showed a client certificate.
    """

    purpose: str
    host: str
    addresses: tuple[str, ...] = ()
    unresolved: str = ""
    attempts: tuple[Attempt, ...] = ()
    expect: tuple[int, ...] = ()
    expect_certificate: tuple[int, ...] = ()
    with_certificate: Attempt | None = None


class NetworkFacts(Section):
    """All endpoints of the cloud. `patterns` are names that must be allowed but cannot be tried.

    `missing_archive` is the archive that the images come from, where it was not found.
    """

    endpoints: tuple[EndpointFacts, ...] = ()
    patterns: dict[str, str] = Field(default_factory=dict)
    private: bool = False
    missing_archive: str = ""


class AccountFacts(Section):
    """What the tenant says about the signed-in account; None where it did not say. Never a token."""

    tried: bool = True
    error: str = ""
    hint: str = ""
    name: str = ""
    roles: tuple[str, ...] | None = None
    licensed: bool | None = None
    sites: tuple[str, ...] | None = None
    gateway_application: bool | None = None
    tunnels: dict[str, TunnelFacts] = Field(default_factory=dict)


class InboundFacts(Section):
    """Probes of the port. As listener: whom they came from (`expected`: who should); as prober: who answered.

    `gateway` tells a prober that TLS, not a listener of ours, answered. `error` says why none was awaited.
    """

    role: Literal["none", "listen", "probe"] = "none"
    error: str = ""
    expected: str = ""
    gateway: bool = False
    tcp: tuple[str, ...] = ()
    udp: tuple[str, ...] = ()


class Unread(Section):
    """Why a section was not found out. Without a `hint` there was not enough time."""

    reason: str
    hint: str = ""


class Facts(Section):
    """Everything. A section is None when it was not found out; `unread` then says why."""

    settings: Settings = Settings()
    system: SystemFacts | None = None
    kernel: KernelFacts | None = None
    engine: EngineFacts | None = None
    addresses: AddressFacts | None = None
    tunnel: TunnelFacts | None = None
    proxies: ProxyFacts | None = None
    security: SecurityFacts | None = None
    ports: PortFacts | None = None
    vendor: VendorFacts | None = None
    rootless: RootlessFacts | None = None
    certificate: CertificateFacts | None = None
    revocation: RevocationFacts | None = None
    network: NetworkFacts | None = None
    account: AccountFacts | None = None
    inbound: InboundFacts | None = None
    unread: dict[str, Unread] = Field(default_factory=dict)
