"""Small file formats: good files are read, and bad ones never raise an exception."""

import json
from collections.abc import Callable, Mapping
from inspect import getmembers, isfunction
from ipaddress import IPv4Network, ip_network
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter

from mstunnel_setup.answers import variables
from mstunnel_setup.base.parsing import json_object
from mstunnel_setup.containers.versions import release
from mstunnel_setup.readiness.facts import firewall, parse
from mstunnel_setup.readiness.facts.cloud import bypassed
from mstunnel_setup.readiness.facts.parse import Bridge, Route
from tests.cases import every

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
NETWORKS = st.builds(
    lambda number, prefix: IPv4Network((number, prefix), strict=False),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=1, max_value=32),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("10.0.0.0/8"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["plugins", "type", "ipam", "ranges", "subnet", "subnets", "name", "bip"]), inner
        )
    ),
    max_leaves=12,
)
TEXTS = (
    st.text() | JSON.map(json.dumps) | st.recursive(st.none() | st.text(), st.lists, max_leaves=5).map(str)
)
ARGUMENTS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    str | bytes: TEXTS,
    Mapping[str, str]: TEXTS.map(parse.assignments),
    Any: JSON,
}
# A reader that is added to one of these modules is tried without being listed here.
READERS = [
    *(
        reader
        for module in (parse, firewall)
        for name, reader in getmembers(module, isfunction)
        if reader.__module__ == module.__name__ and not name.startswith("_")
    ),
    json_object,
    release,
    variables.proxy_place,
    bypassed,
]


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=50)
@given(st.data())
def test_readers_accept_any_text(reader: Callable[..., object], data: st.DataObject) -> None:
    types = get_type_hints(reader)
    returned = types.pop("return")
    found = data.draw(
        st.builds(reader, **{name: ARGUMENTS.get(kind, st.from_type(kind)) for name, kind in types.items()})
    )
    # In a tuple, as a model takes no configuration.
    adapter = TypeAdapter(tuple[returned], config=ConfigDict(arbitrary_types_allowed=True))  # type: ignore[valid-type]
    adapter.validate_python((found,), strict=True)


@given(JSON)
def test_bridge_read_from_any_json_has_a_network(document: object) -> None:
    for reader in (parse.docker_bridges, parse.netavark_bridges, parse.cni_bridges):
        for bridge in reader(json.dumps(document), "here"):
            assert str(ip_network(bridge.network)) == bridge.network


def _word(number: int) -> str:
    return number.to_bytes(4, "little").hex().upper()


@given(st.lists(st.tuples(NETWORKS, NAMES), max_size=5))
def test_routes_are_read_from_the_kernels_table(rows: list[tuple[IPv4Network, str]]) -> None:
    table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    for network, device in rows:
        target, mask = _word(int(network.network_address)), _word(int(network.netmask))
        table += f"{device}\t{target}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"

    expected = [Route(network=str(network), device=device) for network, device in rows if device != "lo"]
    assert list(parse.routes(table)) == expected


@given(st.dictionaries(NAMES, st.from_regex(r"[a-z0-9:/.-]{1,20}", fullmatch=True), max_size=5))
def test_assignments_are_read_in_every_form_of_a_shell_file(variables: dict[str, str]) -> None:
    forms = ("{}={}", "export {}={}", '{}="{}"', "export {}='{}'  # why")
    lines = [forms[number % len(forms)].format(*item) for number, item in enumerate(variables.items())]

    assert parse.assignments("\n".join(["# comment", *lines])) == variables


@given(st.dictionaries(NAMES, st.integers(min_value=0), max_size=5))
def test_sysctl_lines(values: dict[str, int]) -> None:
    lines = [f"-net.ipv4.{name} = {value}" for name, value in values.items()]

    found = parse.sysctl_lines("\n".join(["# a comment = 1", "; another = 2", *lines]))

    assert found == {f"net.ipv4.{name}": str(value) for name, value in values.items()}


@given(st.sets(NAMES), st.sets(NAMES))
def test_modules_in_comments_are_ignored(named: set[str], commented: set[str]) -> None:
    lines = [*(f"{name} option=1" for name in named), *(f"# {name}" for name in commented)]

    assert parse.module_lines("\n".join(lines)) == named


@given(NAMES, st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="@:/'\"")))
def test_password_of_a_proxy_is_dropped(user: str, password: str) -> None:
    secret = f"!{password}!"
    (place,) = parse.proxy_places("here", {"HTTPS_PROXY": f"http://{user}:{secret}@proxy:3128"})

    assert (place.name, place.value, place.credentials) == ("https_proxy", "http://proxy:3128", True)
    assert secret not in place.model_dump_json()


ZERO = "0" * 32
ROUTE_6 = "{} {} " + f"{ZERO} 00 fe80{'0' * 27}1 00000400 00000001 00000000 " + "{} {}\n"
DEFAULT = "head\neth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
# Routes of routers and others, duplicates, no default route, and the route that rejects.
ROUTES_6 = "".join(
    ROUTE_6.format(*row)
    for row in (
        (ZERO, "00", "00450003", "eth0"),
        (ZERO, "00", "00450003", "eth0"),
        (ZERO, "00", "00000003", "eth1"),
        ("20010db8" + "0" * 24, "40", "00450003", "eth2"),
        (ZERO, "00", "00200200", "lo"),
    )
)
UNIT = '[Service]\nEnvironment="HTTP_PROXY=http://p:1" "NO_PROXY=a, b"\nEnvironment=HTTPS_PROXY=http://p:2\n'
UNIT_VARIABLES = {"HTTP_PROXY": "http://p:1", "NO_PROXY": "a, b", "HTTPS_PROXY": "http://p:2"}
PASSWD = "root:x:0:0::/root:/bin/sh\nmstunnel:x:1001:1001::/home/mstunnel:/bin/bash\n"
IDS = "mstunnel:100000:65536\n1001:200000:1000\nother:1:9\nmstunnel:x:y\n"
RESOLVERS = "search contoso.example\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver nonsense\n"
NETAVARK = '{"name": "podman", "network_interface": "podman0", "subnets": [{"subnet": "10.9.0.0/24"}]}'
CNI = '{"plugins": [{"type": "bridge", "ipam": {"ranges": [[{"subnet": "10.9.0.0/24"}]]}}]}'


