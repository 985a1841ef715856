"""Ways back on a real gateway: a damaged journal, a record that is in the way, another machine id."""

import json
from collections.abc import Iterator

import pytest

from tests.testbed.installation import ADMINISTRATOR, LAB, PUBLIC_ADDRESS, Installation
from tests.testbed.paths import JOURNAL
from tests.testbed.terminal import COLUMNS, Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

_MACHINE_ID = "/etc/machine-id"
_FILES = ("--cert", "/root/next.pem", "--key", "/root/next.key")
# Each damage is done to the journal as a disk does it.
_DAMAGE = {
    "flipped byte": "data[len(data) // 2] ^= 4",
    "missing middle": "del data[len(data) // 3 : len(data) // 2]",
    "empty": "data.clear()",
    "zeros": "data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)",
}


def _code(host: Installation, *words: str) -> str:
    """The code of the error that a command ends with."""
    done = host.cli(*words, "--unattended", check=False)
    assert done.code, done.describe()
    return str(done.envelope["errors"][0]["code"])


@pytest.fixture
def intact(gateway: Installation) -> Iterator[bytes]:
    """The journal before a test damages it; it is as before afterwards."""
    before = gateway.server.read(JOURNAL).encode()
    yield before
    if gateway.cli("journal", "repair", "--yes", check=False).code:
        gateway.server.write(JOURNAL, before, 0o600)


@pytest.mark.parametrize("damage", _DAMAGE.values(), ids=_DAMAGE.keys())
def test_a_gateway_with_a_damaged_journal_is_served_and_repaired(
    gateway: Installation, intact: bytes, damage: str
) -> None:
    script = (
        f"data = bytearray(open({JOURNAL!r}, 'rb').read()); {damage}; open({JOURNAL!r}, 'wb').write(data)"
    )
    gateway.server.run(["python3", "-c", script])
    chain, key = gateway.authority.issue(PUBLIC_ADDRESS)
    gateway.server.write("/root/next.pem", chain)
    gateway.server.write("/root/next.key", key, 0o600)
    gateway.server.run(["rm", "-f", "/root/b.tar.gz"])

    gateway.cli("server", "restart")
    for command in ("server show status", "version", "cert check", "backup /root/b.tar.gz"):
        gateway.cli(*command.split())
    assert gateway.cli("import_cert", *_FILES).envelope["data"]["serving"] is True
    assert "journal-damaged" in {
        item["code"] for item in gateway.cli("status", check=False).envelope["warnings"]
    }
    for words in (("uninstall", "--yes"), ("reenroll", "--yes"), ("env", "set", "TRACE_SESSIONS", "1")):
        assert _code(gateway, *words) == "journal-damaged"
    assert _code(gateway, "journal", "repair") == "repair-declined"

    repaired = gateway.cli("journal", "repair", "--yes", "--unattended").envelope
    assert repaired["data"] == {"restored": [JOURNAL]}
    assert gateway.server.read(JOURNAL).encode().startswith(intact)
    gateway.cli("env", "set", "TRACE_SESSIONS", "1", "--unattended")
    gateway.cli("env", "unset", "TRACE_SESSIONS", "--unattended")
    gateway.wait_until_healthy()


def test_a_person_repairs_the_journal_where_it_is_needed(gateway: Installation, intact: bytes) -> None:
    middle = len(intact) // 2
    gateway.server.write(JOURNAL, intact[:middle] + b"?" + intact[middle + 1 :], 0o600)
    with Terminal(gateway.server, ("mst-cli", "env", "set", "TRACE_SESSIONS", "0"), {}) as terminal:
        terminal.wait_for("Restore the journal")
        terminal.type("yes")
        assert terminal.end(120) == 0
        assert max(map(len, terminal.screen.splitlines())) <= COLUMNS
    assert gateway.server.read(JOURNAL).encode().startswith(intact)
    gateway.cli("env", "unset", "TRACE_SESSIONS", "--unattended")


