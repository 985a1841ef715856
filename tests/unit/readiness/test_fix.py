"""Fixes: only what can be taken back, and only what is broken."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mstunnel_setup.host.files import Files
from mstunnel_setup.host.process import Completed
from mstunnel_setup.readiness.checks import CHECKS
from mstunnel_setup.readiness.facts import Settings
from mstunnel_setup.readiness.fix import apply, fixes
from mstunnel_setup.readiness.model import judge
from mstunnel_setup.readiness.sysctls import SYSCTL_FILE
from tests.unit.readiness.known import facts
from tests.unit.readiness.test_read_programs import FakeProcesses, said

ROOTLESS = Settings(mode="rootless", port=443)


def test_nothing_is_mended_where_all_is_well() -> None:
    assert fixes(judge(CHECKS, facts({})), ROOTLESS) == ()


def test_everything_that_can_be_mended_is() -> None:
    found = judge(
        CHECKS, facts({"kernel": {"modules": [], "module_files": {}, "sysctls": {}, "sysctl_files": {}}})
    )

    proposed = fixes(found, ROOTLESS)

    assert [item.says for item in proposed[:4]] == [
        "load the module tun",
        "write /etc/modules-load.d/mstunnel_tun.conf, which loads tun at boot",
        "load the module ip_tables",
        "write /etc/modules-load.d/mstunnel_iptables.conf, which loads ip_tables at boot",
    ]
    assert set(proposed[4].lines) == {
        "net.ipv4.ip_forward = 1",
        "net.ipv4.ip_unprivileged_port_start = 443",
        "net.core.somaxconn = 8192",
        "net.netfilter.nf_conntrack_acct = 1",
        "net.netfilter.nf_conntrack_timestamp = 1",
    }


def test_every_fix_names_real_checks() -> None:
    found = judge(
        CHECKS, facts({"kernel": {"modules": [], "module_files": {}, "sysctls": {}, "sysctl_files": {}}})
    )

    named = {name for item in fixes(found, ROOTLESS) for name in item.checks}
    assert named <= {item.id for item in CHECKS}


def test_applying_writes_files_and_keeps_what_they_hold(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make_directories("/etc/sysctl.d")
    files.write(SYSCTL_FILE, b"net.ipv4.ip_forward = 0\nvm.swappiness = 0\n")
    found = judge(CHECKS, facts({"kernel": {"module_files": {}, "sysctl_files": {}}}))
    proposed = fixes(found, ROOTLESS)

    apply(proposed, files, FakeProcesses(), live=False)
    once = files.read(SYSCTL_FILE)
    apply(proposed, files, FakeProcesses(), live=False)

    assert once == files.read(SYSCTL_FILE) == b"vm.swappiness = 0\nnet.ipv4.ip_forward = 1\n"
    assert files.read("/etc/modules-load.d/mstunnel_tun.conf") == b"tun\n"
    assert files.read("/etc/modules-load.d/mstunnel_iptables.conf") == b"ip_tables\n"


def test_a_live_host_also_gets_the_commands(tmp_path: Path) -> None:
    asked: list[str] = []

    class Noting(FakeProcesses):
        def run(self, arguments: Sequence[str], **options: Any) -> Completed:
            asked.append(" ".join(arguments))
            return said("")

    found = judge(CHECKS, facts({"kernel": {"modules": [], "sysctls": {"net.ipv4.ip_forward": "0"}}}))
    apply(fixes(found, Settings()), Files(tmp_path), Noting(), live=True)

    assert asked[:2] == ["modprobe tun", "modprobe ip_tables"]
    assert asked[2] == f"sysctl --load={SYSCTL_FILE}"
