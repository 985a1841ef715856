"""`mstunnel-setup self update` on a server that serves: a newer build, its session kept, and the way back.

The same for gateways that earlier releases installed, each built from its commit.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.exchange.release_feed import PROGRAM_TARGETS, ROOT, SETTINGS
from tests.e2e.one_file import second_checkout, shell
from tests.machines import old_release
from tests.testbed.installation import Installation
from tests.testbed.waiting import eventually
from tests.unit.exchange.publisher import Publisher, release

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(2400)]

NEWER = "99.0.0"
FEED = "/root/feed"
OLD = "/root/old"
COPIED = "/root/mstunnel-setup"
URL = "http://127.0.0.1:8099"
MONITOR = "readlink /proc/$(systemctl show --property=MainPID --value mstunnel_monitor)/exe"
SESSIONS = ("podman", "exec", "mstunnel-server", "occtl", "--json", "show", "users")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newer build of this checkout."""
    checkout = second_checkout(tmp_path_factory.mktemp("newer") / "checkout")
    shell(f"{shlex.quote(sys.executable)} -m scripts.release.version {NEWER}", checkout)
    built = checkout / "build/mstunnel-setup"
    code = f"from pathlib import Path; from scripts.bundle import dist; dist.build(Path({str(built)!r}))"
    shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}", checkout)
    return built


@pytest.fixture
def server(host: Installation, newer: Path, tmp_path: Path) -> Iterator[Installation]:
    """A server where nothing is installed yet; the feed on its own machine offers the newer build."""
    publisher = Publisher(tmp_path / "publisher")
    publisher.publish(release(1), programs={PROGRAM_TARGETS[os.uname().machine]: (newer, NEWER)})
    host.server.copy([publisher.directory], "/root")
    host.server.write(SETTINGS, f'url = "{URL}"\n')
    host.server.write(ROOT, publisher.root.decode())
    serve_feed(host)
    yield host
    host.server.run(["systemctl", "stop", "test-feed"], check=False)
    host.server.run(["rm", "-rf", FEED, SETTINGS, ROOT, OLD, COPIED])


def serve_feed(host: Installation) -> None:
    serve = f"python3 -m http.server --bind 127.0.0.1 --directory {FEED} 8099"
    host.server.run(["systemd-run", "--unit=test-feed", *serve.split()])
    assert eventually(lambda: host.server.shell(f"curl --silent --fail {URL}/", check=False).code == 0, 20)


@dataclass(frozen=True)
class Serving:
    """What must not change while the program does: when containers started, and the sessions."""

    containers: str
    sessions: tuple[tuple[int, str], ...]


def serving(host: Installation) -> Serving:
    shown = json.loads(host.server.run(SESSIONS).stdout)
    return Serving(host.started(), tuple((each["ID"], each["IPv4"]) for each in shown))


def update(host: Installation, *words: str) -> dict[str, Any]:
    done = host.program("mstunnel-setup", "self", "update", *words, "--output", "json")
    return dict(done.envelope["data"])


def version(host: Installation) -> str:
    return host.server.run(["mst-cli", "--version"]).stdout.split()[-1]


@contextmanager
def replaced_while_serving(host: Installation) -> Iterator[Serving]:
    """In the block the program becomes the newer one: its monitor goes on as that, the gateway as before."""
    before, monitor = serving(host), host.server.shell(MONITOR).stdout
    assert len(before.sessions) == 1
    yield before
    assert version(host) == NEWER
    # It notices that its program was replaced, and goes on as the new one.
    assert eventually(lambda: host.server.shell(MONITOR, check=False).stdout not in (monitor, ""), 180)
    assert serving(host) == before
    host.check_page()


def install_old(host: Installation, number: str) -> None:
    """Install a gateway with the program and the images of an earlier release, and connect a device."""
    old = old_release.prepare(number)
    host.server.run(["mkdir", OLD])
    host.server.copy([old.program, old.archive], OLD)
    host.write_answers({"images": {"archive": f"{OLD}/{old.archive.name}"}})
    fixed = ["--answers", host.path("answers.yaml"), "--unattended", "--output", "json"]
    host.program(f"{OLD}/mstunnel-setup", *fixed)
    assert version(host) == number
    host.connect()
    host.check_page()


def test_newer_build_is_installed_and_taken_back_with_a_session(server: Installation) -> None:
    server.setup()
    server.connect()
    with replaced_while_serving(server) as before:
        assert update(server, "--check")["offered"] == NEWER
        assert version(server) == __version__
        # `status` shows what was seen last, and asks nobody.
        server.server.run(["systemctl", "stop", "test-feed"])
        assert server.cli("status", check=False).envelope["data"]["newer_version"] == NEWER
        serve_feed(server)
        assert update(server) == {"before": __version__, "installed": NEWER, "offered": NEWER}

    assert update(server, "--rollback")["installed"] == __version__
    assert version(server) == __version__
    assert serving(server) == before
    server.setup()


def test_gateway_of_0_2_0_updates_itself_with_a_session(server: Installation) -> None:
    install_old(server, "0.2.0")
    with replaced_while_serving(server) as before:
        assert update(server) == {"before": "0.2.0", "installed": NEWER, "offered": NEWER}

    assert update(server, "--rollback")["installed"] == "0.2.0"
    assert update(server)["installed"] == NEWER
    assert serving(server) == before
