"""Upgrades on real parts: a good release serves, a bad one is gone back from, and a client reconnects."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from tests.testbed import registry
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.outage import Outage
from tests.testbed.process import Completed
from tests.testbed.testbed import SIGNER
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

TEN_SECONDS = 10.0
CURL_REFUSED = 7
ADDRESS = ("podman", "inspect", "--format={{.NetworkSettings.IPAddress}}", "mstunnel-server")
CONNECTED_AFTER = "/root/connected-after"
REPORT = "/var/lib/mstunnel-gateway/state/report"
POLICY = "/etc/containers/policy.json"
ATTACHMENTS = "/etc/containers/registries.d/tunnel.yaml"
SIGSTORE = {"type": "sigstoreSigned", "keyPath": SIGNER, "signedIdentity": {"type": "matchRepository"}}
SIGNED_ONLY = {
    "default": [{"type": "insecureAcceptAnything"}],
    "transports": {"docker": {registry.NAME: [SIGSTORE]}},
}


@pytest.fixture
def installed(host: Installation) -> Iterator[Installation]:
    host.setup()
    yield host
    host.change_site({"upgradeAutomatically": False})
    host.server.run(["rm", "-f", CATALOGUE])


@pytest.fixture
def signed_only(installed: Installation) -> Iterator[Installation]:
    """The engine takes nothing from the registry that is not signed with one key."""
    before = installed.server.read(POLICY)
    installed.server.write(POLICY, json.dumps(SIGNED_ONLY))
    installed.server.write(ATTACHMENTS, f"docker:\n  {registry.NAME}:\n    use-sigstore-attachments: true\n")
    yield installed
    installed.server.write(POLICY, before)
    installed.server.run(["rm", "-f", ATTACHMENTS])


def upgrade(host: Installation, verb: str = "apply", *, check: bool = True) -> Completed:
    return host.cli("upgrade", verb, check=check)


def data(completed: Completed) -> dict[str, Any]:
    return dict(completed.envelope["data"])


def serving_digest(host: Installation, container: str = "mstunnel-server") -> str:
    """Digest of the image that a healthy container runs."""
    state = host.server.run(
        ["podman", "inspect", "--format={{.ImageDigest}} {{.State.Health.Status}}", container]
    )
    found, health = state.stdout.split()
    assert health == "healthy"
    return found


HANDSHAKE = "timeout 1 openssl s_client -connect 127.0.0.1:443 </dev/null >/dev/null 2>&1"


def test_good_release_serves_in_ten_seconds_and_rolls_back(installed: Installation) -> None:
    installed.offer("gateway-next", "agent-next")
    assert data(upgrade(installed, "check"))["upgrade_available"] is True
    outage = Outage(lambda: installed.server.shell(HANDSHAKE, check=False).code == 0)
    outage.start()
    done = data(upgrade(installed))
    seconds = outage.stop()
    assert done["outcome"] == "done"
    print(f"longest time without a handshake: {seconds:.1f} s")
    assert 0 < seconds < TEN_SECONDS
    assert serving_digest(installed) == installed.digest("gateway-next")
    assert serving_digest(installed, "mstunnel-agent") == installed.digest("agent-next")
    installed.connect()
    installed.check_page()
    assert upgrade(installed).envelope["status"] == "unchanged"
    installed.disconnect()
    assert data(upgrade(installed, "rollback"))["outcome"] == "done"
    again = upgrade(installed, "rollback", check=False)
    assert (again.code, again.error) == (2, "nothing-to-roll-back")
    assert serving_digest(installed) == installed.digest("gateway")
    installed.connect()


@pytest.mark.parametrize(
    "image",
    [
        "gateway-unhealthy",
        pytest.param("gateway-crashing", marks=pytest.mark.long),
        pytest.param("gateway-silent", marks=pytest.mark.long),
        pytest.param("gateway-isolated", marks=pytest.mark.long),
    ],
)
def test_bad_release_is_rolled_back_and_the_client_reconnects(installed: Installation, image: str) -> None:
    installed.keep_connected()
    installed.await_page()
    if image == "gateway-isolated":
        # What the gateway has not reached before need not be reached afterwards.
        assert eventually(lambda: '"http_code":200' in installed.server.read(REPORT), 60)
    installed.offer(image)
    refused = upgrade(installed, check=False)
    assert (refused.code, refused.error) == (7, "upgrade-failed")
    assert "the earlier release is in use again" in refused.message
    assert serving_digest(installed) == installed.digest("gateway")
    assert data(upgrade(installed, "history"))["upgrades"][0]["outcome"] == "went-back"
    installed.await_page()
    assert installed.setup().envelope["status"] == "unchanged"


def test_device_connecting_during_an_upgrade_reaches_the_new_one(
    installed: Installation,
) -> None:
    """The rule that leads to a container outlives its network for a moment; here for as long as it takes."""
    server, client = installed.server, installed.testbed.client
    before = server.run(ADDRESS).stdout
    link = server.shell("podman exec mstunnel-server cat /sys/class/net/eth0/iflink").stdout.strip()
    server.shell(f"ip link set dev $(ip -oneline link | sed -n 's/^{link}: \\([^@]*\\)@.*/\\1/p') down")
    ask = f"curl --insecure --silent --max-time 60 --output /dev/null https://{PUBLIC_ADDRESS}/"
    client.start(
        ["sh", "-c", f"rm -f {CONNECTED_AFTER}; {ask} --write-out '%{{time_connect}}\\n' >{CONNECTED_AFTER}"]
    )
    assert eventually(lambda: client.run(["ss", "-tnH", "state", "syn-sent"]).stdout != "", 10)
    installed.program("mst-cli", "server", "restart")
    assert server.run(ADDRESS).stdout != before
    assert eventually(lambda: client.shell(f"cat {CONNECTED_AFTER}").stdout != "", 60)
    assert 0 < float(client.read(CONNECTED_AFTER)) < TEN_SECONDS


@pytest.mark.long
def test_a_release_that_refuses_every_device_is_gone_back_from(installed: Installation) -> None:
    """Its handshake and its health are good; that the client had a session before gives it away."""
    installed.keep_connected()
    installed.await_page()
    installed.offer("gateway-strict")
    refused = upgrade(installed, check=False)
    assert (refused.code, refused.error) == (7, "upgrade-failed")
    message = refused.message
    assert "devices that were connected before are refused now" in message
    found = data(upgrade(installed, "history"))["upgrades"][0]
    assert (found["outcome"], found["sessions_before"]) == ("went-back", 1)
    assert serving_digest(installed) == installed.digest("gateway")
    installed.await_page()


@pytest.mark.long
def test_sleeping_device_does_not_fail_a_good_release(
    installed: Installation,
) -> None:
    installed.keep_connected()
    installed.await_page()
    installed.offer("gateway-next", "agent-next")
    done = data(upgrade(installed))
    assert (done["outcome"], done["sessions_before"], done["sessions_after"]) == ("done", 1, 1)
    installed.disconnect()
    installed.connect()
    # It wakes up when all is over.
    installed.testbed.client.run(["pkill", "-STOP", "-x", "openconnect"])
    back = upgrade(installed, "rollback")
    installed.testbed.client.run(["pkill", "-CONT", "-x", "openconnect"])
    assert data(back)["sessions_after"] == 0
    assert [notice["code"] for notice in back.envelope["warnings"]] == ["devices-away"]


@pytest.mark.long
def test_digest_missing_in_the_registry_changes_nothing(installed: Installation) -> None:
    started = installed.started()
    installed.offer("gateway-next")
    wrong = installed.server.read(CATALOGUE).replace(installed.digest("gateway-next"), f"sha256:{'0' * 64}")
    installed.server.write(CATALOGUE, wrong)
    refused = upgrade(installed, check=False)
    assert "nothing was changed" in refused.message
    assert installed.started() == started


def test_engine_with_a_signature_policy_takes_signed_images_only(signed_only: Installation) -> None:
    earlier = signed_only.digest("gateway")
    for image in ("gateway-unhealthy", "gateway-forged"):
        signed_only.offer(image, "agent-next")
        refused = upgrade(signed_only, check=False).message
        assert "nothing was changed" in refused
        assert "signature" in refused.lower()
        assert serving_digest(signed_only) == earlier
    signed_only.offer("gateway-next", "agent-next")
    assert data(upgrade(signed_only))["outcome"] == "done"
    assert serving_digest(signed_only) == signed_only.digest("gateway-next")


@pytest.mark.long
def test_a_site_with_automatic_upgrades_upgrades(installed: Installation) -> None:
    """The agent sees that its turn has come and asks; the monitor does it."""
    wanted = installed.digest("gateway-next")
    installed.offer("gateway-next", "agent-next")
    installed.change_site({"upgradeAutomatically": True})
    assert eventually(lambda: data(upgrade(installed, "history"))["upgrades"] != [], 150)
    assert eventually(lambda: data(upgrade(installed, "history"))["upgrades"][0]["outcome"] == "done", 120)
    assert data(upgrade(installed, "history"))["upgrades"][0]["asked_by"] == "agent"
    assert serving_digest(installed) == wanted


@pytest.mark.long
def test_release_missing_in_the_catalogue_is_refused(installed: Installation) -> None:
    """A request in the agent's own hand, for images that the registry has."""
    started = installed.started()
    installed.offer("gateway-next", "agent-next")
    request = {
        "serverImageDigest": installed.digest("gateway-unhealthy"),
        "agentImageDigest": installed.digest("agent"),
    }
    place = "/etc/mstunnel/messages/in/images_configured.upgrade"
    script = f"open({place!r}, 'w').write({json.dumps(request)!r})"
    python = "/opt/mstunnel-setup/bin/python3.13"
    installed.server.run(["podman", "exec", "mstunnel-agent", python, "-Ic", script])
    assert eventually(lambda: installed.server.run(["test", "-e", place], check=False).code == 1, 120)
    # A request is taken at once, and judged as soon as no other run is in progress.
    log = ["journalctl", "--quiet", "--output=cat", "--identifier=mstunnel_monitor"]
    said = [*log, "--grep=^upgrade-refused: "]
    assert eventually(lambda: installed.server.run(said, check=False).stdout != "", 30)
    assert installed.started() == started
    assert data(upgrade(installed, "history"))["upgrades"] == []


@pytest.mark.long
def test_sessions_may_end_while_new_connections_are_refused(installed: Installation) -> None:
    installed.connect()
    installed.offer("gateway-next", "agent-next")
    installed.server.start(["sh", "-c", "mst-cli upgrade apply --drain 10 --output json >/root/drained 2>&1"])
    # The client queries other DNS servers now, so another address connects.
    knock = ["curl", "--silent", "--insecure", "--max-time", "2", "https://127.0.0.1/"]
    assert eventually(lambda: installed.server.run(knock, check=False).code == CURL_REFUSED, 60)
    time.sleep(6)
    installed.check_page()
    assert serving_digest(installed) == installed.digest("gateway")
    installed.disconnect()
    assert eventually(lambda: data(upgrade(installed, "history"))["upgrades"][0]["outcome"] == "done", 120), (
        installed.server.read("/root/drained")
    )
    installed.connect()
    installed.check_page()
