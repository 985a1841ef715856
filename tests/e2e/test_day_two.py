"""What an administrator does after the installation, on real parts: one gateway for all of it."""

import gzip
import hashlib
import io
import re
import struct
import tarfile
from base64 import b64decode
from typing import Any

import pytest

from scripts.bundle import dist
from tests.parameters import sample
from tests.testbed import cache, vpn
from tests.testbed.canary import LOGGED, forms, leaks
from tests.testbed.canary import SETTINGS as KEPT
from tests.testbed.installation import Installation
from tests.testbed.testbed import INTRANET_PAGE
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

CANARIES = {f"canary {number}": f"Proxy/word+of the&testbed~{number:02}" for number in range(20)}
SETTINGS = "/etc/mstunnel/env.sh"
BUNDLE = "/root/bundle.tar.gz"
BACKUP = "/root/backup.tar.gz"
COPIED = "/opt/copied/mstunnel-setup"
RAW_IP = 101


def cli(host: Installation, *words: str, code: int = 0) -> dict[str, Any]:
    """Run `mst-cli`; its envelope. An administrator signs in where it asks."""
    done = host.cli(*words, "--unattended", check=False)
    assert done.code == code, done.describe()
    return done.envelope


@pytest.mark.long
def test_client_is_captured_and_disconnected(
    gateway: Installation,
) -> None:
    gateway.connect()
    address = gateway.client_address()
    gateway.server.start(
        ["sh", "-c", f"mst-cli server capture {address} /root/c.pcap --seconds 4 >/root/c.log"]
    )
    packets = 0
    while not packets:
        gateway.check_page()
        packets = gateway.server.run(["test", "-e", "/root/c.pcap"], check=False).code == 0
    recorded = b64decode(gateway.server.run(["base64", "/root/c.pcap"]).stdout)
    assert struct.unpack_from("<IHHiIII", recorded)[-1] == RAW_IP
    assert INTRANET_PAGE.encode() in recorded

    rows = cli(gateway, "server", "show", "users")["data"]["rows"]
    assert [(row["IPv4"], type(row["RX"])) for row in rows] == [(address, int)]
    user = gateway.token_user()
    assert cli(gateway, "server", "disconnect", "user", user)["status"] == "changed"
    assert cli(gateway, "server", "show", "users")["data"]["rows"] == []
    assert cli(gateway, "server", "disconnect", "id", "4242")["status"] == "unchanged"
    assert cli(gateway, "server", "unban", "ip", "192.0.2.9")["status"] == "unchanged"
    gateway.testbed.client.run(["rm", "-f", "/root/c.pcap", vpn.PID], check=False)


@pytest.mark.parametrize("output", sample(["text", "json"], kept=["json"]))
def test_stopped_event_view_leaves_no_process_behind(gateway: Installation, output: str) -> None:
    gateway.wait_until_healthy()
    watch = f"exec mst-cli server show events --output {output} </dev/null >/root/events"
    gateway.server.start(["sh", "-c", watch])
    # The health check asks occtl too.
    shown = "pgrep -f '^occtl --no-pager show events'"
    assert succeeds(gateway, shown)
    gateway.connect()
    assert succeeds(gateway, f"grep -q {gateway.token_user()} /root/events")
    gateway.disconnect()
    gateway.server.run(["pkill", "-KILL", "--full", "show events --output|interactive.*show events"])
    assert succeeds(gateway, f"! {shown}")


def succeeds(host: Installation, script: str, seconds: float = 60) -> bool:
    """Whether the script ends with 0 within that time."""
    return eventually(lambda: host.server.shell(script, check=False).code == 0, seconds)


