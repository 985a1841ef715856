"""The agent's container is hostile: same user, mounts and rights, but it does what it likes."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.exchange.upgrade_rules import RULES
from tests.attack.monitor import LOOK, Monitor
from tests.attack.record import record
from tests.testbed.installation import Installation
from tests.testbed.process import Completed
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

HANDED = "/etc/mstunnel/messages/in/server-configuration.json"
REQUEST = "/etc/mstunnel/messages/in/images_configured.upgrade"
VERDICT = "/etc/mstunnel/messages/out/server-configuration.json"
OWN = ("/etc/mstunnel/agent", "/etc/mstunnel/messages/in", "/var/lib/mstunnel-agent")
KEY = "/etc/mstunnel/private/active/key.pem"
HEAD = """
import itertools, json, os, pathlib, socket, sys, time
handed, request, own = sys.argv[1:4]
own = own.split(",")

def replace(path, content):
    new = path + ".new"
    pathlib.Path(new).write_bytes(content)
    os.replace(new, path)

def data(**changes):
    document = {"id": "c", "displayName": "d", "network": "169.254.0.0/16", "routeIncludes": ["10.99.0.0/24"]}
    document.update({"dnsServers": ["10.99.0.1"], "defaultDomainSuffix": "tunnel.test", **changes})
    return json.dumps({"version": 1, "configuration": document}).encode()

def clear(path):
    if os.path.isdir(path) and not os.path.islink(path):
        os.rename(path, f"{path}.moved-{time.monotonic_ns()}")
    elif os.path.lexists(path):
        os.unlink(path)
