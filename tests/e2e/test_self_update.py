"""`mstunnel-setup self update` on a server that serves: a newer build, its session kept, and the way back."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.exchange.release_feed import PROGRAM_TARGETS, ROOT, SETTINGS
from tests.e2e.one_file import second_checkout, shell
from tests.testbed.installation import Installation
from tests.testbed.testbed import INTRANET_PAGE
from tests.testbed.waiting import eventually
from tests.unit.exchange.publisher import Publisher, release

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

NEWER = "99.0.0"
FEED = "/root/feed"
URL = "http://127.0.0.1:8099"
MONITOR = "readlink /proc/$(systemctl show --property=MainPID --value mstunnel_monitor)/exe"


@pytest.fixture
def server(gateway: Installation, tmp_path: Path) -> Iterator[Installation]:
    """A gateway with a session; the feed on its own machine offers a newer build of this checkout."""
    checkout = second_checkout(tmp_path / "checkout")
    shell(f"{shlex.quote(sys.executable)} -m scripts.version {NEWER}", checkout)
    shell(f"{shlex.quote(sys.executable)} -m scripts.dist", checkout)
    publisher = Publisher(tmp_path / "publisher")
    name = PROGRAM_TARGETS[os.uname().machine]
    publisher.publish(release(1), programs={name: (checkout / "dist/mstunnel-setup", NEWER)})
    gateway.server.copy([publisher.directory], "/root")
    gateway.server.write(SETTINGS, f'url = "{URL}"\n')
    gateway.server.write(ROOT, publisher.root.decode())
    serve = f"python3 -m http.server --bind 127.0.0.1 --directory {FEED} 8099"
    gateway.server.run(["systemd-run", "--unit=test-feed", *serve.split()])
    assert eventually(lambda: gateway.server.shell(f"curl --silent --fail {URL}/", check=False).code == 0, 20)
    gateway.connect()
    yield gateway
    gateway.server.run(["systemctl", "stop", "test-feed"], check=False)
    gateway.server.run(["rm", "-rf", FEED, SETTINGS, ROOT])


def update(server: Installation, *words: str) -> dict[str, Any]:
    done = server.program("mstunnel-setup", "self", "update", *words, "--output", "json")
    return dict(json.loads(done.stdout)["data"])


def version(server: Installation) -> str:
    return server.server.run(["mst-cli", "--version"]).stdout.split()[-1]


def test_a_newer_build_is_installed_while_a_session_goes_on_and_is_taken_back(server: Installation) -> None:
    def sessions() -> list[str]:
        shown = server.program("mst-cli", "server", "show", "users", "--output", "json").stdout
        return [row["ID"] for row in json.loads(shown)["data"]["rows"]]

    containers, begun, monitor = server.started(), sessions(), server.server.shell(MONITOR).stdout
    assert len(begun) == 1
    assert update(server, "--check")["offered"] == NEWER
    assert version(server) == __version__

    assert update(server) == {"before": __version__, "installed": NEWER, "offered": NEWER}
    assert version(server) == NEWER
    # The monitor notices that its program was replaced, and goes on as the new one.
    assert eventually(lambda: server.server.shell(MONITOR, check=False).stdout not in (monitor, ""), 180)
    assert (server.started(), sessions()) == (containers, begun)
    assert server.fetch_internal_page().stdout == INTRANET_PAGE

    assert update(server, "--rollback")["installed"] == __version__
    assert version(server) == __version__
    assert (server.started(), sessions()) == (containers, begun)
    server.setup()
