"""The gateway's container is hostile: its main process, not only a worker, does what it likes.

It is root of its container and may become any user there (SETUID), so an attack runs as each user in turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mstunnel_setup.base import paths
from tests.attack.monitor import Monitor
from tests.attack.record import record
from tests.testbed.installation import Installation
from tests.testbed.process import Completed

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(600)]

ATTACKER = "gateway"
USERS = (0, paths.AGENT_USER, 65534)
REPORT = f"{paths.SERVER_STATE}/report"
SECRET = "/etc/secret-of-root"


@dataclass(frozen=True)
class Hostile:
    """A gateway that was taken over, and the monitor that watches it."""

    installation: Installation
    monitor: Monitor


def run(gateway: Installation, code: str, user: int) -> Completed:
    """Run a shell in the gateway's container as this user."""
    kind = gateway.testbed.kind
    command = kind.engine_command("exec", f"--user={user}", paths.SERVER, "sh", "-c", code)
    return gateway.server.run(command, check=False)


def examine_neighbour(gateway: Installation, name: str) -> None:
    """What belongs to the agent lies in the same directory of the host; no user of the container sees it."""
    for user in USERS:
        for directory in (paths.AGENT_DIRECTORY, paths.INBOX):
            assert gateway.server.run(["ls", directory]).stdout
            done = run(gateway, f"ls {directory}/*", user)
            assert done.code != 0, (user, done.describe())
    record(ATTACKER, f"read the agent's identity ({name})", "not there")


@pytest.fixture(scope="module")
def hostile(gateway: Installation) -> Iterator[Hostile]:
    gateway.wait_until_healthy()
    gateway.server.write(SECRET, b"only-root-reads-this\n")
    yield Hostile(gateway, Monitor.of(gateway))
    gateway.server.run(["rm", SECRET])


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        ("read the agent's identity", "ls /etc/mstunnel/agent/* && cat /etc/mstunnel/agent/*"),
        ("read what agent and monitor write to each other", "ls /etc/mstunnel/messages/*/*"),
        ("ask the monitor for a release", "echo x >/etc/mstunnel/messages/in/images_configured.upgrade"),
        ("write its own configuration", "echo connect-script=/x >>/etc/mstunnel/ocserv.conf"),
        ("write env.sh", "echo http_proxy=http://evil >>/etc/mstunnel/env.sh"),
        ("replace the certificate", "rm /etc/mstunnel/certs/site.crt"),
        ("read the journal of the installation", "cat /var/lib/mstunnel/journal.jsonl"),
        ("reach the container engine", "ls /run/podman/podman.sock /var/run/docker.sock"),
        ("name a program for the kernel to run on the host", "echo '|/x' >/proc/sys/kernel/core_pattern"),
        ("restart the host", "echo b >/proc/sysrq-trigger"),
        ("see processes of the host", "grep -l '[m]stunnel_monitor' /proc/*/cmdline"),
        (
            "read a disk of the host",
            "for d in /dev/[sv]d? /dev/nvme?n? /dev/mem; do head -c 1 $d && exit; done",
        ),
    ],
)
def test_what_is_not_its_own_is_out_of_reach(hostile: Hostile, attack: str, code: str) -> None:
    for user in USERS:
        done = run(hostile.installation, code, user)
        assert done.code != 0, (user, done.describe())
        assert done.code not in (126, 127), done.describe()
    hostile.monitor.unharmed()
    record(ATTACKER, attack, "refused by the kernel")


def test_no_program_that_it_leaves_makes_a_user_of_the_host_root(hostile: Hostile) -> None:
    server, left = hostile.installation.server, f"{paths.SERVER_STATE}/shell"
    inside = f"{paths.SERVER_STATE_INSIDE}/shell"
    try:
        assert run(hostile.installation, f"cp /bin/sh {inside} && chmod 4755 {inside}", 0).code == 0
        assert server.run(["stat", "--format=%a %u", left]).stdout.split() == ["4755", "0"]
        # By a shell: setpriv itself looks for the program while it still has the capabilities of root.
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"]
        done = server.run([*user, f"{left} -pc 'id -u'"], check=False)
        assert (done.code, done.stdout) == (126, ""), done.describe()
    finally:
        server.run(["rm", "--force", left])
    record(ATTACKER, "leave a setuid program for a user of the host", "out of the user's reach")


def test_a_crash_leaves_no_core_file_with_the_key(hostile: Hostile) -> None:
    """The kernel writes none, and a program that gets the core is told of the limit (core(5), `%c`)."""
    limits = "for each in /proc/[0-9]*/limits; do sed -n 's/^Max core file size *//p' $each; done"
    for name in (paths.SERVER, paths.AGENT):
        inside = hostile.installation.testbed.kind.engine_command("inspect", "--format={{.State.Pid}}", name)
        pid = hostile.installation.server.run(inside).stdout.strip()
        core = hostile.installation.server.run(["grep", "^Max core file size", f"/proc/{pid}/limits"]).stdout
        assert core.split()[-3:] == ["0", "0", "bytes"], name
    found = run(hostile.installation, limits, 0).stdout.splitlines()
    assert {tuple(line.split()) for line in found} == {("0", "0", "bytes")}
    raised = run(hostile.installation, "ulimit -H -c 1", 0)
    assert raised.code != 0, raised.describe()
    record(ATTACKER, "crash, and read the key in the core file", "core limit 0, soft and hard")


OBJECTS = {
    "a directory in place of its report": f"mkdir -p {REPORT}/a/b",
    "a named pipe": f"mkfifo {REPORT}",
    "a link to a file of root": f"ln -s {SECRET} {REPORT}",
    "a terabyte": f"truncate -s 1T {REPORT}",
    "numbers beyond all bounds": f"printf 'time 1e999\\ninterface eth0 {'9' * 5000} -1\\n' >{REPORT}",
    "JSON 200,000 levels deep": f"(printf 'time 1\\nstatus '; printf '[%.0s' $(seq 200000)) >{REPORT}",
    "control characters": f"printf 'time 1\\nconfiguration x refused \\033[2Jowned\\n' >{REPORT}",
    "no text at all": f"head -c 4096 /dev/urandom >{REPORT}",
}


@pytest.mark.parametrize("attack", OBJECTS)
def test_whatever_it_reports_ends_no_work_and_shows_nothing(hostile: Hostile, attack: str) -> None:
    server = hostile.installation.server
    try:
        # Root of the container is root of the host here: the same objects, made with the host's tools.
        server.shell(f"rm -rf {REPORT}; {OBJECTS[attack]}")
        for command in (["mst-cli", "status"], ["mst-cli", "health"], ["mst-cli", "server", "status"]):
            done = server.run(command, check=False)
            assert done.code not in (1, 124), done.describe()
            assert "unexpected error" not in done.stderr
            assert "only-root-reads-this" not in done.stdout + done.stderr
            assert "\x1b[2J" not in done.stdout + done.stderr
        assert "only-root-reads-this" not in server.shell(f"cat {paths.AGENT_STATE}/*").stdout
    finally:
        server.shell(f"rm -rf {REPORT}")
    hostile.monitor.unharmed()
    record(ATTACKER, attack, "ignored by agent, monitor and commands")
