"""`mst-readiness inbound` as people and scripts call it."""

import json
from typing import Any

import pytest

from mstunnel_setup.operations import readiness


def test_a_probe_belongs_to_the_group_inbound(run: Any) -> None:
    for option in ("--from", "--probe"):
        code, _, err = run("network", option, "192.0.2.1:443")
        assert code == 2
        assert "belong to the group inbound, not to network" in " ".join(err.split())


def test_inbound_needs_a_second_place(run: Any) -> None:
    code, _, err = run("inbound")

    assert code == 2
    assert "`mst-readiness inbound --from HOST`" in " ".join(err.split())


@pytest.mark.parametrize(
    "target",
    [
        "gw.example.com",
        "gw:0",
        "gw:99999",
        ":443",
        "gw:x",
        "gw1..example.com:443",
        f"{'a' * 64}.example.com:443",
    ],
)
def test_a_probe_needs_host_and_port(run: Any, target: str) -> None:
    code, _, err = run("inbound", "--probe", target)

    assert code == 2
    assert "is not of the form HOST:PORT" in " ".join(err.split())


@pytest.mark.parametrize("host", ["a..b", "gw.example.com:443", "two words"])
def test_probes_come_from_a_host(run: Any, host: str) -> None:
    code, _, err = run("inbound", "--from", host)

    assert code == 2
    assert "is neither a host name nor an IP address" in " ".join(err.split())


@pytest.mark.parametrize("host", ["[::1]", "[fe80::1%lo]", "gw.example.com.", "bücher.example"])
def test_a_probe_takes_every_way_to_write_a_host(host: str) -> None:
    assert readiness.target(f"{host}:443") == (host.strip("[]"), 443)


def test_a_probe_of_nothing_fails(run: Any) -> None:
    code, out, _ = run("inbound", "--probe", "127.0.0.1:1", "--timeout", "2", "--output", "json")

    rows = {row["id"]: row for row in json.loads(out)["data"]["findings"]}
    assert code == 3
    assert rows["inbound-tcp"]["seen"] == "127.0.0.1:1 did not answer over TCP"
