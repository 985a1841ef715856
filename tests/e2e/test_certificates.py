"""Certificates on real parts: renewals under a running session, refusals, delays, repairs, extra roots."""

import json
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import acme
from tests.testbed import vpn
from tests.testbed.installation import PUBLIC_ADDRESS, URL, Installation
from tests.testbed.paths import JOURNAL
from tests.testbed.terminal import Terminal
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

_HANDSHAKE = """
import socket, ssl
context = ssl._create_unverified_context()
with context.wrap_socket(socket.create_connection(("{address}", 443), 5)) as shown:
    print(shown.getpeercert(binary_form=True).hex())
"""
FILES = ("--cert", "/root/chain.pem", "--key", "/root/key.pem")
ACTIVE = "/etc/mstunnel/private/active"
GENERATIONS = "/etc/mstunnel/private/generations"
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "renew-certificates.md"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/mstunnel"


def place_new(gateway: Installation, **options: Any) -> bytes:
    """Put a new certificate where `FILES` says; returns its leaf in DER."""
    chain, key = gateway.authority.issue(PUBLIC_ADDRESS, **options)
    gateway.place_certificate(chain, key)
    return leaf_of(chain)


def leaf_of(chain: bytes) -> bytes:
    first = chain.decode().partition("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(first[0] + first[1])


def served(gateway: Installation) -> bytes:
    """The leaf that the VPN client sees: a handshake from another machine."""
    done = gateway.testbed.lab.run(["python3", "-"], stdin=_HANDSHAKE.format(address=PUBLIC_ADDRESS))
    return bytes.fromhex(done.stdout)


@contextmanager
def pinging(gateway: Installation) -> Iterator[list[str]]:
    """A ping through the tunnel every 0.1 s while the block runs; afterwards the list holds its summary."""
    process = subprocess.Popen(
        gateway.testbed.namespace.argv(
            *("podman", "exec", "--privileged", "client", "ping", "-i", "0.1", "-W", "2", "10.99.0.80")
        ),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    summary: list[str] = []
    try:
        time.sleep(1)
        yield summary
        time.sleep(1)
    finally:
        gateway.testbed.client.shell("kill -INT $(pidof ping)", check=False)
        summary.extend((process.communicate(timeout=20)[0] or "").splitlines()[-2:])


def test_session_survives_a_certificate_import(
    gateway: Installation,
) -> None:
    gateway.connect()
    started = gateway.started()
    address = gateway.client_address()
    with pinging(gateway) as summary:
        leaf = place_new(gateway)
        done = gateway.cli("import_cert", *FILES).envelope
        assert served(gateway) == leaf
    print(f"seconds from the switch to the proof: {done['data']['seconds']}; {summary}")
    assert done["data"]["serving"] is True
    assert done["data"]["seconds"] < 2
    sent, received = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", summary[0]))
    assert sent > 20
    assert received >= sent - 1
    assert gateway.started() == started
    assert gateway.client_address() == address
    gateway.check_page()


def test_restart_after_an_import_serves_the_new_certificate(gateway: Installation) -> None:
    leaf = place_new(gateway)
    gateway.cli("import_cert", *FILES)
    assert served(gateway) == leaf
    gateway.cli("server", "restart")
    gateway.wait_until_healthy()
    assert served(gateway) == leaf
    gateway.connect()
    gateway.check_page()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("expired", "expired"),
        pytest.param("name", "name-mismatch", marks=pytest.mark.long),
        pytest.param("key", "key-mismatch", marks=pytest.mark.long),
    ],
)
def test_bad_certificate_is_refused_and_the_old_one_serves(
    gateway: Installation, fault: str, code: str
) -> None:
    before, tree = served(gateway), gateway.server.read(JOURNAL)
    chain, key = gateway.authority.issue(
        "other.tunnel.test" if fault == "name" else PUBLIC_ADDRESS, days=-5 if fault == "expired" else 90
    )
    if fault == "key":
        key = gateway.authority.issue(PUBLIC_ADDRESS)[1]
    gateway.place_certificate(chain, key)
    refused = gateway.cli("import_cert", *FILES, "--yes", check=False)
    assert (refused.code, refused.error) == (4, code)
    assert served(gateway) == before
    assert not [
        line
        for line in gateway.server.read(JOURNAL)[len(tree) :].splitlines()
        if json.loads(line)["type"] == "begin"
    ]


def test_certificate_refused_by_the_gateway_is_rolled_back(gateway: Installation) -> None:
    before, link = served(gateway), gateway.server.run(["readlink", ACTIVE]).stdout
    place_new(gateway)
    # The program that follows the files is stopped; ocserv itself goes on.
    process = "$(podman inspect --format '{{.State.Pid}}' mstunnel-server)"
    gateway.server.shell(f"kill -STOP {process}")
    try:
        refused = gateway.cli("import_cert", *FILES, check=False)
    finally:
        gateway.server.shell(f"kill -CONT {process}")
    assert (refused.code, refused.error) == (4, "import-taken-back")
    assert gateway.server.run(["readlink", ACTIVE]).stdout == link
    assert served(gateway) == before


