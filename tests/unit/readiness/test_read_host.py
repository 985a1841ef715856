"""Facts of a host are read from its files."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.host import HostReader, TunnelFacts
from mstunnel_setup.readiness.facts.parse import Bridge, ProxyPlace
from mstunnel_setup.readiness.facts.section import Settings
from tests.unit.clocks import StoppedClock
from tests.unit.readiness.known import put

ROUTES = (
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "podman0\t0000580A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
)


CHOSEN = "/var/lib/containers/storage/defaultNetworkBackend"
CNI_SET = '[network]\nnetwork_backend = "cni"\n'
CONFLIST = "/etc/cni/net.d/87-podman-bridge.conflist"
BRIDGE_OF_CNI = (
    '{"plugins": [{"type": "bridge", "bridge": "cni-podman0", "ipam": {"subnet": "10.88.0.0/16"}}]}'
)


Host = Callable[..., HostReader]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a function that makes a reader of a host with more files, for a gateway with these settings."""

    def made(
        texts: Mapping[str, str] = MappingProxyType({}),
        environment: Mapping[str, str] = MappingProxyType({}),
        **settings: object,
    ) -> HostReader:
        put(tmp_path, texts)
        clock = StoppedClock(datetime(2026, 9, 10, tzinfo=UTC))
        return HostReader(Files(tmp_path), clock, Settings.model_validate(settings), environment)

    return made


def test_system_facts_are_read(host: Host) -> None:
    found = host(
        {
            "/etc/os-release": 'ID="rhel"\nVERSION_ID="9.6"\nPRETTY_NAME="Red Hat 9.6 (Plow)"\n',
            "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
            "/run/systemd/system/mark": "",
        }
    ).system()
    assert (found.distribution, found.version, found.name) == ("rhel", "9.6", "Red Hat 9.6 (Plow)")
    assert (found.cgroup, found.systemd, found.root) == (2, True, os.geteuid() == 0)
    assert found.today.isoformat() == "2026-09-10"
    assert found.cpus >= 1
    assert found.memory > 2**27
    assert found.disk >= found.disk_free > 0


def test_store_of_containers_is_that_of_the_engine(host: Host) -> None:
    for store in ("/var/lib", "/var/lib/docker"):
        assert host({f"{store}/mark": ""}).system().store == store


def test_facts_of_an_empty_root_are_unknown(host: Host) -> None:
    found = host()
    assert (found.system().name, found.system().cgroup) == ("Linux", 0)
    assert found.kernel().modules == frozenset()
    assert found.tunnel() == TunnelFacts()
    assert found.ports().holders == ()
    assert found.addresses().mtu == 0
    rootless = found.rootless()
    assert (rootless.uid, rootless.subuids, rootless.linger) == (None, 0, False)
    assert (rootless.home_free, rootless.directory_owner) == (0, None)
    assert host({"/sys/fs/cgroup/memory/tasks": ""}).system().cgroup == 1


def test_modules_and_files_that_load_them_are_read(host: Host) -> None:
    found = host(
        {
            "/proc/modules": "nf_conntrack 1 0 - Live\n",
            "/proc/misc": "200 tun\n",
            "/proc/sys/kernel/osrelease": "6.12.0\n",
            "/lib/modules/6.12.0/modules.builtin": "kernel/net/ipv4/netfilter/ip_tables.ko\n",
            "/etc/modules": "tun\n",
            "/usr/lib/modules-load.d/vpn.conf": "ip_tables\n",
        }
    ).kernel()
    assert found.modules >= {"tun", "ip_tables", "nf_conntrack"}
    assert found.module_files == {"tun": "/etc/modules", "ip_tables": "/usr/lib/modules-load.d/vpn.conf"}
    assert not found.tun_device


def test_sysctls_are_read_for_now_and_for_boot(host: Host) -> None:
    found = host(
        {
            "/proc/sys/net/ipv4/ip_forward": "1\n",
            "/etc/sysctl.d/50-a.conf": "net.ipv4.ip_forward = 0\n",
            "/etc/sysctl.d/90-b.conf": "net.ipv4.ip_forward = 1\nvm.swappiness = 0\n",
        }
    ).kernel()
    assert found.sysctls == {"net.ipv4.ip_forward": "1"}
    assert found.sysctl_files == {"net.ipv4.ip_forward": ("/etc/sysctl.d/90-b.conf", "1")}


