"""Step `kernel`: the limits on the host's forwarding, from the first run to the uninstall."""

import re
import subprocess

import pytest

from mstunnel_setup.actions import firewall
from mstunnel_setup.base import paths
from mstunnel_setup.install.steps import kernel
from mstunnel_setup.readiness.facts.firewall import forwarded
from tests.crash import kernel as emulated
from tests.unit.actions.host import Host
from tests.unit.install.machines import Machine
from tests.unit.install.test_host_steps import with_settings_for_accounts

FORWARD = "/proc/sys/net/ipv4/ip_forward"
BOTH = {f"inet {firewall.TABLE}", f"inet {firewall.CONTAINER_TABLE}"}


def test_a_host_limits_what_it_forwards_before_it_forwards(machine: Machine) -> None:
    machine.host.systemd.running_units.add("nftables.service")
    before = machine.tree()
    machine.run(kernel.STEP)
    asked = machine.host.asked
    loaded = asked.index(f"nft --file {firewall.RULES}")
    assert loaded < asked.index("sysctl --quiet --write net.ipv4.ip_forward=1")
    assert machine.host.systemd.told[-1] == f"start {firewall.AGAIN_UNIT}"
    for unit, target in firewall.WANTS.items():
        link = machine.scene.files.state(f"/etc/systemd/system/{target}.wants/{unit}")
        assert link is not None
        assert "for rules in /etc/mstunnel-forwarding/*.nft" in machine.text(str(link.target))

    # Rules that another program flushed are loaded again.
    emulated.keep(machine.host.root, set())
    assert [text for text in machine.run(kernel.STEP) if ".nft" not in text] == []
    assert emulated.tables(machine.host.root) == BOTH

    machine.uninstall()
    forgotten = asked.index("sysctl --quiet --write net.ipv4.ip_forward=0")
    for table in (firewall.TABLE, firewall.CONTAINER_TABLE):
        assert asked.index(f"nft delete table inet {table}") > forgotten
    assert emulated.tables(machine.host.root) == set()
    assert machine.tree() == before


def test_account_that_cannot_list_rules_relies_on_their_file(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the account's plan would require root at every run."""
    machine.run(kernel.STEP)
    emulated.keep(machine.host.root, set())
    monkeypatch.setattr(paths, "ROOTLESS", True)
    assert machine.run(kernel.STEP) == []


def test_forwarding_enabled_by_an_earlier_release_is_limited(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(kernel, "_rules", lambda _kernel: [])
        machine.run(kernel.STEP)
    assert machine.text(FORWARD) == "1\n"
    machine.run(kernel.STEP)
    assert emulated.tables(machine.host.root) == BOTH


def test_forwarding_enabled_by_mst_readiness_is_limited(machine: Machine) -> None:
    machine.scene.write("/etc/sysctl.d/90-mstunnel.conf", "net.ipv4.ip_forward = 1\n")
    machine.host.set_sysctl("net.ipv4.ip_forward", "1")
    machine.run(kernel.STEP)
    assert emulated.tables(machine.host.root) == BOTH


def test_rules_are_removed_if_the_host_becomes_a_router(machine: Machine) -> None:
    """The rules for agent and gateway stay, and so do the units that load them."""
    machine.run(kernel.STEP)
    machine.host.systemd.told.clear()
    assert kernel.STEP.obsolete(machine.opened()) == []
    machine.scene.write("/etc/sysctl.d/99-router.conf", "net.ipv4.ip_forward=1\n")
    machine.run(kernel.STEP)
    assert emulated.tables(machine.host.root) == {f"inet {firewall.CONTAINER_TABLE}"}
    assert [told for told in machine.host.systemd.told if told.startswith("stop")] == []
    assert machine.run(kernel.STEP) == []
    assert machine.text(FORWARD) == "1\n"


def test_without_nft_a_warning_names_the_open_forwarding(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Host, "find", lambda _self, _name: None)
    assert [text for text in machine.run(kernel.STEP) if "forwarding" in text] == []
    guarded, limited = machine.scene.prompter.said
    assert guarded.startswith("Without nft, agent and gateway reach the services of this host")
    assert "forward packets for others" in limited
    assert all("Install the package nftables" in said for said in (guarded, limited))


def test_with_root_the_engine_enables_forwarding(machine: Machine) -> None:
    """Docker drops packets forwarded for others, but only if it enabled forwarding itself."""
    machine.host.set_sysctl("net.ipv4.ip_forward", "1")
    machine.run(kernel.STEP)
    assert "ip_forward" not in machine.text("/etc/sysctl.d/90-mstunnel.conf")


def test_forwarding_set_by_the_host_is_not_set_again(machine: Machine) -> None:
    machine.scene.write("/etc/sysctl.d/99-router.conf", "net.ipv4.ip_forward=1\n")
    machine.host.set_sysctl("net.ipv4.ip_forward", "1")
    assert [text for text in machine.run(kernel.STEP) if "ip_forward" in text or "rules.nft" in text] == []


def test_with_an_uplink_users_get_no_low_ports(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "uplink_obstacle", lambda _ports: "")
    with_settings_for_accounts(machine)
    done = machine.run(kernel.STEP, mode="rootless")
    assert "set net.ipv4.ip_forward to 1" in done
    assert [text for text in done if "port_start" in text] == []
    assert "port_start" not in machine.text("/etc/sysctl.d/90-mstunnel.conf")


@pytest.mark.parametrize("port", [443, 8443])
def test_firewall_check_finds_the_gateway_port_open(port: int) -> None:
    script = "nft --file - && nft --json list ruleset"
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", script]
    rules = firewall.rules(("ipv4", "ipv6")) + firewall.container_rules("", ())
    listed = subprocess.run(command, input=rules, capture_output=True, text=True, check=True).stdout
    found = forwarded(listed, "", port)
    assert (found.tcp, found.udp) == (True, True)


@pytest.mark.parametrize(
    ("proxy", "ports"),
    [
        ("", set()),
        ("http://proxy.example:3128", {"3128"}),
        ("https://proxy.example/", {"443"}),
        ("10.1.2.3:8080", {"8080"}),
    ],
)
def test_the_ports_of_the_proxy_are_reached_on_the_host(
    machine: Machine, proxy: str, ports: set[str]
) -> None:
    machine.run(kernel.STEP, environment={"HTTPS_PROXY": proxy} if proxy else {})
    allowed = set(re.findall(r"tcp dport \{ (\d+) \}", machine.text(firewall.CONTAINER_RULES)))
    assert allowed == ports


def test_without_root_the_rules_name_the_account(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "uplink_obstacle", lambda _ports: "")
    with_settings_for_accounts(machine)
    machine.run(kernel.STEP, mode="rootless")
    rules = machine.text(firewall.CONTAINER_RULES)
    assert 'meta skuid "mstunnel"' in rules
    assert "ether saddr" not in rules
