"""The privileges and mounts of the containers, without and with the access log."""

from ipaddress import IPv6Network

from mstunnel_setup.base import paths
from mstunnel_setup.containers import ipv6, uplink_address
from mstunnel_setup.containers.container_spec import CONFIGURATION_LABEL, ContainerSpec
from mstunnel_setup.containers.engine_options import create_arguments
from mstunnel_setup.gateway.configuration import OWN_NETWORKS
from mstunnel_setup.install import our_containers
from mstunnel_setup.install.our_containers import ContainerHost

IMAGE = f"registry.example/gateway@sha256:{'1' * 64}"
ACCOUNTING = "net.netfilter.nf_conntrack_acct"


def server(
    *, traced: bool = False, journal: str = "", resolver: str = "", ipv6_network: str = ""
) -> ContainerSpec:
    setting = ContainerHost(
        configuration="/etc/mstunnel",
        server_state="/server",
        agent_state="/agent",
        environment=b"",
        limits_processes=True,
        traced=traced,
        journal=journal,
        network="pasta" if resolver else "",
        ipv6_network=ipv6_network,
        resolver=resolver,
    )
    return our_containers.server(IMAGE, setting, 443)


def seen(specification: ContainerSpec) -> set[str]:
    return {volume.host for volume in specification.volumes}


def test_without_an_access_log_no_journal_or_counter_is_mounted() -> None:
    plain = server(traced=False, journal="/run/systemd/journal/dev-log")
    assert ACCOUNTING not in plain.sysctls
    assert seen(plain) == {"/etc/mstunnel", "/server"}


def test_an_access_log_enables_accounting_and_has_a_separate_tag() -> None:
    traced = server(traced=True, journal="/run/systemd/journal/dev-log")
    assert traced.sysctls[ACCOUNTING] == "1"
    assert [volume.options for volume in traced.volumes if "journal" in volume.host] == [("ro",)]
    assert seen(server(traced=True)) == seen(server(traced=False))


def test_selinux_relabels_product_directories_only() -> None:
    traced = server(traced=True, journal="/run/systemd/journal/dev-log")
    labelled = {volume.host for volume in traced.volumes if "z" in volume.options}
    assert labelled == seen(traced) - {"/run/systemd/journal/dev-log"} == {"/etc/mstunnel", "/server"}


def test_with_an_uplink_root_publishes_the_port() -> None:
    connected = server(resolver="/etc/resolv.conf")
    assert (connected.network, connected.ports) == ("none", ())
    assert connected.hooks == uplink_address.DIRECTORY
    assert [volume.host for volume in connected.volumes if volume.container == "/etc/resolv.conf"] == [
        paths.RESOLVER
    ]


def test_a_change_of_the_network_makes_a_new_container() -> None:
    ways = [server(), server(resolver="/etc/resolv.conf"), server(resolver="/run/resolv.conf")]
    assert len({specification.labels[CONFIGURATION_LABEL] for specification in ways}) == len(ways)


def test_host_with_ipv6_gives_the_server_ipv6_beside_the_bridge() -> None:
    plain, joined = server(), server(ipv6_network=ipv6.NETWORK)
    options = create_arguments(joined)
    # The bridge must be named as well, since any named network replaces the default one.
    assert [option for option in options if option.startswith("--network")] == [
        "--network=podman:mac=02:4d:53:54:00:01",
        "--network=mstunnel-ipv6:mac=02:4d:53:54:00:01",
    ]
    assert not [option for option in create_arguments(plain) if option.startswith("--network")]
    assert set(joined.sysctls) - set(plain.sysctls) == {"net.ipv6.conf.all.forwarding"}
    assert joined.labels != plain.labels


def test_no_pool_overlaps_the_network_that_gives_the_server_ipv6() -> None:
    assert IPv6Network(ipv6.SUBNET).subnet_of(OWN_NETWORKS)
