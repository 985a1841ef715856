"""The same gateway on every kind of host: installed, used, disturbed, rebooted, removed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.testbed import kinds
from tests.testbed.host_tree import host_tree
from tests.testbed.installation import CONTAINERS, DEVICE_USER, Installation
from tests.testbed.kinds import Kind
from tests.testbed.machine import Entry
from tests.testbed.paths import PROGRAM_PYTHON
from tests.testbed.process import TestbedError
from tests.testbed.waiting import eventually, settled

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MONITOR = "mstunnel_monitor.service"
MESSAGES = "/etc/mstunnel/messages"
IMAGES = {"server": "gateway", "agent": "agent"}

KINDS = (
    kinds.DOCKER,
    kinds.PODMAN_ROOTLESS,
    pytest.param(kinds.PODMAN_PLAIN, marks=pytest.mark.long),
    # The kind that the other files of this directory test.
    pytest.param(kinds.PODMAN, marks=pytest.mark.long),
    pytest.param(kinds.PODMAN_UNIT, marks=pytest.mark.long),
    pytest.param(kinds.DOCKER_PLAIN, marks=pytest.mark.long),
)


class Host(Installation):
    """A host with a gateway on it, and what the host was like before."""

    before: dict[str, Entry]
    tenant_before: dict[str, list[str]]

    @property
    def kind(self) -> Kind:
        return self.testbed.kind

    def await_answer(self) -> dict[str, str]:
        """What the monitor says became of the upgrade, once it is over."""

        def answer() -> dict[str, str]:
            found = self.server.run(["cat", f"{MESSAGES}/out/upgrade.json"], check=False)
            given: dict[str, str] = json.loads(found.stdout or "{}")
            return {} if given.get("state") == "upgrading" else given

        if found := eventually(answer, 120):
            return found
        raise TestbedError(self.upgrade_account())

    def upgrade_account(self) -> str:
        """What this host tells about its upgrade: answer, history, logs, containers."""
        commands = (
            ("cat", f"{MESSAGES}/out/upgrade.json"),
            ("mst-cli", "upgrade", "history"),
            self.kind.engine_command("inspect", "--format={{json .State}}", *CONTAINERS),
            ("mst-cli", "server", "logs", "--tail", "25"),
            ("mst-cli", "agent", "logs", "--tail", "25"),
            ("tail", "--lines=25", "/var/log/mstunnel/setup.log"),
            # Without systemd the monitor writes to its standard output.
            ("journalctl", "--no-pager", "--lines=25", "--identifier=mstunnel_monitor"),
        )
        return "\n".join(self.server.run(command, check=False).describe() for command in commands)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A server of each kind with a gateway, whose installation was killed once, and a device connected."""
    with Host.booted(request.param) as installation:
        installation.before, installation.tenant_before = host_tree(installation), installation.tenant()
        killed = installation.setup_killed_at("launch")
        assert killed.code == 137, killed.describe()
        installation.setup()
        installation.keep_connected()
        yield installation


def test_a_device_reaches_the_internal_network(host: Host) -> None:
    host.await_page()
    assert host.client_address().startswith("169.254.")
    users = host.cli("server", "show", "users").envelope["data"]
    assert [user["Username"] for user in users["rows"]] == [host.token_user()], DEVICE_USER


def test_the_engine_is_one_whose_run_is_recorded(host: Host) -> None:
    """What `mst-readiness` claims as tested is what these tests ran on; another version gets a row first."""
    report = host.server.run(["mst-readiness", "host", "--output", "json"], check=False).envelope["data"]
    name = "docker" if host.kind in (kinds.DOCKER, kinds.DOCKER_PLAIN) else "podman"
    recorded = report["platforms"]["engines"][name]["runs"]
    version = host.server.run(host.kind.engine_command("version", "--format", "{{.Client.Version}}")).stdout
    assert version.strip().partition("+")[0] in [run["version"] for run in recorded]


def test_a_second_run_changes_nothing(host: Host) -> None:
    before, started = settled(lambda: host_tree(host)), host.started()
    assert host.setup().envelope["data"]["actions"] == 0
    assert host.setup("plan", "--exit-code").envelope["status"] == "unchanged"
    assert host_tree(host) == before
    assert host.started() == started


@pytest.mark.long
def test_day_two(host: Host) -> None:
    run = host.server.run
    for name in ("server", "agent"):
        assert run(["mst-cli", name, "status"]).stdout == "State: running\nHealth: healthy\n"
    overview = host.cli("status").envelope["data"]
    assert overview["mstunnel-server"]["image_digest"] == host.digest("gateway")
    # The load of the machine that the tests run on is a row as well.
    health = host.cli("health", check=False).envelope["data"]
    assert set(health["containers"].values()) == {"healthy"}, health
    assert "checked-in" in run(["mst-cli", "agent", "logs", "--tail", "50"]).stdout
    shown = run(["mst-cli", "server", "logs"])
    assert "listening" in shown.stdout + shown.stderr
    run(["mst-cli", "server", "stop"], timeout=90)
    assert run(["mst-cli", "server", "status"], check=False).code == 7
    run(["mst-cli", "server", "start"], timeout=90)
    run(["mst-cli", "agent", "restart"], timeout=90)
    host.wait_until_healthy()
    host.await_page()


@pytest.mark.long
def test_new_certificate_and_root_need_no_restart(host: Host) -> None:
    host.server.write("/run/root.pem", host.authority.pem)
    host.server.run(["mst-cli", "ca-trust", "add", "/run/root.pem"], timeout=90)
    started = host.started().splitlines()[0]
    host.place_certificate(*host.authority.issue("vpn.tunnel.test"))
    imported = host.cli("import_cert")
    assert imported.envelope["data"]["serving"] is True
    assert host.started().splitlines()[0] == started
    listed = host.cli("ca-trust", "list")
    for root in listed.envelope["data"]["roots"]:
        if root["name"].startswith("tunnel-testbed"):
            host.server.run(["mst-cli", "ca-trust", "remove", root["name"]], timeout=90)