@pytest.mark.parametrize("link", [True, False])
def test_systemd_reads_sysctl_conf_only_through_a_link(host: Host, tmp_path: Path, *, link: bool) -> None:
    found = host({"/etc/sysctl.conf": "net.ipv4.ip_forward = 1\n", "/etc/sysctl.d/README": ""})
    if link:
        (tmp_path / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    assert found.kernel().sysctl_files == {"net.ipv4.ip_forward": ("/etc/sysctl.conf", "1")}
    found = host({"/usr/lib/systemd/systemd-sysctl": ""})
    by_link = {"net.ipv4.ip_forward": ("/etc/sysctl.d/99-sysctl.conf", "1")}
    assert found.kernel().sysctl_files == (by_link if link else {})


def test_a_file_in_etc_hides_one_of_the_distribution(host: Host) -> None:
    found = host({"/etc/sysctl.d/a.conf": "", "/usr/lib/sysctl.d/a.conf": "net.ipv4.ip_forward = 1\n"})
    assert found.kernel().sysctl_files == {}


def test_routes_resolvers_and_bridges_are_read(host: Host) -> None:
    found = host(
        {
            "/proc/net/route": ROUTES,
            "/sys/class/net/eth0/mtu": "1400\n",
            "/etc/resolv.conf": "nameserver 127.0.0.53\n",
            "/run/systemd/resolve/resolv.conf": "nameserver 10.0.0.53\n",
            "/etc/docker/daemon.json": '{"bip": "10.9.0.1/24"}',
            "/etc/containers/networks/podman.json": '{"network_interface": "podman1",'
            ' "subnets": [{"subnet": "10.10.0.0/24"}]}',
        }
    ).addresses()
    assert (found.device, found.mtu, found.resolvers) == ("eth0", 1400, ("10.0.0.53",))
    assert [item.network for item in found.routes] == ["10.0.0.0/24", "10.88.0.0/16"]
    assert {(item.network, item.name, item.source) for item in found.bridges} == {
        ("10.88.0.0/16", "podman0", "now"),
        ("10.9.0.0/24", "docker0", "/etc/docker/daemon.json"),
        ("10.10.0.0/24", "podman1", "/etc/containers/networks/podman.json"),
    }


@pytest.mark.parametrize(
    ("engine", "network"), [("auto", "10.88.0.0/16"), ("podman", "10.88.0.0/16"), ("docker", "172.17.0.0/16")]
)
def test_bridge_that_is_not_configured_is_the_engines_default(host: Host, engine: str, network: str) -> None:
    (bridge,) = host(engine=engine).addresses().bridges
    assert bridge == Bridge(network=network, name=bridge.name, source="default")


@pytest.mark.parametrize(
    ("texts", "backend"),
    [
        ({}, "cni"),
        ({"/usr/lib/podman/netavark": ""}, "netavark"),
        ({"/usr/lib/podman/netavark": "", CHOSEN: "cni"}, "cni"),
        ({CHOSEN: "netavark\n"}, "netavark"),
        ({CHOSEN: "netavark", "/usr/share/containers/containers.conf": CNI_SET}, "cni"),
        ({CHOSEN: "netavark", "/etc/containers/containers.conf.d/a.conf": CNI_SET}, "cni"),
        ({"/usr/share/containers/containers.conf": "no = toml =", CHOSEN: "x"}, "cni"),
    ],
)
def test_network_backend_is_that_of_podman(host: Host, texts: dict[str, str], backend: str) -> None:
    found = host({CONFLIST: BRIDGE_OF_CNI, **texts})
    assert found.network_backend() == backend
    sources = {bridge.source for bridge in found.addresses().bridges}
    assert sources == ({CONFLIST} if backend == "cni" else {"default"})


def test_foreign_network_does_not_hide_that_of_podman(host: Host) -> None:
    other = '{"name": "kube", "network_interface": "podman1", "subnets": [{"subnet": "10.89.0.0/24"}]}'
    found = host({"/etc/containers/networks/kube.json": other}).addresses()
    assert [(bridge.network, bridge.name) for bridge in found.bridges] == [
        ("10.89.0.0/24", "podman1"),
        ("10.88.0.0/16", "podman0"),
    ]


def test_last_file_with_a_default_subnet_is_used(host: Host) -> None:
    main, own = "/etc/containers/containers.conf", "/etc/containers/containers.conf.d/90-mstunnel-bridge.conf"
    for path, network in ((main, "10.77.0.0/24"), (own, "192.168.240.0/24")):
        found = host({path: f'[network]\ndefault_subnet = "{network}"\n'}).addresses()
        assert found.bridges == (Bridge(network=network, name="podman0", source=path),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"Network": "10.7.0.0/16", "DNSServers": ["10.0.0.53"], "RoutesInclude": ["default"]}',
            {"pool": "10.7.0.0/16", "dns_servers": ("10.0.0.53",)},
        ),
        # A value that is not an address or a network is left out.
        (
            '{"Network": "10.7.0.0/99", "DNSServers": ["dns.org", "10.0.0.53"], "RoutesInclude": ["all"]}',
            {"dns_servers": ("10.0.0.53",)},
        ),
    ],
)
def test_configuration_of_an_installed_gateway_is_read(
    host: Host, text: str, expected: dict[str, Any]
) -> None:
    assert host({paths.ADMIN_SETTINGS: text}).tunnel() == TunnelFacts(source=paths.ADMIN_SETTINGS, **expected)