def _bridges(reader: Callable[[str, str], tuple[Bridge, ...]]) -> Callable[[str], list[tuple[str, str]]]:
    return lambda text: [(item.network, item.name) for item in reader(text, "file")]


def _version(text: str) -> str | None:
    found = release(text)
    return None if found is None else str(found)


def _direct(host: str, port: int = 443) -> Callable[[str], bool]:
    return lambda no_proxy: bypassed(host, port, no_proxy)


@every(
    "reader, content, expected",
    [
        (parse.routes, DEFAULT, ()),
        (parse.default_device, DEFAULT, "eth0"),
        (parse.advertised_devices, ROUTES_6, ("eth0",)),
        (parse.default_device_6, ROUTES_6, "eth0"),
        (parse.default_device_6, ROUTE_6.format(ZERO, "00", "00200200", "lo"), ""),
        (parse.sysctl_lines, "net/ipv4/ip_forward=1", {"net.ipv4.ip_forward": "1"}),
        (parse.sysctl_lines, "net/ipv6/conf/eth0.5/accept_ra=2", {"net.ipv6.conf.eth0/5.accept_ra": "2"}),
        (parse.sysctl_lines, "net.ipv6.conf.eth0/5.accept_ra=2", {"net.ipv6.conf.eth0/5.accept_ra": "2"}),
        (lambda text: parse.modules(text, "", ""), "ip_tables 32768 2 - Live\n", {"ip_tables"}),
        (lambda text: parse.modules("", text, ""), "kernel/net/nf-conntrack.ko.xz\n", {"nf_conntrack"}),
        (lambda text: parse.modules("", "", text), "200 tun\n", {"tun"}),
        (parse.resolvers, RESOLVERS, ("10.0.0.1", "fe80::1")),
        (parse.unit_environment, UNIT, UNIT_VARIABLES),
        (lambda text: parse.subordinate_ids(text, "mstunnel", 1001), IDS, 66536),
        (lambda text: parse.subordinate_ids(text, "mstunnel", None), IDS, 65536),
        (lambda text: parse.account_line(text, "mstunnel"), PASSWD, (1001, "/home/mstunnel")),
        (lambda text: parse.account_line(text, "nobody"), PASSWD, None),
        (_bridges(parse.docker_bridges), '{"bip": "10.9.0.1/24"}', [("10.9.0.0/24", "docker0")]),
        (_bridges(parse.netavark_bridges), NETAVARK, [("10.9.0.0/24", "podman0")]),
        (_bridges(parse.cni_bridges), CNI, [("10.9.0.0/24", "cni-podman0")]),
        (_bridges(parse.docker_bridges), '{"bip": 7}', []),
        (_bridges(parse.docker_bridges), "not json", []),
        (_version, "4.9.4-rhel", "4.9.4"),
        (_version, "28.1.1+1", "28.1.1"),
        (_version, "v5.0", "5.0"),
        (_version, "19.03", "19.3"),
        (_version, "", None),
        (_version, "dev", None),
        (variables.proxy_place, "http://proxy:3128", ("proxy", 3128)),
        (variables.proxy_place, "proxy:8080", ("proxy", 8080)),
        (variables.proxy_place, "http://proxy", ("proxy", 80)),
        (variables.proxy_place, "https://proxy", ("proxy", 443)),
        (variables.proxy_place, "http://[fd00::1]:3128/", ("fd00::1", 3128)),
        (variables.proxy_place, "http://proxy:x", None),
        (variables.proxy_place, "[", None),
        (variables.proxy_place, "", None),
        (_direct("graph.microsoft.com"), "localhost,.microsoft.com", True),
        (_direct("graph.microsoft.com"), "*.microsoft.com", True),
        (_direct("graph.microsoft.com"), "GRAPH.microsoft.com", True),
        (_direct("graph.microsoft.com"), "soft.com", False),
        (_direct("graph.microsoft.com"), "", False),
        (_direct("graph.microsoft.com"), "*", True),
        (_direct("graph.microsoft.com"), "localhost, *", True),
        (_direct("registry.contoso.com", 5000), ".contoso.com:5000", True),
        (_direct("registry.contoso.com", 5000), "registry.contoso.com:443", False),
        (_direct("10.1.2.3", 5000), "10.0.0.0/8", True),
        (_direct("10.1.2.3", 5000), "192.168.0.0/16,fd00::/8", False),
        (_direct("10.1.2.3", 5000), "10.1.2.3:5000", True),
        (_direct("10.1.2.3", 5000), "10.1.2.3:443", False),
        (_direct("fd00::5"), "FD00::/8", True),
        (_direct("fd00::5"), "fd00:0::5", True),
        (_direct("fd00::5", 5000), "[fd00::5]:5000", True),
    ],
)
def test_reader_returns_the_expected_value(
    reader: Callable[[str], object], content: str, expected: object
) -> None:
    assert reader(content) == expected
