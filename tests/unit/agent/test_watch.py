"""The agent's files of each minute: the health report, the metrics, and the address to probe."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup.agent.health_watch import HealthWatch, RegistryWatch, ask_registry
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.exchange.gateway_report import REPORT_SHOWN
from mstunnel_setup.exchange.health_observation import SyncState
from mstunnel_setup.exchange.health_report import HealthState, read_health
from mstunnel_setup.exchange.health_rows import ROWS
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import HealthThreshold
from tests.serving import Answer, Request, answering
from tests.unit.clocks import START, FakeClock
from tests.unit.present import present

URL = "http://intranet.example/"


@dataclass
class Scene:
    files: Files
    clock: FakeClock = field(default_factory=FakeClock)
    log: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    away: NetworkError | None = None

    def watch(self) -> HealthWatch:
        return HealthWatch(self.files, self.clock, self.log.append, Counters(check_ins=7), self.ask)

    def ask(self, address: str) -> None:
        self.asked.append(address)
        if self.away is not None:
            raise self.away

    def gateway_says(self, sessions: int = 4) -> None:
        report = f'time {self.clock.now().timestamp():.0f}\nstatus {{"Active sessions": {sessions}}}\n'
        self.files.write(REPORT_SHOWN, report.encode())

    def state(self, row: str) -> str:
        return {item.id: item.state.value for item in present(read_health(self.files)).rows}[row]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    files = Files(tmp_path)
    for directory in (paths.CONFIGURATION, paths.SERVER_STATE_INSIDE, "/proc"):
        files.make_directories(directory)
    files.write("/proc/stat", b"cpu 1 0 0 1 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\n")
    files.write("/proc/meminfo", b"MemTotal: 100 kB\nMemAvailable: 3 kB\n")
    files.write(paths.IMAGES_CONFIGURED, b'{"serverImageName": "registry.example:5000/gateway"}')
    scene = Scene(files)
    scene.gateway_says()
    return scene


@pytest.mark.parametrize(
    ("images", "host"),
    [
        ('{"serverImageName": "localhost/mstunnel-gateway"}', None),
        ('{"serverImageName": "localhost:5000/gateway"}', "localhost:5000"),
        ('{"serverImageName": "registry.example/gateway"}', "registry.example"),
        ('{"serverImageName": ""}', None),
        ('{"serverImageDigest": "sha256:00"}', None),
        *((content, None) for content in ("", "{", "[]")),
    ],
)
def test_registry_is_asked_only_if_images_came_from_one(scene: Scene, images: str, host: str | None) -> None:
    """Check an offline installation: its images are called `localhost/…`, which is not a registry."""
    scene.files.write(paths.IMAGES_CONFIGURED, images.encode())
    assert RegistryWatch(scene.files, scene.clock, scene.ask).look() == host
    assert scene.asked == ([] if host is None else [f"https://{host}/v2/"])


def test_report_and_metrics_are_written(scene: Scene) -> None:
    scene.watch().look(SyncState(last_check_in=START, probe_url=URL, configuration_id="c1"))

    report = present(read_health(scene.files))
    assert [row.id for row in report.rows] == [row.id for row in ROWS]
    assert report.state is HealthState.WARNING, "one core, and memory at 97 %"
    assert scene.asked == ["https://registry.example:5000/v2/"]
    (line,) = scene.log
    assert line.startswith("health-changed: this server is warning: CPU cores: 1; Memory usage: 97 %. ")


def test_metrics_show_the_health_rows(scene: Scene) -> None:
    scene.watch().look(SyncState(last_check_in=START))
    text = (scene.files.read(paths.AGENT_METRICS) or b"").decode()

    assert 'mstunnel_health_status{row="connections"} 1.0\n' in text
    assert 'mstunnel_health_status{row="memory-usage"} 2.0\n' in text
    assert 'mstunnel_health_status{row="internal-network"} 0.0\n' in text
    assert "mstunnel_connections 4.0\n" in text
    assert "mstunnel_memory_usage_ratio 0.97\n" in text
    assert "mstunnel_check_ins_total 7.0\n" in text


def test_limits_of_the_tenant_override_those_of_the_server(scene: Scene) -> None:
    scene.files.write(paths.HEALTH_THRESHOLDS, b'{"memory_usage": {"healthy": 98, "unhealthy": 99}}')
    watch = scene.watch()
    watch.look(SyncState())
    assert scene.state("memory-usage") == "healthy"

    limit = HealthThreshold(id="memoryUsage", healthy_threshold=50, unhealthy_threshold=75)
    watch.look(SyncState(thresholds=(limit,)))
    assert scene.state("memory-usage") == "unhealthy"


def test_invalid_limits_are_reported_once_and_ignored(scene: Scene) -> None:
    scene.files.write(paths.HEALTH_THRESHOLDS, b"{")
    watch = scene.watch()
    for _ in range(3):
        watch.look(SyncState())

    assert [line.partition(":")[0] for line in scene.log] == ["thresholds-invalid", "health-changed"]
    assert scene.state("memory-usage") == "warning"


def test_the_registry_is_asked_every_five_minutes(scene: Scene) -> None:
    watch = scene.watch()
    for _ in range(11):
        scene.gateway_says()
        watch.look(SyncState())
        scene.clock.sleep(60)
    assert len(scene.asked) == 3
    assert scene.state("upgradeability") == "healthy"

    scene.away = NetworkError("network-unreachable", "registry.example:5000 cannot be reached: refused")
    for _ in range(12):
        watch.look(SyncState())
        scene.clock.sleep(60)
    assert scene.state("upgradeability") == "unhealthy"


def test_registry_is_reachable_if_it_responds() -> None:
    requests: list[str] = []

    def answer(request: Request) -> Answer:
        requests.append(request.path)
        return Answer(status=401)

    with answering(answer) as port:
        ask_registry(FakeClock(), f"http://127.0.0.1:{port}/v2/")
    assert requests == ["/v2/"]
    with pytest.raises(NetworkError):
        ask_registry(FakeClock(), f"http://127.0.0.1:{port}/v2/")


def test_untrusted_registry_counts_as_reachable(scene: Scene) -> None:
    scene.away = NetworkError("tls-untrusted", "not trusted")
    scene.watch().look(SyncState())

    assert scene.state("upgradeability") == "healthy"


def test_health_is_logged_when_it_changes(scene: Scene) -> None:
    watch = scene.watch()
    for _ in range(3):
        watch.look(SyncState(last_check_in=scene.clock.now()))
    for _ in range(3):
        watch.look(SyncState(last_check_in=scene.clock.now(), refusal="bad pool"))

    assert [line.split(":")[1].strip() for line in scene.log] == [
        "this server is warning",
        "this server is unhealthy",
    ]
    wrong = "Server configuration: could not be applied; the earlier one stays in use: bad pool. "
    assert wrong in scene.log[-1]


def test_disk_error_is_reported_once(scene: Scene) -> None:
    scene.files.make_directories(f"{paths.AGENT_STATE}/health.json")
    watch = scene.watch()
    watch.look(SyncState())
    watch.look(SyncState())

    assert [line.partition(":")[0] for line in scene.log] == ["health-changed", "path-not-regular"]


class Waiting(FakeClock):
    """A clock whose sleeps take their real time; the date is fixed."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def test_report_with_changed_connections_ends_the_wait(scene: Scene) -> None:
    """Check a gateway at rest: its report once a minute is no reason to look again."""
    with Changes(scene.files) as changes:
        watch = HealthWatch(scene.files, Waiting(), scene.log.append, Counters(), scene.ask, changes)
        watch.look(SyncState())
        for sessions, seconds in ((4, 3), (500, 1), (500, 3), (0, 1)):
            writing = threading.Timer(0.2, scene.gateway_says, [sessions])
            writing.start()
            assert seconds <= watch.rest(3) <= seconds + 0.9
            writing.join()
            watch.look(SyncState())
            metrics = (scene.files.read(paths.AGENT_METRICS) or b"").decode()
            assert f"\nmstunnel_connections {sessions}.0\n" in metrics


def test_report_that_is_not_a_file_does_not_end_the_wait(scene: Scene) -> None:
    scene.files.remove(REPORT_SHOWN)
    scene.files.make_directories(REPORT_SHOWN)
    with Changes(scene.files) as changes:
        watch = HealthWatch(scene.files, Waiting(), scene.log.append, Counters(), scene.ask, changes)
        assert watch.rest(0.1) == 0.1
