"""SELinux enforcing, with the policy of Debian: nothing of ours is denied anything, and labels are right.

What only the policy of RHEL (container-selinux) can show is named in README.
"""

import re
from collections.abc import Iterator

import pytest

from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import MachineInstallation
from tests.machines.rehearsal import BACKUP, offer

pytestmark = [pytest.mark.machine, pytest.mark.timeout(3600)]

_LINE = ("security=selinux", "lsm=selinux")
# Permissive are Podman, for which this policy lacks rules, and the internal web server of the testbed.
_PERMISSIVE = ("podman_t", "podman_conmon_t", "container_engine_t", "ifconfig_t")
# What the policy of RHEL lets containers do and this one does not (container-selinux, container.te): sockets
# of every class, capabilities (virt_sandbox_use_all_caps, which is on), sock_diag(7) with the boolean that
# readiness asks for (virt_sandbox_use_netlink), pipes of whoever started Podman. Podman itself, which nothing
# confines there, labels what it gives to containers.
_CONTAINERS = """\
(allow container_t self (netlink_netfilter_socket
    (create bind connect getattr setattr getopt setopt read write ioctl shutdown)))
(allow container_t self (netlink_tcpdiag_socket (nlmsg_read)))
(allow container_t self (capability (chown kill net_admin setgid setuid)))
(allow container_t unconfined_t (fifo_file (getattr ioctl read write)))
(typeattributeset can_change_object_identity (podman_t))
(allow podman_t file_type (dir (relabelfrom relabelto)))
(allow podman_t file_type (file (relabelfrom relabelto)))
(allow podman_t file_type (lnk_file (relabelfrom relabelto)))
"""
# That policy guards an open pipe by its type alone, this one by its level too: logins get no categories.
_ENFORCE = f"""\
semanage login --modify --range s0 root
fixfiles -F -f relabel >/dev/null 2>&1
printf 'permissive -a %s\\n' {" ".join(_PERMISSIVE)} | semanage import
semodule --install /root/containers.cil
sed --in-place 's/^SELINUX=.*/SELINUX=enforcing/' /etc/selinux/config
"""
# Every place where an installation makes something.
_PLACES = (
    *("/etc/mstunnel", "/etc/containers", "/etc/systemd/system", "/etc/modules-load.d", "/etc/sysctl.d"),
    *("/usr/sbin", "/var/lib/mstunnel", "/var/lib/mstunnel-agent", "/var/lib/mstunnel-gateway", "/var/log"),
)
# Podman labels these for every container at each start. In the policy of RHEL their type is customizable:
# restorecon leaves it alone, unless it is forced to. What the agent writes has its level, which the gateway
# need not read; what the gateway writes must have none.
_GATEWAY = "/var/lib/mstunnel-gateway/state"
_SHARED = ("/etc/mstunnel", "/var/lib/mstunnel-agent", _GATEWAY)
_LABELS = f"""\
restorecon -R -n -v {" ".join(_PLACES)} | grep -v -E '^Would relabel ({"|".join(_SHARED)})[/ ]'
find {" ".join(_SHARED)} ! -context '*:container_file_t:s0*' -printf 'the label of %p is %Z\\n'
find {_GATEWAY} -context '*:c*,c*' -printf 'the label of %p is %Z\\n'
true
"""
_DENIALS = "ausearch --input-logs --message avc --start boot --raw || true"
_OURS = re.compile(r'^type=AVC .*(?:scontext=\S+:container_t:|(?:name|path|comm)="?[^" ]*mstunnel)')


@pytest.fixture(scope="module")
def host() -> Iterator[MachineInstallation]:
    """A machine that enforces the policy, and nothing installed."""
    with booted_in_user_mode("trixie-selinux", line=_LINE) as installation:
        installation.server.write("/root/containers.cil", _CONTAINERS)
        installation.server.run(["sh", "-ec", _ENFORCE], timeout=300)
        installation.bed.restart_server()
        assert installation.server.run(["getenforce"]).stdout == "Enforcing\n"
        yield installation


def test_selinux_denies_nothing_and_labels_follow_the_policy(host: MachineInstallation) -> None:
    complaints: list[str] = []

    def judge(when: str, *, serves: bool = True) -> None:
        seen = [*(host.serves() if serves else []), *found(host)]
        record.add(host.bed, f"SELinux enforcing: {when}", seen)
        complaints.extend(f"{when}: {line}" for line in seen)

    host.setup()
    judge("installation")
    host.bed.restart_server()
    judge("reboot")
    # Before the upgrade, whose images no archive has.
    host.cli("backup", BACKUP)
    offer(host)
    host.cli("upgrade", "apply")
    judge("upgrade")
    host.uninstall()
    judge("uninstallation", serves=False)
    host.cli(
        "restore",
        BACKUP,
        "--replace",
        "--trust-backup",
        "--answers",
        host.path("answers.yaml"),
        "--unattended",
    )
    judge("restore")
    host.server.run(["restorecon", "-R", "-F", *_PLACES], timeout=120)
    host.bed.restart_server()
    judge("restorecon of everything, reboot")
    assert complaints == []


def found(host: MachineInstallation) -> list[str]:
    """Denials that name something of ours since the boot, and labels that are not those of the policy."""
    denials = host.server.shell(_DENIALS).stdout.splitlines()
    return [*filter(_OURS.search, denials), *host.server.shell(_LABELS).stdout.splitlines()]