"""


@dataclass
class Hostile:
    """An agent that was taken over, and what must stay as it was."""

    installation: Installation
    monitor: Monitor
    configuration: str

    def run(self, code: str, *, check: bool = True, seconds: float = 60) -> Completed:
        """Run Python in the agent's container as the agent's user; the real agent stands still."""
        command = ["podman", "exec", "mstunnel-agent", "/opt/mstunnel-setup/bin/python", "-c", HEAD + code]
        arguments = [HANDED, REQUEST, ",".join(OWN)]
        return self.installation.server.run([*command, *arguments], check=check, timeout=seconds)

    def fresh(self) -> None:
        """Look alive to the health check of the container."""
        self.run(
            "status = {'container': socket.gethostname()}\n"
            "replace(own[2] + '/status.json', json.dumps(status, indent=2).encode())"
        )


@pytest.fixture(scope="module")
def taken(gateway: Installation) -> Hostile:
    gateway.wait_until_healthy()
    # Once the agent has handed over what the tenant wants, nothing is left to be done.
    assert eventually(lambda: gateway.server.run(["cat", VERDICT], check=False).code == 0, 120)
    gateway.server.run(["kill", "-STOP", gateway.processes()[1]])
    return Hostile(gateway, Monitor.of(gateway), gateway.server.read("/etc/mstunnel/ocserv.conf"))


@pytest.fixture
def hostile(taken: Hostile) -> Iterator[Hostile]:
    taken.fresh()
    yield taken
    for path in (HANDED, REQUEST):
        taken.run(f"clear({path!r})")
    taken.monitor.unharmed()


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (
            "write ocserv.conf with auth and connect-script",
            "replace('/etc/mstunnel/ocserv.conf', b'auth = x')",
        ),
        ("name a balancer", "replace('/etc/mstunnel/balancers', b'10.90.0.99')"),
        ("write env.sh", "replace('/etc/mstunnel/env.sh', b'http_proxy=http://evil')"),
        ("write the verdict of the host", "replace('/etc/mstunnel/messages/out/x', b'{}')"),
        ("write the report of the gateway", "replace('/var/lib/mstunnel-server/report', b'time 1')"),
        ("read the key of the gateway", f"print(open({KEY!r}).read())"),
        ("read the journal of the installation", "print(open('/var/lib/mstunnel/journal.jsonl').read())"),
        ("become root", "os.setuid(0)"),
        ("replace its own directory by a link", "os.rename(own[0], own[0] + '.old')"),
        (
            "run a program that it wrote",
            "p = own[2] + '/evil'; replace(p, b'#!/bin/sh\\nid'); os.chmod(p, 0o755); os.execv(p, [p])",
        ),
    ],
)
def test_what_is_not_its_own_is_out_of_reach(hostile: Hostile, attack: str, code: str) -> None:
    done = hostile.run(code, check=False)
    assert done.code != 0
    assert any(
        words in done.stderr for words in ("Permission", "Read-only", "No such file", "busy", "not permitted")
    )
    assert hostile.installation.server.read("/etc/mstunnel/ocserv.conf") == hostile.configuration
    record("agent", attack, "refused by the kernel")


def test_the_earlier_place_of_the_configuration_means_nothing(hostile: Hostile) -> None:
    hostile.run(
        "p = own[0]\n"
        "replace(p + '/pw', b'evil:*:x')\n"
        f"replace(p + '/evil', b'#!/bin/sh\\ncat {KEY} >/etc/mstunnel/agent/out')\n"
        "replace(p + '/ocserv.conf', b'auth = \"plain[passwd=' + p.encode() + b'/pw]\"\\n"
        "connect-script = ' + p.encode() + b'/evil\\n')"
    )
    time.sleep(LOOK)
    installation = hostile.installation
    installation.visit()
    assert installation.server.read("/etc/mstunnel/ocserv.conf") == hostile.configuration
    assert installation.server.run(["ls", "/etc/mstunnel/agent/out"], check=False).code != 0
    record(
        "agent", "leave an ocserv.conf with a password file and a script in its directory", "read by nothing"
    )


def test_no_key_of_ocserv_is_reached_from_the_data(hostile: Hostile) -> None:
    hostile.run(
        "evil = own[0] + '/evil'\n"
        "names = 'auth connect-script ca-cert run-as-user socket-file server-key chroot-dir log-level'\n"
        "settings = [{'name': name, 'value': evil} for name in names.split()]\n"
        "replace(handed, data(advancedSettings=settings, connectScript=evil, auth=evil))"
    )
    assert eventually(lambda: verdict(hostile).get("state") == "accepted", 40), verdict(hostile)
    assert hostile.installation.server.read("/etc/mstunnel/ocserv.conf") == hostile.configuration
    record("agent", "name programs, paths, users and authentication in advanced settings", "left out")


@pytest.mark.parametrize(
    "changes",
    [
        {"splitDNS": ["a.test\nconnect-script = /etc/mstunnel/agent/evil"]},
        {"defaultDomainSuffix": 'a.test"\nauth = "plain'},
        {"dnsServers": ["10.99.0.1\nca-cert = /x"]},
        {"displayName": "x\r\nserver-key = /x"},
        {"advancedSettings": [{"name": "mtu", "value": "1400\nconnect-script = /x"}]},
        {"listenPort": "443\nconnect-script = /x"},
    ],
)
def test_no_text_adds_a_line(hostile: Hostile, changes: dict[str, Any]) -> None:
    # In one go: `data` has its own names for two of them.
    hostile.run(
        f"document = json.loads(data()); document['configuration'].update({changes!r})\n"
        "replace(handed, json.dumps(document).encode())"
    )
    assert eventually(lambda: verdict(hostile).get("state") == "refused", 40), verdict(hostile)
    assert hostile.installation.server.read("/etc/mstunnel/ocserv.conf") == hostile.configuration
    record(
        "agent",
        f"a line break and a key behind {next(iter(changes))}",
        "configuration-invalid; nothing written",
    )


OBJECTS = {
    "directories in place of files": "[os.makedirs(p + '/a/b') for p in places]",
    "named pipes": "[os.mkfifo(p) for p in places]",
    "sockets": "[socket.socket(socket.AF_UNIX).bind(p) for p in places]",
    "links to the key and to a device": f"os.symlink({KEY!r}, handed); os.symlink('/dev/zero', request)",
    "files of a terabyte": "[os.truncate(os.open(p, os.O_CREAT | os.O_WRONLY), 1 << 40) for p in places]",
    "JSON 200,000 levels deep": "[replace(p, b'[' * 200000) for p in places]",
    "numbers beyond all bounds": "[replace(p, data(listenPort=77).replace(b'77', b'1e999')) for p in places]",
    "no text at all": "[replace(p, os.urandom(4096)) for p in places]",
}


@pytest.mark.parametrize("attack", OBJECTS)
def test_files_of_the_agent_never_stop_the_monitor(hostile: Hostile, attack: str) -> None:
    hostile.run(f"places = [handed, request]\n[clear(p) for p in places]\n{OBJECTS[attack]}")
    before = hostile.monitor.descriptors()
    time.sleep(2 * LOOK)
    assert hostile.monitor.descriptors() <= before + 2
    assert hostile.installation.server.read("/etc/mstunnel/ocserv.conf") == hostile.configuration
    key = hostile.installation.server.read("/etc/mstunnel/private/active/key.pem").splitlines()[1]
    outbox = "cat /etc/mstunnel/messages/out/* /var/lib/mstunnel-agent/* 2>/dev/null; true"
    assert key not in hostile.installation.server.shell(outbox).stdout
    record("agent", attack, "one declared error, logged once; the monitor continues")


def test_times_and_numbers_in_its_reports_end_no_command(hostile: Hostile) -> None:
    hostile.run(
        "rows = [{'id': 'x', 'title': '\\x1b[2Jx', 'state': 'healthy', 'text': 'x'}]\n"
        "report = {'at': '2026-01-01T00:00:00', 'state': 'healthy', 'rows': rows, 'thresholds': {}}\n"
        "replace(own[2] + '/health.json', json.dumps(report).encode())\n"
        "replace(own[2] + '/upgrade.json', b'[' * 200000)\n"
        "clear(own[2] + '/revocation.json'); os.mkfifo(own[2] + '/revocation.json')"
    )
    for command in (["mst-cli", "health"], ["mst-cli", "status"], ["mst-cli", "upgrade", "check"]):
        done = hostile.installation.server.run(command, check=False)
        assert done.code not in (1, 124), done.describe()
        assert "unexpected error" not in done.stderr
        assert "\x1b[2J" not in done.stdout
    record("agent", "a time without a zone, a pipe and deep JSON in its reports", "ignored by every command")


def test_it_cannot_make_the_gateway_restart_at_will(hostile: Hostile) -> None:
    """Alternating ports and networks, and a flood of requests, for a minute and a half."""
    server = hostile.installation.server
    before = hostile.installation.started()
    since = server.run(["date", "+%s"]).stdout.strip()
    hostile.run(
        "end = time.monotonic() + 90\n"
        "digest = lambda n: f'sha256:{n:064x}'\n"
        "for n in itertools.count():\n"
        "    if time.monotonic() > end: break\n"
        "    odd = dict(listenPort=8400 + n % 50) if n % 2 else dict(network=f'10.{100 + n % 50}.0.0/16')\n"
        "    replace(handed, data(**odd))\n"
        "    wish = {'serverImageDigest': digest(n), 'agentImageDigest': digest(n)}\n"
        "    replace(request, json.dumps(wish).encode())\n"
        "    time.sleep(0.2)",
        seconds=150,
    )
    hostile.run("replace(handed, data()); clear(request)")
    log = server.run(["journalctl", "--no-pager", f"--since=@{since}"]).stdout
    monitor = [line for line in log.splitlines() if "mstunnel_monitor" in line]
    assert log.count("configuration changed: restart") <= 3 + 1
    assert sum("the gateway moves to" in line for line in monitor) <= 1
    assert len(monitor) < 120
    after = hostile.installation.started()
    assert before.splitlines()[1] == after.splitlines()[1]
    record(
        "agent", "another port, network and release five times a second", "limited in rate; refused releases"
    )
    # What the tenant wants comes back, when its turn has come; the port at the latest with the next run. That
    # waits for the real agent to check in.
    server.run(["kill", "-CONT", hostile.installation.processes()[1]])
    hostile.installation.setup()
    server.run(["kill", "-STOP", hostile.installation.processes()[1]])
    hostile.configuration = server.read("/etc/mstunnel/ocserv.conf")


@pytest.mark.parametrize(
    ("rules", "attack"),
    [
        ("approved = []", "request an offered release that the host does not approve"),
        ('window = "{shut}"', "request an offered release outside of the host's window"),
    ],
)
def test_it_begins_no_upgrade_that_the_host_does_not_allow(hostile: Hostile, rules: str, attack: str) -> None:
    server = hostile.installation.server
    before, since = hostile.installation.started(), server.run(["date", "+%s"]).stdout.strip()
    now = datetime.fromtimestamp(int(since), UTC)
    shut = f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"
    digest = f"sha256:{7:064x}"
    offer = f'[[release]]\nlabel = "99"\npublished = 2099-01-01\nserver = "{digest}"\nagent = "{digest}"\n'
    try:
        server.write(CATALOGUE, offer)
        server.write(RULES, rules.format(shut=shut))
        # The monitor takes one request a minute.
        assert eventually(lambda: _requested(hostile, digest, since), 150)
        log = _said_since(hostile, since)
        assert "upgrade-begun" not in log
        assert RULES in log
    finally:
        server.run(["rm", "-f", CATALOGUE, RULES])
    assert hostile.installation.started() == before
    record("agent", attack, "`upgrade-refused`; nothing is fetched or restarted")


def _requested(hostile: Hostile, digest: str, since: str) -> bool:
    """Request it again, as a hostile agent would; whether the monitor has judged a request."""
    wish = {"serverImageDigest": digest, "agentImageDigest": digest}
    hostile.run(f"replace(request, {json.dumps(wish).encode()!r})")
    time.sleep(LOOK)
    return any(code in _said_since(hostile, since) for code in ("upgrade-refused", "upgrade-begun"))


def _said_since(hostile: Hostile, since: str) -> str:
    command = ["journalctl", "--no-pager", f"--since=@{since}", "--identifier=mstunnel_monitor"]
    return hostile.installation.server.run(command).stdout


def test_uninstall_leaves_nothing_of_what_it_put_there(taken: Hostile) -> None:
    taken.run(
        "for directory in own:\n"
        "    os.makedirs(directory + '/d/e/f', exist_ok=True)\n"
        "    os.mkfifo(directory + '/pipe-x')\n"
        "    os.symlink('/etc/mstunnel/private', directory + '/link-x')\n"
        "    socket.socket(socket.AF_UNIX).bind(directory + '/socket-x')\n"
        "    for n in range(500): replace(f'{directory}/many{n}', b'x')\n"
        "    os.chdir(directory)\n"
        "    for n in range(1200): os.mkdir('deep'); os.chdir('deep')"
    )
    taken.monitor.unharmed()
    taken.installation.uninstall()
    left = taken.installation.server.shell("ls -d /etc/mstunnel /var/lib/mstunnel* 2>/dev/null; true").stdout
    assert left == ""
    record(
        "agent",
        "fill its directories with trees, pipes, sockets and links",
        "uninstall removes them, follows no link",
    )


def verdict(hostile: Hostile) -> dict[str, Any]:
    """What the host says of the data that lies there now; empty while it says nothing of it."""
    server = hostile.installation.server
    found = json.loads(server.run(["cat", VERDICT]).stdout)
    digest = server.run(["sha256sum", HANDED]).stdout.split()[0]
    return dict(found) if found["digest"] == digest else {}
