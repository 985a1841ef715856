"""Six-day certificates of a real ACME server, renewed twenty times by certbot and by acme.sh."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e import acme
from tests.e2e.test_certificates import GENERATIONS, leaf_of, pinging, served
from tests.testbed import vpn
from tests.testbed.installation import PUBLIC_ADDRESS, URL, Installation
from tests.testbed.kinds import PODMAN_WITH_PEERS
from tests.testbed.waiting import eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(bool(acme.missing("acme.sh")), reason="acme.sh or pebble is not installed"),
]

_TIMES = 20
_SIX_DAYS = 518_400
_DIRECTORY = "https://localhost:14000/dir"
_ROOT = "/root/acme-root.pem"
_LIVE = f"/etc/letsencrypt/live/{PUBLIC_ADDRESS}"
_OF_ACME_SH = f"/root/.acme.sh/{PUBLIC_ADDRESS}_ecc"
_CERTBOT = f"certbot --server {_DIRECTORY} --no-verify-ssl --non-interactive"
_ACME_SH = f"acme.sh --server {_DIRECTORY} --insecure"
_ROW = re.compile(r'^mstunnel_health_status\{row="tls-[a-z]+"\} [23]$', re.MULTILINE)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Installation]:
    """An installed gateway on a server that has certbot, acme.sh and an ACME server, whose root it trusts."""
    with Installation.booted(PODMAN_WITH_PEERS) as host:
        host.setup()
        _start_pebble(host)
        host.server.write("/usr/bin/acme.sh", Path(shutil.which("acme.sh") or "").read_bytes(), 0o755)
        ready = f"curl --silent --fail --insecure https://localhost:15000/roots/0 >{_ROOT}"
        assert eventually(lambda: host.server.shell(ready, check=False).code == 0, 20)
        host.cli("ca-trust", "add", _ROOT)
        yield host


def _start_pebble(host: Installation) -> None:
    own = trustme.CA().issue_cert("localhost")
    host.server.write("/root/pebble/key.pem", own.private_key_pem.bytes())
    host.server.write("/root/pebble/cert.pem", own.cert_chain_pems[0].bytes())
    settings = {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/root/pebble/cert.pem",
        "privateKey": "/root/pebble/key.pem",
        "httpPort": 5002,
        "tlsPort": 5001,
        "certificateValidityPeriod": _SIX_DAYS,
    }
    host.server.write("/root/pebble/pebble.json", json.dumps({"pebble": settings}))
    host.server.write("/usr/bin/pebble", Path(shutil.which("pebble") or "").read_bytes(), 0o755)
    always = ("PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
    host.server.start(["env", *always, "pebble", "-config", "/root/pebble/pebble.json"])


def run(host: Installation, command: str) -> None:
    host.server.shell(f"{command} 2>&1", timeout=120)


def import_first(host: Installation, chain: str, key: str) -> None:
    """The first certificate ends before the one in use, so it needs a yes."""
    host.cli("import_cert", "--cert", chain, "--key", key, "--yes")


def leaf_in(host: Installation, chain: str) -> bytes:
    return leaf_of(host.server.read(chain).encode())


def warnings(host: Installation) -> list[str]:
    """What `status`, `health` and the metrics warn of, as far as it is about the certificate."""
    metrics = _ROW.findall(host.server.read("/var/lib/mstunnel-agent/metrics.prom"))
    said: list[dict[str, Any]] = []
    for command in ("status", "health"):
        said += host.cli(command, check=False).envelope["warnings"]
    return metrics + [
        item["message"] for item in said if "certificate" in item["code"] + item["message"].lower()
    ]


def renew_often(host: Installation, renew: str, chain: str) -> None:
    """Renew under a session: each renewal is served, no session ends, and nothing piles up."""
    vpn.connect(host.testbed.client, URL, host.server.read(_ROOT).encode(), token=host.token())
    started, address = host.started(), host.client_address()
    leaves = {leaf_in(host, chain)}
    with pinging(host) as summary:
        for _ in range(_TIMES):
            run(host, renew)
            leaves.add(leaf_in(host, chain))
            assert served(host) == leaf_in(host, chain)
    assert len(leaves) == _TIMES + 1
    days = host.cli("cert", "show").envelope["data"]["days_left"]
    assert days == 5, "it ends in less than six days"
    sent, received = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", summary[0]))
    assert received >= sent - _TIMES, summary
    assert (host.started(), host.client_address()) == (started, address)
    assert len(host.server.shell(f"ls {GENERATIONS}").stdout.split()) == 2
    assert eventually(lambda: warnings(host) == [], 60), warnings(host)


def test_certbot_renews_six_day_certificates(gateway: Installation) -> None:
    account = "--agree-tos --register-unsafely-without-email"
    how = "--standalone --http-01-port 5002 --preferred-profile shortlived"
    run(gateway, f"{_CERTBOT} certonly {account} {how} -d {PUBLIC_ADDRESS}")
    import_first(gateway, f"{_LIVE}/fullchain.pem", f"{_LIVE}/privkey.pem")
    written = gateway.cli("cert", "hook", "certbot").envelope
    assert (written["status"], written["data"]["in_use"]) == ("changed", True)
    renew = f"{_CERTBOT} renew --force-renewal --no-random-sleep-on-renew"
    renew_often(gateway, renew, f"{_LIVE}/fullchain.pem")


def test_acme_sh_renews_six_day_certificates(gateway: Installation) -> None:
    run(gateway, f"{_ACME_SH} --issue -d {PUBLIC_ADDRESS} -w /root --days 3 -m admin@example.org")
    chain = f"{_OF_ACME_SH}/fullchain.cer"
    import_first(gateway, chain, f"{_OF_ACME_SH}/{PUBLIC_ADDRESS}.key")
    written = gateway.cli("cert", "hook", "acme.sh").envelope
    assert (written["status"], written["data"]["in_use"]) == ("changed", True)
    renew_often(gateway, f"{_ACME_SH} --cron --force", chain)


def test_uninstallation_takes_both_hooks_back(gateway: Installation) -> None:
    hook = gateway.cli("cert", "hook", "certbot").envelope["data"]["hook"]
    gateway.disconnect()
    gateway.uninstall()
    assert gateway.server.run(["test", "-e", hook], check=False).code == 1
    assert "Le_ReloadCmd=''" in gateway.server.read(f"{_OF_ACME_SH}/{PUBLIC_ADDRESS}.conf")
    run(gateway, f"{_ACME_SH} --cron --force")
