"""Any user of the host writes into the journal what looks like the gateway's log."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.record import record

JOURNALD = Path("/usr/lib/systemd/systemd-journald")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not JOURNALD.exists(), reason="starts a journal, as root"),
    pytest.mark.timeout(120),
]

UID = 65534
ROOT = Path(__file__).parents[2]
# A journal of its own in a mount namespace of its own.
_JOURNAL = f"""
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log/journal
{JOURNALD} >/run/journald 2>&1 &
journald=$!
trap 'kill $journald' EXIT
tries=0
until [ -S /run/systemd/journal/socket ] || [ $tries = 100 ]; do sleep 0.1; tries=$((tries + 1)); done
"$@"
"""
# The engine, the attacker, then what our commands read.
_WRITE_AND_READ = """
import json, os, socket, sys, time
from datetime import UTC, datetime
from types import SimpleNamespace
from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.systemd import Systemd
from mstunnel_setup.operations.gateway_log import log_since

def write(user, text):
    fields = {"MESSAGE": text, "SYSLOG_IDENTIFIER": "ocserv", "CONTAINER_NAME": "mstunnel-server"}
    child = os.fork()
    if child == 0:
        os.setgroups([]); os.setgid(user); os.setuid(user)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            entry = "".join(f"{name}={value}\\n" for name, value in fields.items())
            journal.sendto(entry.encode(), "/run/systemd/journal/socket")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

account = int(sys.argv[1])
write(0, "of the engine as root")
write(65534, "of nobody")
write(1234, "of an account")
Processes().run(("journalctl", "--sync"), timeout=30, check=False)
time.sleep(1)
os.setgroups([]); os.setgid(0); os.seteuid(account)
everything = Processes().run(("journalctl", "--quiet", "--output=cat"), timeout=30).output
systemd = Systemd(Processes(), "/run/systemd")
ports = SimpleNamespace(processes=Processes(), systemd=systemd)
records = list(log_since(ports, datetime(2020, 1, 1, tzinfo=UTC)))
print("FOUND" + json.dumps([everything, records, systemd.log("mstunnel-server.service", 10)]))
"""


@pytest.mark.parametrize(
    ("user", "expected"),
    [(0, ["of the engine as root"]), (1234, ["of the engine as root", "of an account"])],
    ids=["root", "account"],
)
def test_no_user_forges_the_log_of_the_gateway(user: int, expected: list[str]) -> None:
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _JOURNAL, "sh"]
    command += [sys.executable, "-c", _WRITE_AND_READ, str(user)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert "FOUND" in done.stdout, done.stderr
    everything, records, log = json.loads(done.stdout.partition("FOUND")[2])
    assert "of nobody" in everything
    assert records == expected
    assert log.splitlines() == expected
    record("local user", f"forge records of sessions in the journal (read by user {user})", "ignored (_UID)")
