"""The services of a gateway under a real systemd: what hangs is started again, and each says what it does."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mstunnel_setup.agent.metrics import METRICS
from tests.dashboards import CONTRIB
from tests.testbed.installation import Installation
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

MONITOR = "mstunnel_monitor.service"
AGENT = "mstunnel-agent.service"
STATUS = "/var/lib/mstunnel-agent/status.json"
METRICS_UNIT = CONTRIB / "prometheus/mstunnel-metrics.service"
SCRAPE = """
scrape_configs:
  - job_name: mstunnel
    scrape_interval: 1s
    static_configs: [{targets: ["127.0.0.1:19469"]}]
"""


def shown(host: Installation, unit: str, name: str) -> str:
    """A property of a unit."""
    return host.server.run(["systemctl", "show", f"--property={name}", "--value", unit]).stdout.strip()


def ended_by(host: Installation, unit: str) -> str:
    """What systemd says of the ends of a unit since the boot."""
    return host.server.run(["journalctl", "--quiet", "--output=cat", f"UNIT={unit}"]).stdout


@contextmanager
def without_monitor(host: Installation) -> Iterator[None]:
    """Meanwhile only systemd and Podman look after the containers."""
    host.server.run(["systemctl", "stop", MONITOR])
    yield
    host.server.run(["systemctl", "start", MONITOR])


def hang_while_asleep(host: Installation) -> str:
    """Stop the monitor's process between two rounds; its id. In a round it may take its time."""
    process = shown(host, MONITOR, "MainPID")
    for _ in range(50):
        host.server.run(["kill", "-STOP", process])
        if shown(host, MONITOR, "WatchdogUSec") == "3min":
            return process
        host.server.shell(f"kill -CONT {process}; sleep 0.7")
    raise AssertionError(shown(host, MONITOR, "WatchdogUSec"))


def test_a_monitor_that_hangs_is_started_again_by_systemd(gateway: Installation) -> None:
    assert shown(gateway, MONITOR, "Type") == "notify"
    assert eventually(lambda: "mstunnel-agent: healthy" in shown(gateway, MONITOR, "StatusText"))
    hung = hang_while_asleep(gateway)
    assert eventually(lambda: shown(gateway, MONITOR, "NRestarts") == "1", 240)
    assert shown(gateway, MONITOR, "MainPID") != hung
    assert "Watchdog timeout" in ended_by(gateway, MONITOR)
    assert eventually(lambda: "mstunnel-agent: healthy" in shown(gateway, MONITOR, "StatusText"))


def test_hung_agent_is_restarted(gateway: Installation) -> None:
    gateway.wait_until_healthy()
    with without_monitor(gateway):
        before = shown(gateway, AGENT, "NRestarts")
        (process,) = gateway.server.run(
            ["podman", "inspect", "--format={{.State.Pid}}", "mstunnel-agent"]
        ).stdout.split()
        gateway.server.run(["kill", "-STOP", process])
        # As after five minutes without a round.
        gateway.server.run(["touch", "--date=10 minutes ago", STATUS])
        # As Podman's timer does every half hour, and the monitor much sooner.
        for _ in range(2):
            gateway.server.run(["podman", "healthcheck", "run", "mstunnel-agent"], check=False)
        assert eventually(lambda: shown(gateway, AGENT, "NRestarts") == str(int(before) + 1), 60)
        assert eventually(lambda: shown(gateway, AGENT, "ActiveState") == "active", 60)
        gateway.wait_until_healthy()
    assert "code=killed" in ended_by(gateway, AGENT) or "status=137" in ended_by(gateway, AGENT)


def test_a_gateway_that_hangs_is_restarted_by_the_monitor(gateway: Installation) -> None:
    gateway.wait_until_healthy()
    before = gateway.started()
    gateway.server.run(["pkill", "--signal=STOP", "--exact", "ocserv-main"])
    restarts = ["journalctl", "--quiet", "--output=cat", "--identifier=mstunnel_monitor", "--grep=^restart: "]
    unhealthy = "restart: mstunnel-server is unhealthy"
    assert eventually(lambda: unhealthy in gateway.server.run(restarts, check=False).stdout, 300)
    # The engine waits for a drain before it kills what does not end.
    assert eventually(lambda: gateway.program("mst-cli", "server", "status", check=False).code == 0, 120)
    assert gateway.started() != before


