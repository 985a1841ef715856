"""The host's own addresses, as shown by the kernel."""

import json
from pathlib import Path

import pytest

from mstunnel_setup.containers import ipv6
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.host import own_addresses
from tests.unit.clocks import FakeClock
from tests.unit.readiness.known import put

_FIB = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.99.0.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 10.88.0.1
        /32 host LOCAL
     |-- 192.0.2.2
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
     |-- 169.254.3.4
        /32 host LOCAL
"""
_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 02 40 20 80     eth0
20010db8000000000000000000000002 02 40 00 80     eth0
"""


def _host(root: Path, **files: str) -> Files:
    put(root, {f"proc/net/{name}": text for name, text in files.items()})
    return Files(root)


OURS = "fdb37c1e94a200010000000000000001 05 40 00 80 mstunnel6\n"
ALL = "10.88.0.0/16\n192.0.2.2\n2001:db8::2\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"fib_trie": _FIB + _FIB, "if_inet6": _INET6}, ALL),
        ({"fib_trie": _FIB}, "10.88.0.0/16\n192.0.2.2\n"),
        # The network that gives the gateway IPv6 is not an address of the host.
        ({"fib_trie": _FIB, "if_inet6": _INET6 + OURS}, ALL),
    ],
)
def test_own_addresses_include_networks_of_the_engine(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    assert own_addresses(_host(tmp_path, **files), FakeClock()) == expected


def test_rootless_gateway_has_no_bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mstunnel_setup.base.paths.ROOTLESS", True)
    found = own_addresses(_host(tmp_path, fib_trie=_FIB, if_inet6=_INET6), FakeClock())
    assert found == "10.88.0.1\n192.0.2.2\n2001:db8::2\n"


def test_ipv6_network_does_not_hide_the_bridge(tmp_path: Path) -> None:
    put(tmp_path, {ipv6.FILE: json.dumps(ipv6.DEFINITION)})
    assert own_addresses(_host(tmp_path, fib_trie=_FIB), FakeClock()).startswith("10.88.0.0/16\n")
