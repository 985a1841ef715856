"""Upgrades on real parts: a good release serves, a bad one is gone back from, and a client reconnects."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.testbed.installation import Installation
from tests.testbed.process import Completed

pytestmark = pytest.mark.e2e

CATALOGUE = "/etc/mstunnel-setup/releases.toml"
TEN_SECONDS = 10.0


@pytest.fixture
def installed(host: Installation) -> Iterator[Installation]:
    host.setup()
    yield host
    host.server.run(["rm", "-f", CATALOGUE])


def digest(reference: str) -> str:
    return reference.rpartition("@")[2]


def offer(host: Installation, server: str, agent: str = "agent", name: str = "2.0") -> None:
    """Put a release with these images of the registry into the server's catalogue."""
    images = {"server": digest(host.references[server]), "agent": digest(host.references[agent])}
    lines = [f'{key} = "{value}"' for key, value in images.items()]
    host.server.write(
        CATALOGUE, "\n".join(["[[release]]", f'label = "{name}"', "published = 2026-11-01", *lines, ""])
    )


def upgrade(host: Installation, verb: str = "apply", *, check: bool = True) -> Completed:
    return host.program("mst-cli", "upgrade", verb, "--output", "json", check=check)


def data(completed: Completed) -> dict[str, Any]:
    return dict(json.loads(completed.stdout)["data"])


def serving_digest(host: Installation, container: str = "mstunnel-server") -> str:
    """Digest of the image that a healthy container runs."""
    state = host.server.run(
        ["podman", "inspect", "--format={{.ImageDigest}} {{.State.Health.Status}}", container]
    )
    found, health = state.stdout.split()
    assert health == "healthy"
    return found


class Outage(threading.Thread):
    """Asks for a TLS handshake over and over; `longest` is the longest time in seconds without one."""

    def __init__(self, host: Installation) -> None:
        super().__init__(daemon=True)
        self.host = host
        self.over = threading.Event()
        self.longest = 0.0

    def run(self) -> None:
        script = "timeout 1 openssl s_client -connect 127.0.0.1:443 </dev/null >/dev/null 2>&1"
        last = time.monotonic()
        while not self.over.is_set():
            served = self.host.server.shell(script, check=False).code == 0
            self.longest = max(self.longest, time.monotonic() - last)
            if served:
                last = time.monotonic()

    def seconds(self) -> float:
        self.over.set()
        self.join(20)
        return self.longest


def test_a_good_release_serves_within_ten_seconds_and_can_be_taken_back(installed: Installation) -> None:
    offer(installed, "gateway-next", "agent-next")
    assert data(upgrade(installed, "check"))["upgrade_available"] is True
    outage = Outage(installed)
    outage.start()
    done = data(upgrade(installed))
    seconds = outage.seconds()
    assert done["outcome"] == "done"
    assert 0 < seconds < TEN_SECONDS
    assert serving_digest(installed) == digest(installed.references["gateway-next"])
    assert serving_digest(installed, "mstunnel-agent") == digest(installed.references["agent-next"])
    installed.connect()
    assert installed.fetch_internal_page().code == 0
    assert json.loads(upgrade(installed).stdout)["status"] == "unchanged"
    installed.disconnect()
    assert data(upgrade(installed, "rollback"))["outcome"] == "done"
    assert serving_digest(installed) == digest(installed.references["gateway"])
    installed.connect()


@pytest.mark.parametrize("image", ["gateway-crashing", "gateway-unhealthy", "gateway-silent"])
def test_a_bad_release_is_gone_back_from(installed: Installation, image: str) -> None:
    installed.connect()
    offer(installed, image)
    refused = upgrade(installed, check=False)
    error = json.loads(refused.stdout)["errors"][0]
    assert (refused.code, error["code"]) == (7, "upgrade-failed")
    assert "the earlier release serves again" in error["message"]
    assert serving_digest(installed) == digest(installed.references["gateway"])
    assert data(upgrade(installed, "history"))["upgrades"][0]["outcome"] == "went-back"
    installed.disconnect()
    installed.connect()
    assert installed.fetch_internal_page().code == 0
    assert json.loads(installed.setup().stdout)["status"] == "unchanged"


def test_a_digest_that_the_registry_does_not_have_changes_nothing(installed: Installation) -> None:
    started = installed.started()
    offer(installed, "gateway-next")
    wrong = installed.server.read(CATALOGUE).replace(
        digest(installed.references["gateway-next"]), f"sha256:{'0' * 64}"
    )
    installed.server.write(CATALOGUE, wrong)
    refused = upgrade(installed, check=False)
    assert "nothing was changed" in json.loads(refused.stdout)["errors"][0]["message"]
    assert installed.started() == started
