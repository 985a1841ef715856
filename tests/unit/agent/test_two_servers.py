"""Two servers of one site and a release, with a running lab tenant: one at a time, in the window only.

Where the tenant shows the servers' releases, this test writes them, as Microsoft's service does.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_lab import remote
from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.agent.tenant import enrol
from mstunnel_setup.base import paths
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.health_report import HealthState
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest, Reply, ReplyState
from mstunnel_setup.exchange.release_catalogue import Digests, Release, running_images
from mstunnel_setup.exchange.upgrade_standing import read_standing
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.wire import DeploymentMode, TunnelSite
from tests.unit.agent.fakes import FakeWatch, with_host
from tests.unit.agent.test_against_lab import Installed, install, installed  # noqa: F401 (a fixture)
from tests.unit.present import present
from tests.unit.running_lab import running_lab

OLD = Digests(f"sha256:{'a' * 64}", f"sha256:{'a' * 64}")
NEW = Digests(f"sha256:{'b' * 64}", f"sha256:{'b' * 64}")
_TAKEN_OVER = (paths.AGENT_CREDENTIAL, paths.AGENT_INFO, f"{paths.CA_TRUST}/lab.crt")


@dataclass
class Server:
    """A server with our agent; this test is the monitor of its host."""

    files: Files
    id: str
    log: list[str] = field(default_factory=list)
    agent: Agent = field(init=False)

    def __post_init__(self) -> None:
        clock = Clock()
        for directory in (paths.INBOX, paths.OUTBOX):
            self.files.make_directories(directory)
        self.runs(OLD)
        offer = Release(label="2.0", published=clock.now().date(), server=NEW.server, agent=NEW.agent)
        self.files.write(mailbox.OFFER, offer.model_dump_json().encode())
        watch = FakeWatch(HealthState.HEALTHY, clock)
        self.agent = Agent(lambda: enrol(self.files, clock), self.files, clock, self.log.append, watch=watch)
        with_host(self.agent)

    def runs(self, digests: Digests) -> None:
        self.files.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(digests).payload)

    def goes_round(self) -> str:
        """Run one round of the agent; return the reason to wait, or `asked` if it asked the monitor."""
        assert self.agent.round() is None
        if self.files.state(UPGRADE.request) is not None:
            return "asked"
        return present(read_standing(self.files)).code

    def is_shown(self, directory: Path) -> None:
        """The service writes into Graph what this server runs, and how its upgrade goes."""
        reply = mailbox.last_reply(self.files, UPGRADE)
        applying = reply is not None and reply.state == "applying"
        images = present(running_images(self.files))
        health = {
            "status": "upgradeInProgress" if applying else "healthy",
            "server_image_digest": images.server,
            "agent_image_digest": images.agent,
        }
        remote.control(directory, "PATCH", f"servers/{self.id}", health)

    def obeyed(self, state: ReplyState) -> None:
        """Reply as a monitor that has begun (`applying`) or completed (`accepted`) an upgrade."""
        self.files.remove(UPGRADE.request)
        if state == "accepted":
            self.runs(NEW)
        mailbox.write_reply(self.files, Reply.about(NEW, state, "", datetime.now(UTC)))


@pytest.fixture
def servers(installed: Installed, tmp_path: Path) -> list[Server]:  # noqa: F811 (the fixture)
    return both_servers(installed, tmp_path)


def both_servers(installed: Installed, tmp_path: Path) -> list[Server]:  # noqa: F811 (not the fixture)
    """Return both servers of the site, in the order of their ids."""
    second = Files(tmp_path)
    for directory in (paths.AGENT_DIRECTORY, paths.CA_TRUST):
        second.make_directories(directory)
    for path in _TAKEN_OVER:
        second.write(path, installed.files.read(path) or b"", 0o600)
    made = installed.graph.create_server(installed.site_id, "gw2", DeploymentMode.STANDALONE_ROOTFUL)
    settings = {"SiteId": installed.site_id, "ServerId": made.id}
    second.write(paths.AGENT_SETTINGS, json.dumps(settings).encode())
    both = [Server(installed.files, installed.server_id), Server(second, made.id)]
    return sorted(both, key=lambda server: server.id)


def open_window(ports: Installed, begin: timedelta, end: timedelta) -> None:
    """Set the site's window, relative to now."""
    now = datetime.now(UTC)
    changes = TunnelSite(
        upgrade_automatically=True,
        upgrade_window_utc_offset_in_minutes=0,
        upgrade_window_start_time=(now + begin).time(),
        upgrade_window_end_time=(now + end).time(),
    )
    ports.graph.update(SITES, ports.site_id, changes.to_wire())


def test_servers_of_a_site_take_turns_inside_the_window(
    installed: Installed,  # noqa: F811 (the fixture)
    servers: list[Server],
) -> None:
    first, second = servers

    def both() -> list[str]:
        # The later one goes round first: who asks first must not matter.
        return [goes_round(server) for server in (second, first)][::-1]

    def goes_round(server: Server) -> str:
        server.is_shown(installed.lab)
        return server.goes_round()

    open_window(installed, timedelta(hours=3), timedelta(hours=5))
    for _ in range(2):
        assert both() == ["window-closed", "window-closed"]

    open_window(installed, timedelta(hours=-1), timedelta(hours=2))
    assert both() == ["asked", "turn"]
    first.obeyed("applying")
    assert both() == ["upgrading", "turn"]
    assert both() == ["upgrading", "other-upgrading"]

    # An upgrade cycle that began inside the window continues past its end.
    open_window(installed, timedelta(hours=3), timedelta(hours=5))
    first.obeyed("accepted")
    assert goes_round(first) == "up-to-date"
    assert both() == ["up-to-date", "asked"]
    second.obeyed("applying")
    assert both() == ["up-to-date", "upgrading"]
    second.obeyed("accepted")
    assert both() == ["up-to-date", "up-to-date"]
    asked = [line for server in servers for line in server.log if line.startswith("upgrade-requested")]
    assert len(asked) == 2


def test_without_approvals_and_releases_in_graph_servers_take_turns_by_the_clock(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for directory in (root, tmp_path / "second"):
        directory.mkdir()
    with running_lab(tmp_path / "lab") as facts:
        ports = install(Files(root), tmp_path / "lab", facts)
        servers = both_servers(ports, tmp_path / "second")

        ports.graph.update(SITES, ports.site_id, TunnelSite(upgrade_automatically=False).to_wire())
        ports.graph.request_upgrade(ports.site_id)
        assert [server.goes_round() for server in servers] == ["approval-missing"] * 2
        for server in servers:
            assert "run `mst-cli upgrade apply`" in present(read_standing(server.files)).reason

        ports.graph.update(SITES, ports.site_id, TunnelSite(upgrade_automatically=True).to_wire())
        codes = [server.goes_round() for server in servers]
        assert codes.count("slot") >= 1
        assert set(codes) <= {"slot", "asked"}

        record = present(ports.graph.server(ports.site_id, ports.server_id))
        assert record.last_checkin_date_time is not None
        assert (record.server_image_digest, record.tunnel_server_health_status) == (None, "unknown")
