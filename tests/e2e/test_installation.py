"""The main job on real parts: systemd, Podman, registry, lab tenant, ocserv, openconnect."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mstunnel_setup.base.values import resolve
from tests.testbed.host_tree import tree_of_any_run
from tests.testbed.installation import DEVICE_USER, Installation, actions
from tests.testbed.machine import Entry
from tests.testbed.paths import JOURNAL

pytestmark = pytest.mark.e2e

STEPS = (
    *("eula", "environment", "certificate", "sign-in", "site", "register"),
    *("program", "kernel", "images", "configure", "launch", "verify"),
)


@pytest.fixture(scope="module")
def golden(prepared: Installation) -> dict[str, Entry]:
    """The tree after an undisturbed installation."""
    prepared.restore()
    prepared.setup()
    prepared.await_verdict()
    found = tree_of_any_run(prepared)
    prepared.uninstall()
    return found


@contextmanager
def ending_as_undisturbed(host: Installation, golden: dict[str, Entry]) -> Iterator[None]:
    """Whatever disturbs the installation, the same command ends it, and uninstall leaves nothing."""
    before, tenant = tree_of_any_run(host), host.tenant()
    yield
    host.setup()
    host.await_verdict()
    assert tree_of_any_run(host) == golden
    assert len(host.tenant()["servers"]) == 1
    assert len(host.tenant()["applications"]) == len(tenant["applications"]) + 1
    host.uninstall()
    assert tree_of_any_run(host) == before
    assert host.tenant() == tenant


@pytest.mark.core
def test_device_reaches_the_network_and_uninstall_leaves_nothing(host: Installation) -> None:
    before, tenant = tree_of_any_run(host), host.tenant()
    assert host.fetch_internal_page(check=False).code != 0
    planned = host.setup("plan").envelope["data"]["plan"]
    assert tree_of_any_run(host) == before

    host.setup()
    journal = [json.loads(line) for line in host.server.read(JOURNAL).splitlines()]
    # The journal has the results that were not known in advance.
    results = {record["key"]: record["outputs"] for record in journal if record["type"] == "done"}
    assert resolve(planned, results) == [record["action"] for record in journal if record["type"] == "begin"]

    found = host.server.shell("command -v mstunnel-setup; command -v mst-cli").stdout.split()
    assert found == ["/usr/sbin/mstunnel-setup", "/usr/sbin/mst-cli"]
    host.connect()
    assert host.client_address().startswith("169.254.")
    host.check_page()
    users = host.cli("server", "show", "users").envelope["data"]
    assert [user["Username"] for user in users["rows"]] == [host.token_user()], DEVICE_USER
    host.disconnect()

    host.uninstall()  # by /usr/sbin/mst-cli, which is gone afterwards, and what it was unpacked to
    assert tree_of_any_run(host) == before
    assert host.server.run(["test", "-e", "/usr/lib/mstunnel-setup"], check=False).code != 0
    assert host.tenant() == tenant
    assert host.server.run(["podman", "ps", "--all", "--quiet"]).stdout == ""


def test_second_run_changes_nothing(host: Installation) -> None:
    done = actions(host.setup())
    assert done[0] == "remember accepted-eula"
    assert any(action.startswith("start services mstunnel-server") for action in done)
    host.await_verdict()
    before, started = host.server.snapshot(), host.started()
    again = host.setup().envelope
    assert again["status"] == "unchanged"
    assert again["data"]["actions"] == 0
    assert host.server.snapshot() == before
    assert host.started() == started
    assert host.setup("plan", "--exit-code").envelope["status"] == "unchanged"


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS)
def test_killed_in_any_step_the_same_command_continues(
    host: Installation, golden: dict[str, Entry], step: str
) -> None:
    with ending_as_undisturbed(host, golden):
        killed = host.setup_killed_at(step)
        assert killed.code == 137, killed.describe()


def test_killed_in_one_step_after_the_other_it_ends_the_same(
    host: Installation, golden: dict[str, Entry]
) -> None:
    with ending_as_undisturbed(host, golden):
        for step in STEPS:
            killed = host.setup_killed_at(step)
            assert killed.code == 137, killed.describe()


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("environment", marks=pytest.mark.long),
        pytest.param("certificate", marks=pytest.mark.long),
        "register",
        pytest.param("launch", marks=pytest.mark.long),
    ],
)
def test_killed_and_rolled_back_nothing_is_left(host: Installation, step: str) -> None:
    before, tenant = tree_of_any_run(host), host.tenant()
    host.setup_killed_at(step)
    host.program("mstunnel-setup", "rollback", "--unattended")
    assert tree_of_any_run(host) == before
    assert host.tenant() == tenant


def test_what_an_administrator_changed_in_the_settings_survives(host: Installation) -> None:
    host.write_answers({"environment": {"TRACE_SESSIONS": 1, "DEBUG_LEVEL": 1}})
    host.setup()
    text = host.server.read("/etc/mstunnel/env.sh").replace("TRACE_SESSIONS=1", "TRACE_SESSIONS=2")
    host.server.write("/etc/mstunnel/env.sh", text + "# mine\nmine=1\n", 0o640)
    host.setup()
    lines = host.server.read("/etc/mstunnel/env.sh").splitlines()
    assert {"TRACE_SESSIONS=2", "DEBUG_LEVEL=1", "# mine", "mine=1"} <= set(lines)


def test_gateway_follows_a_new_certificate_and_commands(host: Installation) -> None:
    host.setup()
    started = host.started()
    host.connect()
    host.place_certificate(*host.authority.issue("vpn.tunnel.test"))
    assert host.cli("import_cert").envelope["data"]["serving"] is True
    files = ("--cert", "/root/chain.pem", "--key", "/root/key.pem")
    assert host.cli("import-cert", *files).envelope["status"] == "unchanged"
    assert host.started() == started
    host.check_page()
    host.disconnect()

    run = host.server.run
    assert run(["mst-cli", "server", "status"]).stdout == "State: running\nHealth: healthy\n"
    assert run(["mst-cli", "agent", "status"]).stdout == "State: running\nHealth: healthy\n"
    overview = host.cli("status").envelope["data"]
    assert overview["site"] == "Testbed"
    assert 80 < overview["certificate_days_left"] <= 90
    run(["mst-cli", "server", "stop"])
    stopped = run(["mst-cli", "server", "status"], check=False)
    assert (stopped.code, stopped.stdout.splitlines()[1]) == (7, "Health: unhealthy")
    run(["mst-cli", "server", "start"], timeout=90)
    run(["mst-cli", "server", "restart"], timeout=90)
    assert "checked-in" in run(["mst-cli", "agent", "logs", "--tail", "50"]).stdout
    assert "online" in run(["mst-cli", "server", "show", "status"], timeout=90).stdout


def test_gateway_serves_again_after_a_kill_and_a_reboot(
    host: Installation,
) -> None:
    host.setup()
    host.keep_connected()
    host.await_page()
    host.server.run(["pkill", "-KILL", "-x", "conmon"])
    host.kill_containers()
    host.wait_until_healthy()
    host.await_page()
    host.reboot()
    host.wait_until_healthy()
    host.await_page()


def test_missing_answers_are_all_named_at_once(host: Installation) -> None:
    host.write_answers({"eula": None, "site": None, "images": None})
    before = tree_of_any_run(host)
    failed = host.setup(check=False)
    assert (failed.code, failed.error) == (2, "answers-missing")
    for name in ("eula", "site", "images.server", "images.agent"):
        assert name in failed.message
    assert tree_of_any_run(host) == before