def test_a_pfx_takes_the_place_of_the_pem_files(gateway: Installation) -> None:
    leaf = place_new(gateway)
    pack = "openssl pkcs12 -export -in chain.pem -inkey key.pem -passout pass:geheim -out site.pfx"
    gateway.server.shell(f"cd /root && {pack} && printf geheim >pass && chmod 600 pass")
    gateway.cli("import_cert", "--pfx", "/root/site.pfx", "--passphrase-file", "/root/pass")
    assert served(gateway) == leaf
    places = "cd /etc/mstunnel && ls certs private"
    assert "site.crt" not in gateway.server.shell(places).stdout
    assert "site.key" not in gateway.server.shell(places).stdout
    place_new(gateway)
    gateway.cli("import_cert", *FILES)
    assert "site.pfx" not in gateway.server.shell(places).stdout
    assert "site.crt" in gateway.server.shell(places).stdout


def pending(gateway: Installation) -> list[dict[str, str]]:
    return list(gateway.cli("import_cert", "--list").envelope["data"]["pending"])


def test_a_delayed_import_is_listed_cancelled_and_leaves_nothing(gateway: Installation) -> None:
    places = "/etc/systemd/system /etc/systemd/system/timers.target.wants /var/lib/systemd/timers"
    listing = f"find {places} {GENERATIONS} -mindepth 1 -maxdepth 1 | sort"
    before = gateway.server.shell(listing).stdout
    place_new(gateway)
    first = served(gateway)
    name = gateway.cli("import_cert", *FILES, "delay", "10080").envelope["data"]["pending"][0]["name"]
    assert [item["name"] for item in pending(gateway)] == [name]
    assert "mstunnel-import" in gateway.server.run(["systemctl", "list-timers", "--all"]).stdout
    assert served(gateway) == first
    gateway.cli("import_cert", "--cancel", name)
    assert pending(gateway) == []
    assert gateway.server.shell(listing).stdout == before


@pytest.mark.long
def test_a_delayed_import_survives_a_reboot_and_its_files(gateway: Installation) -> None:
    """The time passes while the server is off; at the next boot it is made up for."""
    gateway.disconnect()
    leaf = place_new(gateway)
    soon = gateway.server.shell("date -u -d '+15 seconds' +%Y-%m-%dT%H:%M:%S+00:00").stdout.strip()
    gateway.cli("import_cert", *FILES, "--at", soon)
    gateway.server.run(["rm", "/root/chain.pem", "/root/key.pem"])
    gateway.testbed.namespace.podman("stop", "--time=20", "server", timeout=90)
    time.sleep(15)
    gateway.testbed.namespace.podman("start", "server", timeout=90)
    gateway.server.run(["systemctl", "is-system-running", "--wait"], timeout=90, check=False)
    gateway.wait_until_healthy()
    assert eventually(lambda: pending(gateway) == [], 60)
    assert served(gateway) == leaf


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (f"cp -rL {ACTIVE} /root/flat && rm {ACTIVE} && mv /root/flat {ACTIVE}", "link-flattened"),
        pytest.param(f"rm {ACTIVE}", "link-missing", marks=pytest.mark.long),
        (f"echo > {ACTIVE}/key.pem", "generation-damaged"),
        pytest.param(f"chmod 644 {ACTIVE}/key.pem", "key-mode", marks=pytest.mark.long),
        pytest.param(
            f"chmod 755 {GENERATIONS} {GENERATIONS}/.. && chown -R 1 {ACTIVE}/",
            "key-owner",
            marks=pytest.mark.long,
        ),
    ],
)
def test_damage_is_found_and_repaired(gateway: Installation, damage: str, found: str) -> None:
    leaf = place_new(gateway)
    gateway.cli("import_cert", *FILES)
    link = gateway.server.run(["readlink", ACTIVE]).stdout
    gateway.server.shell(damage)
    checked = gateway.cli("cert", "check", check=False)
    assert checked.code == 4
    assert found in [finding["id"] for finding in checked.envelope["data"]["findings"]]
    assert gateway.cli("cert", "repair").envelope["status"] == "changed"
    assert gateway.server.run(["readlink", ACTIVE]).stdout == link
    assert gateway.server.run(["stat", "-Lc", "%a", f"{ACTIVE}/key.pem"]).stdout == "600\n"
    assert gateway.cli("cert", "check").code == 0
    assert gateway.cli("cert", "repair").envelope["status"] == "unchanged"
    assert served(gateway) == leaf