def test_monitor_status_line_shows_containers_and_server(gateway: Installation) -> None:
    wanted = r"mstunnel-server: healthy; mstunnel-agent: healthy; server health: \w+.* \(\d\d:\d\d UTC\)"
    assert eventually(lambda: re.fullmatch(wanted, shown(gateway, MONITOR, "StatusText")) is not None, 180)


def test_the_journal_keeps_the_fields_apart(gateway: Installation) -> None:
    entries = ["journalctl", "--quiet", "--lines=1", "--identifier=mstunnel_monitor"]
    find = [*entries, "MSTUNNEL_CODE=health-changed"]
    assert eventually(lambda: gateway.server.run(find).stdout != "", 180)
    entry = json.loads(gateway.server.run([*find, "--output=json"]).stdout)
    assert entry["MESSAGE"].startswith(f"health-changed: this server is {entry['MSTUNNEL_STATE']}")
    assert (entry["PRIORITY"], entry["_SYSTEMD_UNIT"]) == ("5", MONITOR)
    assert entry["MESSAGE"].endswith(entry["MSTUNNEL_HINT"])


def test_prometheus_scrapes_the_example_unit(gateway: Installation) -> None:
    server = gateway.server
    server.write("/etc/systemd/system/mstunnel-metrics.service", METRICS_UNIT.read_text())
    try:
        server.run(["systemctl", "enable", "--now", "mstunnel-metrics"])
        fetch = ["curl", "--silent", "--fail", "http://127.0.0.1:19469/metrics"]
        assert eventually(lambda: "mstunnel_" in server.run(fetch, check=False).stdout, 120)
        served = set(re.findall(r"^(mstunnel_\w+)", server.run(fetch).stdout, re.MULTILINE))
        assert served <= {metric.name for metric in METRICS}
        assert {"mstunnel_agent_info", "mstunnel_check_ins_total"} < served
        process = shown(gateway, "mstunnel-metrics.service", "MainPID")
        owner = server.run(["stat", "--format=%u", f"/proc/{process}"]).stdout.strip()
        assert owner not in {"0", "65532"}
        assert collected(gateway) >= served
        server.run(["systemctl", "stop", "mstunnel-metrics"])
        assert shown(gateway, "mstunnel-metrics.service", "Result") == "success"
    finally:
        server.run(["systemctl", "disable", "--now", "mstunnel-metrics"], check=False)
        server.run(["rm", "/etc/systemd/system/mstunnel-metrics.service"])
        server.run(["systemctl", "daemon-reload"])


def collected(host: Installation) -> set[str]:
    """Names of the metrics that a Prometheus collects in the server's network, as on the server itself."""
    namespace, state = host.testbed.server.namespace, host.testbed.state
    (state / "prometheus.yml").write_text(SCRAPE)
    inspected = namespace.podman("inspect", "--format={{.State.Pid}}", host.server.name)
    inside = ("nsenter", f"--net=/proc/{inspected.stdout.strip()}/ns/net")
    script = f"""
prometheus --config.file={state}/prometheus.yml --storage.tsdb.path={state}/tsdb \\
    --web.listen-address=127.0.0.1:19090 --log.level=error >&2 &
trap "kill $!" EXIT
for _ in $(seq 60); do
    sleep 1
    curl --silent http://127.0.0.1:19090/api/v1/label/__name__/values | grep mstunnel_ && exit
done
exit 1
"""
    found = namespace.run(*inside, "sh", "-c", script, timeout=120)
    return {name for name in json.loads(found.stdout)["data"] if name.startswith("mstunnel_")}


def test_systemd_shows_a_status_text_as_it_was_sent(gateway: Installation) -> None:
    """Why the agent, which may have been taken over, gets no socket to tell systemd what it does."""
    script = r'systemd-notify --ready --status="$(printf "\\033[2Jforged")"; sleep 60'
    options = ["--unit=forger", "--property=Type=notify", "--property=NotifyAccess=all"]
    gateway.server.run(["systemd-run", *options, "sh", "-c", script])
    status = gateway.server.run(["systemctl", "status", "--no-pager", "forger"]).stdout
    gateway.server.run(["systemctl", "stop", "forger"])
    assert "\033[2Jforged" in status