def test_settings_and_the_verbose_mode(gateway: Installation) -> None:
    assert cli(gateway, "env", "set", "TRACE_SESSIONS", "1")["status"] == "changed"
    assert cli(gateway, "env", "get", "TRACE_SESSIONS")["data"]["settings"] == {"TRACE_SESSIONS": "1"}
    assert cli(gateway, "env", "unset", "TRACE_SESSIONS")["status"] == "changed"

    verbose = cli(gateway, "log", "level", "verbose")
    assert (verbose["data"]["level"], verbose["data"]["usual"], verbose["warnings"]) == (4, 0, [])
    assert "\nlog-level = 4\n" in gateway.server.read("/etc/mstunnel/ocserv.conf")
    assert gateway.setup().envelope["status"] == "unchanged"
    assert cli(gateway, "log", "level", "normal")["data"]["level"] == 0
    assert "\nlog-level = 0\n" in gateway.server.read("/etc/mstunnel/ocserv.conf")


def test_verbose_setting_of_the_vendor_works_after_a_restart(
    gateway: Installation,
) -> None:
    assert cli(gateway, "env", "set", "mst_verbose_log", "true")["status"] == "changed"
    cli(gateway, "server", "restart")
    assert succeeds(gateway, "grep -qx 'log-level = 4' /etc/mstunnel/ocserv.conf")
    # The agent checks in every minute.
    request = "^request: PATCH .*/microsoftTunnelServers/.*: [0-9]* ms, 20[0-9], request [0-9a-f-]*$"
    assert succeeds(gateway, f"mst-cli agent logs --tail 100 2>&1 | grep -q '{request}'", seconds=120)
    assert cli(gateway, "env", "unset", "mst_verbose_log")["status"] == "changed"
    assert succeeds(gateway, "grep -qx 'log-level = 0' /etc/mstunnel/ocserv.conf")


def test_wrong_env_sh_is_refused_before_the_gateway_stops(
    gateway: Installation,
) -> None:
    gateway.wait_until_healthy()
    before, running = gateway.server.read(SETTINGS), gateway.started()
    try:
        for line, code, error in (
            ("FOO=bar baz", 10, "environment-line-invalid"),
            ("https_proxy=http://proxy.invalid:3128", 8, "proxy-unreachable"),
        ):
            gateway.server.write(SETTINGS, f"{before}{line}\n")
            for words in (("server", "restart"), ("env", "check")):
                refused = cli(gateway, *words, code=code)
                assert [each["code"] for each in refused["errors"]] == [error]
            assert gateway.started() == running
        gateway.visit()

        # Somebody restarts it in another way: the gateway cannot fetch the keys of the tenant, and ends.
        gateway.server.run(["systemctl", "restart", "mstunnel-server"], check=False)
        assert succeeds(gateway, "mst-cli status 2>&1 | grep -q 'http://proxy.invalid:3128'")
        why = "failed to download JSON document"
        named = "mst-cli status 2>&1 | tr -s '\\n ' ' ' | grep -q 'not running: ocserv-oidc: failed to'"
        seen = "mst-cli status 2>&1; journalctl --unit=mstunnel-server --lines=30 --output=cat"
        assert succeeds(gateway, named), gateway.server.shell(seen, check=False).stdout
        gone = "! podman container exists mstunnel-server"
        assert succeeds(gateway, f"{gone} && mst-cli server logs --tail 20 | grep -q '{why}'")
    finally:
        gateway.server.write(SETTINGS, before, 0o640)
        cli(gateway, "server", "restart")
    # It is proved: nothing has to be waited for.
    assert cli(gateway, "status")["data"]["mstunnel-server"]["health"] == "healthy"


def test_the_access_log_names_who_went_where(gateway: Installation) -> None:
    cli(gateway, "env", "set", "TRACE_SESSIONS", "2")
    cli(gateway, "install")
    gateway.connect()
    address = gateway.client_address()
    gateway.check_page()
    gateway.disconnect()
    found = access_log(gateway, r",tcp,\S+:80,")
    user, _device, protocol, source, destination, sent, received, seconds = found
    assert (user, protocol) == (gateway.token_user(), "tcp")
    assert source.rpartition(":")[0] == address
    assert destination.startswith("10.99.0.")
    assert int(sent) > 0
    assert int(received) > len(INTRANET_PAGE)
    assert int(seconds) < 60
    assert access_log(gateway, r",udp,\S+:53,"), "the name was looked up"
    cli(gateway, "diagnose", BUNDLE)
    files = bundle(gateway)
    assert files["logs/journal.log"]
    assert not [name for name, text in files.items() if b"ACCESS_LOG," in text or b"ocserv-access" in text]
    cli(gateway, "env", "unset", "TRACE_SESSIONS")
    cli(gateway, "install")
    gateway.wait_until_healthy()