def test_never_back_to_an_older_one_without_asking(gateway: Installation) -> None:
    old = place_new(gateway, days=30)
    chain, key = (gateway.server.read(f"/root/{name}.pem") for name in ("chain", "key"))
    time.sleep(1.1)
    place_new(gateway)
    gateway.cli("import_cert", *FILES)
    gateway.place_certificate(chain.encode(), key.encode())
    refused = gateway.cli("import_cert", *FILES, "--unattended", check=False)
    assert (refused.code, refused.error) == (4, "certificate-older")
    gateway.cli("import_cert", *FILES, "--yes")
    assert served(gateway) == old


def test_a_certificate_that_ends_tomorrow_is_serious(gateway: Installation) -> None:
    place_new(gateway, days=1, age=89)
    gateway.cli("import_cert", *FILES, "--yes")
    for command in ("status", "health"):
        said = gateway.cli(command, check=False)
        assert said.code == 3, said.describe()
        assert "certificate-nearly-expired" in {item["code"] for item in said.envelope["warnings"]}
    place_new(gateway)
    gateway.cli("import_cert", *FILES)
    gateway.cli("status")


def test_one_that_ends_earlier_is_refused_without_asking(gateway: Installation) -> None:
    before = place_new(gateway)
    gateway.cli("import_cert", *FILES, "--yes")
    earlier = place_new(gateway, days=30, age=0.5)
    refused = gateway.cli("import_cert", *FILES, "--if-changed", "--unattended", check=False)
    assert (refused.code, refused.error) == (4, "certificate-ends-earlier")
    assert "--yes" in refused.hint
    assert served(gateway) == before
    with Terminal(gateway.server, ("mst-cli", "import_cert", *FILES)) as terminal:
        terminal.wait_for("ends earlier")
        terminal.type("yes")
        assert terminal.end(60) == 0, terminal.screen
    assert served(gateway) == earlier


def test_both_containers_trust_a_root_until_it_is_removed(gateway: Installation) -> None:
    root = gateway.authority.pem.decode()
    body = root.splitlines()[1]
    trusted = ["podman", "exec", "mstunnel-server", "grep", "-c", body, "/etc/ssl/certs/ca-certificates.crt"]
    gateway.server.write("/root/root.pem", root)
    gateway.place_certificate(*gateway.authority.issue(PUBLIC_ADDRESS))
    refused = gateway.cli("ca-trust", "add", "/root/key.pem", check=False)
    assert (refused.code, refused.error) == (4, "root-with-key")
    name = gateway.cli("ca-trust", "add", "/root/root.pem").envelope["data"]["added"][0]["name"]
    assert gateway.cli("ca-trust", "add", "/root/root.pem").envelope["status"] == "unchanged"
    assert name in [item["name"] for item in gateway.cli("ca-trust", "list").envelope["data"]["roots"]]
    assert eventually(lambda: gateway.server.run(trusted, check=False).code == 0, 15)
    gateway.cli("server", "restart")
    assert eventually(lambda: gateway.server.run(trusted, check=False).code == 0, 15)
    gateway.wait_until_healthy()
    gateway.cli("ca-trust", "remove", name)
    assert eventually(lambda: gateway.server.run(trusted, check=False).code == 1, 15)


@pytest.mark.long
@pytest.mark.skipif(bool(acme.missing()), reason=f"not installed: {', '.join(acme.missing())}")
def test_certbot_renews_through_the_documented_hook(gateway: Installation, tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", GUIDE.read_text(), re.DOTALL)
    gateway.server.write(HOOK, block, 0o755)
    with acme.acme_server(tmp_path) as authority:
        gateway.server.write("/root/acme-root.pem", authority.root)
        root = gateway.cli("ca-trust", "add", "/root/acme-root.pem").envelope["data"]["added"][0]["name"]
        ship = acme.deploy_script(tmp_path / "ship", authority, gateway.server.argv([]), HOOK)
        lineage = authority.lineage(PUBLIC_ADDRESS)
        authority.issue(PUBLIC_ADDRESS, ship)
        first = (lineage / "fullchain.pem").read_bytes()
        assert served(gateway) == leaf_of(first)
        vpn.connect(gateway.testbed.client, URL, authority.root, token=gateway.token())
        address = gateway.client_address()
        authority.renew(PUBLIC_ADDRESS)
        second = (lineage / "fullchain.pem").read_bytes()
        assert (lineage / "fullchain.pem").is_symlink()
        assert first != second
        assert served(gateway) == leaf_of(second)
        assert gateway.client_address() == address
        gateway.check_page()
        journal = gateway.server.read(JOURNAL)
        again = gateway.server.run([HOOK], env={"RENEWED_LINEAGE": f"/etc/letsencrypt/live/{PUBLIC_ADDRESS}"})
        journaled = gateway.server.read(JOURNAL)
        assert (again.stdout, again.stderr, journaled) == ("", "", journal)
    gateway.cli("ca-trust", "remove", root)
    gateway.server.run(["rm", "-r", "/etc/letsencrypt", "/root/acme-root.pem"])