def test_proxies_of_all_places_are_read(host: Host) -> None:
    found = host(
        {
            "/etc/environment": "http_proxy=http://env:1\n",
            "/etc/profile.d/http_proxy.sh": "export HTTPS_PROXY=http://profile:2\n",
            "/etc/mstunnel/env.sh": "no_proxy=localhost\nTRACE_SESSIONS=1\n",
            "/etc/systemd/system/docker.service.d/http-proxy.conf": '[Service]\nEnvironment="HTTP_PROXY=http://d:3"\n',
            "/etc/systemd/system/mstunnel_monitor.service.d/override.conf": "Environment=https_proxy=http://m:4\n",
        },
        {"HTTP_PROXY": "http://u:secret@shell:9", "PATH": "/bin"},
    ).proxies()

    units = "/etc/systemd/system"
    rows: list[tuple[str, Any, str]] = [
        ("the environment", "http_proxy", "http://shell:9"),
        ("/etc/environment", "http_proxy", "http://env:1"),
        ("/etc/profile.d/http_proxy.sh", "https_proxy", "http://profile:2"),
        ("/etc/mstunnel/env.sh", "no_proxy", "localhost"),
        (f"{units}/docker.service.d/http-proxy.conf", "http_proxy", "http://d:3"),
        (f"{units}/mstunnel_monitor.service.d/override.conf", "https_proxy", "http://m:4"),
    ]
    assert found.places == tuple(
        ProxyPlace(place=place, name=name, value=value, credentials=place == "the environment")
        for place, name, value in rows
    )


def test_holder_of_the_port_is_read_from_the_kernel(host: Host) -> None:
    zero = "00000000"
    row = f"0: {zero}:20FB {zero}:0000 0A {zero}:{zero} 00:{zero} {zero} 0 0 7 1\n"
    (holder,) = host({"/proc/net/tcp": "head\n" + row}, port=8443).ports().holders
    assert (holder.protocol, holder.address, holder.program) == ("tcp", "0.0.0.0", None)
    assert host(port=443).ports().holders == ()


def test_service_account_is_read(host: Host) -> None:
    found = host(
        {
            "/etc/passwd": "mstunnel:x:1001:1001::/home/mstunnel:/bin/bash\n",
            "/etc/subuid": "mstunnel:100000:65536\n",
            "/etc/subgid": "1001:100000:65536\n",
            "/var/lib/systemd/linger/mstunnel": "",
            "/home/mstunnel/.profile": "",
            "/etc/mstunnel/env.sh": "",
        }
    ).rootless()
    assert (found.uid, found.subuids, found.subgids, found.linger) == (1001, 65536, 65536, True)
    assert (found.home, found.directory_owner) == ("/home/mstunnel", os.geteuid())
    assert found.home_free > 0