def access_log(gateway: Installation, pattern: str) -> list[str]:
    """The fields of a record under the log's own tag, as soon as there is one."""

    def records() -> list[str]:
        journal = gateway.server.run(["journalctl", "--output=cat", "--identifier=ocserv-access"]).stdout
        return [line for line in journal.splitlines() if re.search(pattern, line)]

    return eventually(records, 60)[-1].removeprefix("ACCESS_LOG,").split(",")


def bundle(gateway: Installation) -> dict[str, bytes]:
    """What is in the diagnostic file, which is then removed."""
    packed = b64decode(gateway.server.run(["base64", BUNDLE]).stdout)
    gateway.server.run(["rm", BUNDLE])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        streams = {member.name: archive.extractfile(member) for member in archive}
        return {name: stream.read() for name, stream in streams.items() if stream is not None}


def test_the_configuration_is_compared_and_pulled(gateway: Installation) -> None:
    assert cli(gateway, "config", "diff", "--exit-code")["status"] == "unchanged"
    # The agent would apply the change automatically within a minute.
    cli(gateway, "agent", "stop")
    gateway.change_configuration({"routeIncludes": ["10.99.0.0/24", "10.77.5.0/24"]})
    difference = cli(gateway, "config", "diff", "--exit-code", code=20)["data"]["diff"]
    assert "+route = 10.77.5.0/24" in "".join(difference).replace("/255.255.255.0", "/24")
    stopped = cli(gateway, "status", code=7)
    assert [item["hint"] for item in stopped["warnings"] if item["code"].startswith("container-")] == [
        "Run `mst-cli agent start`; `mst-cli agent logs --tail 20` shows the log."
    ]
    cli(gateway, "agent", "start")
    cli(gateway, "config", "pull")
    assert "route = 10.77.5.0/24" in gateway.server.read("/etc/mstunnel/ocserv.conf")
    gateway.change_configuration({"routeIncludes": ["10.99.0.0/24"]})
    cli(gateway, "config", "pull")


def test_the_diagnostic_file_holds_none_of_twenty_secrets(gateway: Installation) -> None:
    canaries = {name: secret.encode() for name, secret in CANARIES.items()}
    others = {name: secret.encode() for name, (secret, _line) in {**LOGGED, **KEPT}.items()}
    before = gateway.server.read(SETTINGS)
    lines = [
        f"CANARY_{place}='http://user:{secret}@proxy.tunnel.test:3128/'\n"
        for place, secret in enumerate(CANARIES.values())
    ]
    # The agent reads proxies from there, so these are of another name for a while.
    lines += [f"CANARY_{line.format(secret)}\n" for secret, line in KEPT.values()]
    gateway.server.write(SETTINGS, before + "".join(lines), 0o640)
    said = [b"proxy said " + form for secret in canaries.values() for form in forms(secret).values()]
    gateway.server.run(["logger", "-t", "ocserv"], stdin=b"\n".join(said))
    for secret, line in LOGGED.values():
        # A key without an end would take all the rest of the journal along.
        logged = f"{line.format(secret)}\n-----END PRIVATE KEY-----\n"
        gateway.server.run(["logger", "-t", "mstunnel-agent"], stdin=logged.encode())
    written = cli(gateway, "diagnose", BUNDLE)
    gateway.server.write(SETTINGS, before, 0o640)
    files = bundle(gateway)
    key = gateway.server.run(["base64", "-w0", "/etc/mstunnel/private/active/key.pem"]).stdout
    secrets = {**canaries, **others, "key": b64decode(key).splitlines()[1]}
    assert leaks(secrets, files) == []
    assert files["logs/journal.log"].count(b"proxy said") >= len(said)
    assert written["data"]["redactions"]["logs/journal.log"]["known secret"] >= 6 * len(canaries)
    assert written["data"]["redactions"][f"files{SETTINGS}"]["known secret"] >= len(canaries)
    assert {
        "manifest.json",
        "redactions.json",
        "checks/readiness.json",
        "files/etc/mstunnel/ocserv.conf",
    } <= {*files}
    assert not [name for name, text in files.items() if text.startswith(b"not collected")]


