"""Fixes: only for problems, and only changes that can be undone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mstunnel_setup.actions.firewall import RECORD, close
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed
from mstunnel_setup.readiness.checks import CHECKS, judge
from mstunnel_setup.readiness.fix import Fix, apply, fixes
from mstunnel_setup.readiness.sysctls import SYSCTL_FILE
from mstunnel_setup.transaction.action import Undo, Undone
from tests.unit.readiness.known import facts
from tests.unit.readiness.test_read_programs import FakeProcesses, said

BARE: dict[str, Any] = {"modules": [], "module_files": {}, "sysctls": {}, "sysctl_files": {}}


def proposed(changes: dict[str, Any]) -> tuple[Fix, ...]:
    """Return the fixes for the good host with changes."""
    found = facts(changes)
    return fixes(judge(CHECKS, found), found)


def test_good_host_has_no_fixes() -> None:
    assert proposed({}) == ()


def test_every_fixable_problem_has_a_fix() -> None:
    made = proposed({"kernel": BARE, "rootless": {"uplinks": [], "uplink_obstacle": "ufw"}})

    assert [item.says for item in made[:4]] == [
        "load the module tun",
        "write /etc/modules-load.d/mstunnel_tun.conf, which loads tun at boot",
        "load the module ip_tables",
        "write /etc/modules-load.d/mstunnel_iptables.conf, which loads ip_tables at boot",
    ]
    assert set(made[4].lines) == {
        "net.ipv4.ip_forward = 1",
        "net.ipv4.ip_unprivileged_port_start = 443",
        "net.core.somaxconn = 8192",
        "net.netfilter.nf_conntrack_acct = 1",
        "net.netfilter.nf_conntrack_timestamp = 1",
    }


def test_every_fix_names_its_checks_and_its_undo() -> None:
    made = proposed({"kernel": BARE, **EVERYTHING})
    assert set() < {name for item in made for name in item.checks} <= {item.id for item in CHECKS}
    assert [item.says for item in made if not item.undo] == []


def test_fix_of_a_file_keeps_its_other_lines(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make_directories("/etc/sysctl.d")
    files.write(SYSCTL_FILE, b"net.ipv4.ip_forward = 0\nvm.swappiness = 0\n")
    made = proposed({"kernel": {"module_files": {}, "sysctl_files": {}}})

    apply(made, files, FakeProcesses(), live=False)
    once = files.read(SYSCTL_FILE)
    apply(made, files, FakeProcesses(), live=False)

    assert once == files.read(SYSCTL_FILE) == b"vm.swappiness = 0\nnet.ipv4.ip_forward = 1\n"
    assert files.read("/etc/modules-load.d/mstunnel_tun.conf") == b"tun\n"
    assert files.read("/etc/modules-load.d/mstunnel_iptables.conf") == b"ip_tables\n"


class Noting(FakeProcesses):
    """Programs that note their calls; a call that begins with `refused` fails."""

    def __init__(self, refused: str = "-") -> None:
        super().__init__()
        self.asked: list[str] = []
        self._refused = refused

    def run(self, arguments: Sequence[str], **options: Any) -> Completed:
        self.asked.append(" ".join(arguments))
        if self.asked[-1].startswith(self._refused) and options.get("check", True):
            raise ProcessError("program-failed", "it failed")
        return said("")


def commands(tmp_path: Path, changes: dict[str, Any], refused: str = "-") -> list[str]:
    """Return the commands that run on a live host."""
    noting = Noting(refused)
    Files(tmp_path).make_directories("/var/lib")
    apply(proposed(changes), Files(tmp_path), noting, live=True)
    return noting.asked


def test_failed_command_does_not_prevent_the_others(
    tmp_path: Path,
) -> None:
    noting = Noting("modprobe tun")
    made = proposed({"kernel": {"modules": [], "sysctls": {"net.ipv4.ip_forward": "0"}}})

    failed = apply(made, Files(tmp_path), noting, live=True)

    assert [(fix.checks, error.message) for fix, error in failed.items()] == [(("module-tun",), "it failed")]
    assert noting.asked[:3] == ["modprobe tun", "modprobe ip_tables", f"sysctl --load={SYSCTL_FILE}"]


def firewall(kind: str, *, forwarded: bool = False) -> dict[str, Any]:
    return {"security": {"firewall": {"kind": kind, "forwarded": forwarded, "tcp": False, "udp": False}}}


EVERYTHING: dict[str, Any] = {
    "security": {
        "selinux": "enforcing",
        "proxy_ports": ["80"],
        "auditd": "inactive",
        "firewall": {"kind": "firewalld", "tcp": False, "udp": False},
    },
    "engine": {"engines": [{"name": "podman", "version": "5.4.0", "running": False}]},
}


def test_port_is_opened_in_the_active_firewall(tmp_path: Path) -> None:
    assert commands(tmp_path, firewall("firewalld")) == [
        "firewall-cmd --permanent --add-port=443/tcp",
        "firewall-cmd --add-port=443/tcp",
        "firewall-cmd --permanent --add-port=443/udp",
        "firewall-cmd --add-port=443/udp",
    ]
    assert commands(tmp_path, firewall("ufw")) == ["ufw allow 443/tcp", "ufw allow 443/udp"]
    assert commands(tmp_path, firewall("nftables")) == []
    # No command reloads the firewall, which would drop rules of others.
    assert [item.undo for item in proposed(firewall("firewalld"))] == [
        f"firewall-cmd --permanent --remove-port={port}, then firewall-cmd --remove-port={port}"
        for port in ("443/tcp", "443/udp")
    ]


def test_forwarded_port_is_opened_in_ufw_and_closed_again(tmp_path: Path) -> None:
    routed = firewall("ufw", forwarded=True)
    assert commands(tmp_path, routed)[0] == "ufw route allow proto tcp to any port 443"
    noting = Noting()
    assert len(list(close(Files(tmp_path), noting))) == 2
    assert noting.asked[0] == "ufw route delete allow proto tcp to any port 443"


def test_uninstallation_closes_only_opened_ports(tmp_path: Path) -> None:
    files, noting = Files(tmp_path), Noting()
    assert list(close(files, noting)) == []
    commands(tmp_path, firewall("firewalld"))
    commands(tmp_path, firewall("ufw"))
    commands(tmp_path, firewall("ufw"))

    removed = [(removal.key, removal.undone.outcome) for removal in close(files, noting)]

    assert removed == [("opened-port:443/tcp", Undo.REMOVED), ("opened-port:443/udp", Undo.REMOVED)] * 2
    assert noting.asked == [
        "firewall-cmd --permanent --remove-port=443/tcp",
        "firewall-cmd --remove-port=443/tcp",
        "firewall-cmd --permanent --remove-port=443/udp",
        "firewall-cmd --remove-port=443/udp",
        "ufw delete allow 443/tcp",
        "ufw delete allow 443/udp",
    ]
    assert files.read(RECORD) is None


def test_port_that_the_undo_cannot_close_is_reported(tmp_path: Path) -> None:
    commands(tmp_path, firewall("ufw"))
    tcp, udp = close(Files(tmp_path), Noting("ufw delete allow 443/tcp"))
    assert tcp.undone == Undone(Undo.KEPT, "443/tcp open at ufw: it failed")
    assert udp.undone == Undone(Undo.REMOVED)


def test_unreadable_record_of_open_ports_is_reported_and_kept(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make_directories("/var/lib")
    for damaged in (b"[", b'[{"port": 1}]', b"\xff", b"1"):
        files.write(RECORD, damaged)
        (kept,) = close(files, Noting())
        assert (kept.undone.outcome, RECORD in kept.undone.reason) == (Undo.KEPT, True)
        assert files.read(RECORD) == damaged
    commands(tmp_path, firewall("ufw"))
    assert len(list(close(files, Noting()))) == 2


def account(**changes: Any) -> dict[str, Any]:
    nothing = {"uid": None, "subuids": 0, "subgids": 0, "linger": False, "directory_owner": None}
    return {"rootless": {**nothing, **changes}}


def test_fix_prepares_the_account_like_an_installation(tmp_path: Path) -> None:
    assert commands(tmp_path, account()) == [
        "useradd --create-home --shell /usr/sbin/nologin mstunnel",
        "loginctl enable-linger mstunnel",
    ]
    there = {"uid": 1001, "directory_owner": 1001, "linger": True, "free_subuid": 231072}
    assert commands(tmp_path, account(**there)) == [
        "usermod --add-subuids 231072-296607 mstunnel",
        "usermod --add-subgids 100000-165535 mstunnel",
    ]


def test_conntrack_module_is_loaded_before_its_settings(tmp_path: Path) -> None:
    made = proposed({"kernel": {**BARE, "loadable": ["nf_conntrack"]}})
    of_connections = [item for item in made if "conntrack" in "".join(item.lines)]
    assert [item.path for item in of_connections] == [
        "/etc/modules-load.d/mstunnel_conntrack.conf",
        SYSCTL_FILE,
    ]
    assert of_connections[0].commands == (("modprobe", "nf_conntrack"),)


def test_selinux_type_of_a_port_is_changed(tmp_path: Path) -> None:
    broken = {"security": {"selinux": "enforcing", "proxy_ports": ["80"]}}

    assert commands(tmp_path, broken, refused="semanage port -a") == [
        "semanage port -a -t http_port_t -p tcp 3128",
        "semanage port -m -t http_port_t -p tcp 3128",
    ]


def test_stopped_services_are_started(tmp_path: Path) -> None:
    docker = {"engines": [{"name": "docker", "version": "28.1.1", "running": False}]}
    asked = commands(tmp_path, {**EVERYTHING, "settings": {"engine": "docker"}, "engine": docker})

    assert "systemctl enable --now docker.service" in asked
    assert "systemctl enable --now auditd.service" in asked
    # Podman has no daemon to start.
    assert [item for item in proposed(EVERYTHING) if "engine-running" in item.checks] == []