def test_the_way_out_of_an_incomplete_journal_helps(gateway: Installation) -> None:
    """The commands that `mst-cli help recovery` names, as the hint says."""
    server, tenant = gateway.server, gateway.tenant()
    broken = server.read(JOURNAL).splitlines(keepends=True)
    del broken[len(broken) // 2]
    for path in (JOURNAL, JOURNAL.replace("journal.jsonl", "journal-copy.jsonl")):
        server.write(path, "".join(broken).encode(), 0o600)
    done = gateway.cli("journal", "repair", "--yes", "--unattended", check=False)
    [error] = done.envelope["errors"]
    assert error["code"] == "journal-incomplete"
    assert "`mst-cli help recovery`" in error["hint"]
    assert server.read(JOURNAL) == "".join(broken)

    text = server.run(["mst-cli", "help", "recovery"]).stdout
    way = text.partition("(journal-incomplete)")[2].split("\n\n")[1]
    backup, aside, restore = (line.split() for line in way.splitlines())
    server.run(backup)
    server.run(aside)
    agreed = ("--answers", gateway.path("answers.yaml"), "--trust-backup", "--unattended")
    gateway.program(*restore, *agreed, "--output", "json")

    gateway.wait_until_healthy()
    gateway.connect()
    gateway.await_page()
    gateway.disconnect()
    assert gateway.cli("journal", "repair", "--yes", "--unattended").envelope["status"] == "unchanged"
    assert gateway.setup().envelope["data"]["actions"] == 0
    found = gateway.tenant()
    assert {kind: len(rows) for kind, rows in found.items()} == {k: len(rows) for k, rows in tenant.items()}
    server.run(["rm", "-rf", aside[-1], backup[-1]])


def _graph(host: Installation, method: str, path: str, document: object = None) -> None:
    """Change the tenant as an administrator with Graph does."""
    token = host.on_the_lab("graph.py", LAB, ADMINISTRATOR).strip()
    command = ["curl", "--silent", "--show-error", "--fail", "--cacert", "/root/lab-ca.pem", "-X", method]
    command += ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json"]
    command += [] if document is None else ["--data", json.dumps(document)]
    host.server.run([*command, f"{host.lab['graph']}/beta/deviceManagement/{path}"])


def test_reenroll_asks_before_it_removes_anything(gateway: Installation) -> None:
    receipt = json.loads(gateway.server.read("/var/lib/mstunnel/receipt.json"))
    [key] = [item["key"] for item in receipt["objects"] if item["key"].startswith("server:")]
    site, _, name = key.removeprefix("server:").partition("/")
    settings = json.loads(gateway.server.read("/etc/mstunnel/AgentSettings.json"))
    servers = f"microsoftTunnelSites/{site}/microsoftTunnelServers"
    _graph(gateway, "DELETE", f"{servers}/{settings['ServerId']}")
    _graph(gateway, "POST", servers, {"displayName": name, "deploymentMode": "standaloneRootful"})
    before = gateway.tenant()
    journal = gateway.server.read(JOURNAL)

    assert _code(gateway, "reenroll") == "server-record-left"
    assert (gateway.tenant(), gateway.server.read(JOURNAL)) == (before, journal)
    for typed, code in (("no", 6), ("yes", 0)):
        with Terminal(gateway.server, ("mst-cli", "reenroll"), {}) as terminal:
            terminal.wait_for("a new identity in the tenant?")
            terminal.type("yes")
            sign_in = terminal.match(r"enter this code:\s+(?:\x1b\[1m)?\s*([A-Z0-9-]{6,12})")
            gateway.testbed.lab.run(
                ["mstunnel-lab", "approve", sign_in, "--user", ADMINISTRATOR, "--dir", LAB]
            )
            terminal.wait_for("Remove this record")
            terminal.type(typed)
            assert terminal.end(240) == code
            screen = terminal.screen
        assert max(map(len, screen.splitlines())) <= COLUMNS
        assert " ".join(screen.split()).count("Remove this record") == 1, "asked once"
        if typed == "no":
            assert gateway.tenant() == before
            assert gateway.cli("site", "show").code == 0
    gateway.wait_until_healthy()


def test_another_machine_id_names_reenroll_which_helps(gateway: Installation) -> None:
    before, names = gateway.server.read(_MACHINE_ID), gateway.tenant()
    gateway.server.write(_MACHINE_ID, f"{'4711' * 8}\n".encode())
    try:
        done = gateway.setup(check=False)
        [error] = done.envelope["errors"]
        assert error["code"] == "machine-id-changed"
        assert "`mst-cli reenroll`" in error["hint"]
        gateway.cli("reenroll", "--unattended")
        assert gateway.setup().code == 0
    finally:
        gateway.server.write(_MACHINE_ID, before.encode())
        gateway.cli("reenroll", "--unattended")
    assert {kind: len(rows) for kind, rows in gateway.tenant().items()} == {
        kind: len(rows) for kind, rows in names.items()
    }
    gateway.wait_until_healthy()