def test_site_and_identity_change_without_a_new_installation(gateway: Installation) -> None:
    leaf = gateway.server.read("/etc/mstunnel/certs/site.crt")
    before = gateway.tenant()
    refused = cli(gateway, "site", "change", "Elsewhere", code=4)
    assert refused["status"] == "error"
    assert gateway.tenant() == before

    anew = cli(gateway, "reenroll")
    assert {item["outcome"] for item in anew["data"]["objects"]} <= {"removed", "restored"}
    assert {name: len(rows) for name, rows in gateway.tenant().items()} == {
        name: len(rows) for name, rows in before.items()
    }
    assert cli(gateway, "site", "show")["data"]["site"]["name"] == "Testbed"
    assert gateway.server.read("/etc/mstunnel/certs/site.crt") == leaf
    gateway.wait_until_healthy()


def repacked(file: bytes) -> bytes:
    """The same program as another file, whose digest differs."""
    head, marker, payload = file.partition(b"\n__PAYLOAD__\n")
    other = gzip.compress(gzip.decompress(payload), compresslevel=1, mtime=0)
    old, new = (hashlib.sha256(content).hexdigest() for content in (payload, other))
    head = head.replace(old.encode(), new.encode()).replace(old[:12].encode(), new[:12].encode())
    return head + marker + other


def monitor_process(gateway: Installation) -> tuple[str, str]:
    """The process id of the monitor, and the file it runs."""
    show = ("systemctl", "show", "--property=MainPID", "--value", "mstunnel_monitor.service")
    process = gateway.server.run(show).stdout.strip()
    return process, gateway.server.run(["readlink", f"/proc/{process}/exe"]).stdout.strip()


@pytest.mark.long
def test_monitor_restarts_with_a_replaced_program(gateway: Installation) -> None:
    with cache.writing():
        other = repacked(dist.one_file().read_bytes())
    process, program = monitor_process(gateway)
    gateway.server.write(COPIED, other, 0o755)
    gateway.program(COPIED, "--answers", gateway.path("answers.yaml"), "--unattended")
    assert eventually(lambda: monitor_process(gateway)[1] != program, 180), "it runs the earlier program"
    assert monitor_process(gateway)[0] == process
    log = gateway.server.run(
        ["journalctl", "--unit=mstunnel_monitor", "--grep=program-replaced", "--output=cat"]
    )
    assert len(log.stdout.splitlines()) == 1, log.stdout

    gateway.kill_containers()
    gateway.wait_until_healthy()


@pytest.mark.long
def test_another_host_takes_over_from_a_backup(gateway: Installation) -> None:
    cli(gateway, "backup", BACKUP)
    gone = cli(gateway, "uninstall", "--offline")
    left = [item["message"] for item in gone["warnings"]]
    assert any("the application" in text for text in left)
    assert any("the record" in text for text in left)
    assert len(gateway.tenant()["servers"]) == 1

    accept = ["env", "MSTUNNEL_ACCEPT_EULA=1", "mst-cli", "restore", BACKUP, "--replace", "--unattended"]
    accept += ["--trust-backup"]
    gateway.program(*accept, "--output", "json")
    gateway.server.run(["rm", BACKUP])
    assert len(gateway.tenant()["servers"]) == 1
    gateway.wait_until_healthy()
    gateway.visit()