@pytest.mark.long
def test_killed_containers_come_back(host: Host) -> None:
    host.kill_containers()
    host.wait_until_healthy()
    host.await_page()


@pytest.mark.long
def test_a_killed_engine_comes_back(host: Host) -> None:
    """Without systemd nothing watches the engine: Podman's monitors are not missed, Docker's daemon is."""
    host.server.run(["pkill", "-KILL", "-x", host.kind.killed])
    if host.kind is kinds.DOCKER_PLAIN:
        host.reboot()
    host.wait_until_healthy()
    host.await_page()


def test_after_a_reboot_the_gateway_serves_again(host: Host) -> None:
    host.reboot()
    host.wait_until_healthy()
    host.await_page()


@pytest.mark.long
def test_docker_verifies_loaded_images_and_reports_failed_pulls(host: Host) -> None:
    if host.kind is not kinds.DOCKER:
        pytest.skip("about Docker")
    host.server.copy([Path(__file__).parents[1] / "testbed/docker_cases.py"], "/root")
    command = [*PROGRAM_PYTHON, "/root/docker_cases.py", host.references["gateway"]]
    try:
        found = json.loads(host.server.run(command).stdout)
    finally:
        host.server.run(["rm", "/root/docker_cases.py"])
    assert found["loaded"]["digest"] == found["loaded"]["reference"]
    assert (found["loaded"]["while used"], found["loaded"]["afterwards"]) == ("kept", "removed")
    assert found["unknown"]["hint"] == "Check name and digest of the image."
    assert "connection refused" in found["no registry"]["message"]


@pytest.mark.long
def test_our_units_are_clean_and_shut_in(host: Host) -> None:
    """Those that Podman's generator makes are Podman's."""
    if not host.kind.systemd:
        pytest.skip("no systemd here")
    if host.kind.account:
        # What an account's service manager can forbid would keep rootless Podman from working.
        unit = f"/home/{host.kind.account}/.config/systemd/user/{MONITOR}"
        verified = host.server.run(host.kind.as_account("systemd-analyze", "verify", "--user", unit))
        assert verified.stdout + verified.stderr == ""
        return
    units = host.server.shell("echo /etc/systemd/system/mst*.service").stdout.split()
    assert f"/etc/systemd/system/{MONITOR}" in units
    verified = host.server.run(["systemd-analyze", "verify", *units])
    assert verified.stdout + verified.stderr == ""
    names = [unit.rpartition("/")[2] for unit in units]
    host.server.run(["systemd-analyze", "security", "--threshold=40", "--no-pager", *names])


def test_systemd_has_read_our_units_as_they_are(host: Host) -> None:
    if not host.kind.systemd or host.kind.account:
        pytest.skip("no system units here")
    show = "systemctl show --property=Id,LoadState,NeedDaemonReload"
    shown = host.server.shell(f"cd /etc/systemd/system && {show} mst*.service {' '.join(CONTAINERS)}").stdout
    units = [block.splitlines() for block in shown.strip().split("\n\n")]
    assert len(units) > len(CONTAINERS)
    assert [unit[1:] for unit in units] == [["LoadState=loaded", "NeedDaemonReload=no"]] * len(units), shown


@pytest.mark.long
def test_the_monitor_tells_systemd_what_it_does(host: Host) -> None:
    if not host.kind.systemd:
        pytest.skip("no systemd here")
    show: Sequence[str] = ("systemctl", "show", "--property=Type,StatusText", MONITOR)
    if host.kind.account:
        show = host.kind.as_account("systemctl", "--user", *show[1:])
    # What the agent reports of the server's health follows.
    told = "StatusText=mstunnel-server: healthy; mstunnel-agent: healthy"
    assert eventually(
        lambda: (
            {"Type=notify", told}
            == {line.partition("; server health")[0] for line in host.server.run(show).stdout.splitlines()}
        )
    )


@pytest.mark.long
def test_monitor_carries_out_an_upgrade_for_the_agent(host: Host) -> None:
    """Shut in as it is, it fetches images, writes units and has systemd start them."""
    wanted = {name: host.digest(f"{image}-next") for name, image in IMAGES.items()}
    host.offer("gateway-next", "agent-next")
    try:
        request = {f"{name}ImageDigest": digest for name, digest in wanted.items()}
        host.server.write(f"{MESSAGES}/in/images_configured.upgrade", json.dumps(request))
        if not host.kind.systemd:
            print(host.server.run(["mstunnel_monitor", "--once"], timeout=180).describe())
        answer = host.await_answer()
        assert (answer["state"], answer["server"]) == ("done", wanted["server"]), host.upgrade_account()
        overview = host.cli("status").envelope["data"]
        assert overview["mstunnel-server"]["image_digest"] == wanted["server"]
        host.await_page()
    finally:
        host.server.run(["rm", "-r", "/etc/mstunnel-setup"])


def test_uninstall_leaves_nothing(host: Host) -> None:
    host.disconnect()
    host.uninstall()
    host.restore()
    assert host_tree(host) == host.before
    assert host.tenant() == host.tenant_before
    assert host.server.run(["ls", "-A", "/home"]).stdout == ""
    assert host.server.run([host.kind.engine, "ps", "--all", "--quiet"]).stdout == ""
    assert host.server.run([host.kind.engine, "images", "--quiet"]).stdout == ""
