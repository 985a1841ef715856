"""What commands tell of devices on a real gateway: who is connected, who is refused, and why."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.attack.tokens import Forger
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.process import Completed
from tests.testbed.testbed import INTRANET_PAGE
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

CLIENT_OUTSIDE = "10.90.0.20"
INTRANET, SERVER_INSIDE = "10.99.0.80", "10.99.0.10"
OUTSIDE_THE_ROUTES = "198.51.100.9"
TOKEN_FILE = "/root/device.token"
ROOT = "/root/testbed-ca.pem"
CURL_TIMED_OUT = 28


@pytest.fixture(scope="module", autouse=True)
def own_journal(prepared: Installation) -> None:
    """What the gateways of other tests logged on this server, in the last hours, is no part of this one."""
    prepared.server.run(["journalctl", "--rotate", "--vacuum-time=1s"])


def explain(host: Installation, who: str, *more: str) -> Mapping[str, dict[str, str]]:
    """The rows of `mst-cli explain`, by their id."""
    done = host.cli("explain", who, *more, "--unattended", check=False)
    rows = done.envelope["data"]["rows"]
    assert done.code == (3 if any(row["result"] == "problem" for row in rows) else 0), done.describe()
    return {row["id"]: row for row in rows}


def results(rows: Mapping[str, dict[str, str]], *names: str) -> list[str]:
    return [rows[name]["result"] for name in names]


def test_explain_tells_connected_refused_and_unrouted_apart(gateway: Installation) -> None:
    gateway.connect()
    user, address = gateway.token_user(), gateway.client_address()
    for subject in (user, address, CLIENT_OUTSIDE):
        connected = explain(gateway, subject)
        names = ("gateway", "token", "claims", "session", "lease", "routes", "inbound")
        assert results(connected, *names) == ["ok"] * len(names), connected
        assert connected["lease"]["seen"] == address
    gateway.disconnect()

    expired = Forger.of(gateway).token(exp=Forger.now() - 5)
    assert gateway.sign_in(token=expired).code != 0
    rows = explain(gateway, CLIENT_OUTSIDE)
    assert results(rows, "token", "session") == ["problem", "problem"], rows
    assert "validity period" in rows["token"]["seen"]
    assert rows["token"]["seen"].endswith("(rule validity)")
    gateway.server.write(TOKEN_FILE, expired, 0o600)
    rows = explain(gateway, user, "--token-file", TOKEN_FILE)
    assert results(rows, "token", "claims") == ["problem", "ok"], rows
    assert rows["token"]["seen"].startswith("expired at ")
    assert expired not in json.dumps(rows)

    rows = explain(gateway, OUTSIDE_THE_ROUTES)
    assert results(rows, "routes", "session") == ["problem", "unknown"], rows


def test_destination_is_judged_by_the_rules_in_force(gateway: Installation) -> None:
    assert results(explain(gateway, INTRANET), "routes", "firewall") == ["ok", "ok"]
    rows = explain(gateway, SERVER_INSIDE)
    assert results(rows, "routes", "firewall") == ["ok", "problem"], rows
    assert "host" in rows["firewall"]["seen"]


def test_a_client_outside_sees_whether_the_port_is_open(gateway: Installation) -> None:
    """With the commands of the page about networks."""
    gateway.testbed.client.write(ROOT, gateway.authority.pem)
    curl = f"curl --insecure --max-time 10 https://{PUBLIC_ADDRESS}/"
    sign_in = f"openconnect --protocol=anyconnect --authenticate --non-inter --cafile={ROOT} {PUBLIC_ADDRESS}"

    def outside(command: str) -> Completed:
        return gateway.testbed.client.shell(f"timeout 20 {command} 2>&1", check=False)

    assert outside(curl).code == 0
    assert "HTTP/1.1 401 Unauthorized" in outside(sign_in).stdout
    rule = "add table inet shut; add chain inet shut outside { type filter hook prerouting priority -300; };"
    gateway.server.run(["nft", f"{rule} add rule inet shut outside tcp dport 443 drop"])
    try:
        assert outside(curl).code == CURL_TIMED_OUT
        assert "401" not in outside(sign_in).stdout
    finally:
        gateway.server.run(["nft", "delete", "table", "inet", "shut"])


def test_the_report_adds_up_what_the_gateway_logged_of_a_session(gateway: Installation) -> None:
    gateway.connect()
    user = gateway.token_user()
    gateway.check_page()
    before = report(gateway)[user]
    assert before["open"] == 1
    gateway.disconnect()
    assert eventually(lambda: report(gateway)[user]["open"] == 0, 30)
    after = report(gateway)[user]
    assert after["sessions"] == before["sessions"]
    assert after["client"] == CLIENT_OUTSIDE
    for name in ("bytes_in", "bytes_out"):
        assert after[name] - before[name] > len(INTRANET_PAGE), name
    # The journal keeps what the container that is gone has logged.
    gateway.program("mst-cli", "server", "restart")
    assert report(gateway)[user]["bytes_in"] == after["bytes_in"]


def report(host: Installation) -> Mapping[str, dict[str, Any]]:
    """What `mst-cli server report` counts, by user."""
    done = host.cli("server", "report", "--since", "1h")
    return {row["user"]: row for row in done.envelope["data"]["users"]}
