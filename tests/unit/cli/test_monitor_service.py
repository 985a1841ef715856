"""`mstunnel_monitor` as the service that systemd starts and stops."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.unit.cli.conftest import MAIN


def stopped_by(number: signal.Signals, root: Path) -> tuple[int, str]:
    """Return exit code and log of a monitor of `root` that gets a signal once it is ready."""
    for name in ("etc", "run", "var"):
        (root / name).mkdir()
    notified = root / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(notified))
        systemd.settimeout(60)
        command = [sys.executable, "-c", MAIN, "mstunnel_monitor", "--root", str(root)]
        environment = os.environ | {"NOTIFY_SOCKET": str(notified)}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as monitor:
            while b"READY=1" not in systemd.recv(4096):
                pass
            monitor.send_signal(number)
            _output, log = monitor.communicate(timeout=60)
    return monitor.returncode, log


def test_a_stop_by_the_service_manager_is_a_success(tmp_path: Path) -> None:
    code, log = stopped_by(signal.SIGTERM, tmp_path)
    assert code == 0, log
    assert "Run the same command again" not in log
    assert "interrupted" not in log


def test_ctrl_c_interrupts_a_monitor_in_the_foreground(tmp_path: Path) -> None:
    code, log = stopped_by(signal.SIGINT, tmp_path)
    assert (code, "interrupted" in log) == (130, True)
