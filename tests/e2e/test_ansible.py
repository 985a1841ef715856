"""The Ansible collection on a bare server over SSH: plan, wait, install, run again, remove."""

import time
from collections.abc import Iterator

import pytest

from tests.testbed.fleet import CLIENT_SECRET, Fleet, Recap, recap

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NOTHING = Recap(changed=0, unreachable=0, failed=0)
TREES = ("/etc", "/opt", "/run", "/tmp", "/var/lib/mstunnel", "/var/log", "/var/tmp")
# Looks at all command lines until a file appears: how many it saw, then those with the secret.
WATCH = """
import pathlib, sys
secret, over, seen, looked = sys.argv[1].encode(), pathlib.Path("/root/over"), set(), 0
while not over.exists():
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        looked += 1
        if secret in line:
            seen.add(line.split(secret)[0].replace(b"\\0", b" ").decode().strip())
print(looked, *sorted(seen), sep="\\n")
"""
LEFT = ("/etc/mstunnel", "/opt/mstunnel-setup", "/etc/mstunnel-setup", "/usr/sbin/mst-cli")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.running("server") as fleet:
        yield fleet


def test_one_server_from_bare_to_serving_and_back(fleet: Fleet) -> None:
    server = fleet.servers["server"]
    assert "there is nothing yet" in fleet.play("install", "--check", "--diff").stdout
    assert server.run(["ls", "/opt/mstunnel-setup"], check=False).code == 2

    installed = fleet.play("install", "-vvv")
    print(f"installed in {installed.seconds:.0f} s")
    assert recap(installed)["server"].failed == 0
    for text in (installed.stdout, installed.stderr):
        assert CLIENT_SECRET not in text
        assert "PRIVATE KEY" not in text
    assert server.run(["mst-cli", "status"], check=False).code == 0
    assert recap(fleet.play("install"))["server"] == NOTHING

    removed = fleet.play("uninstall")
    assert recap(removed)["server"].failed == 0
    assert fleet.installation.tenant()["servers"] == []
    assert [path for path in LEFT if server.run(["test", "-e", path], check=False).code == 0] == []
    assert recap(fleet.play("uninstall"))["server"] == NOTHING


@pytest.mark.long
def test_server_waiting_for_its_certificate_is_no_failure(fleet: Fleet) -> None:
    answers = {**fleet.variables["mstunnel_gateway_answers"], "certificate": {}}
    waits = fleet.play("install", hosts={"server": {"mstunnel_gateway_answers": answers}})
    assert recap(waits)["server"].failed == 0
    assert "Waiting: there is no TLS certificate yet" in waits.stdout
    assert "(certificate-awaited)" in waits.stdout
    assert fleet.installation.tenant()["servers"] == []
    again = fleet.play("install", hosts={"server": {"mstunnel_gateway_answers": answers}})
    assert recap(again)["server"] == NOTHING

    fleet.play("install")
    assert fleet.servers["server"].run(["mst-cli", "status"], check=False).code == 0
    fleet.play("uninstall")


@pytest.mark.long
def test_no_secret_is_on_a_command_line_or_left_in_a_file(fleet: Fleet) -> None:
    """Every process that begins on the server is looked at while the installation runs."""
    server = fleet.servers["server"]
    server.write("/root/watch", WATCH)
    server.start(["sh", "-c", f"python3 /root/watch '{CLIENT_SECRET}' >/root/seen 2>&1"])
    begin = time.monotonic()
    fleet.play("install")
    print(f"watched for {time.monotonic() - begin:.0f} s")
    server.run(["touch", "/root/over"])
    server.shell("while pgrep -f '[r]oot/watch' >/dev/null; do sleep 0.1; done")
    looked, _, seen = server.read("/root/seen").partition("\n")
    assert int(looked) > 100
    # It finds the one that carries the secret on purpose: itself.
    assert seen.splitlines() == ["python3 /root/watch", "sh -c python3 /root/watch '"]
    found = server.run(
        ["grep", "--recursive", "--files-with-matches", "--fixed-strings", CLIENT_SECRET, *TREES], check=False
    )
    assert found.stdout == ""
    fleet.play("uninstall")
