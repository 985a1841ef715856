"""The init script: which init takes one, what it holds, and that its links come and go."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.units import EnableInitScript, Init, Name, init_script, init_system
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Undo
from tests.refusals import refused
from tests.unit.actions.host import Host, apply, undo
from tests.unit.containers.memory import Installed


def script_text(init: Init, name: Name, program: str) -> str:
    script = init_script(init, name, program)[0]
    assert isinstance(script, WriteFile)
    return script.text


def links(init: Init, name: str) -> list[str]:
    if init == "openrc":
        return [f"/etc/runlevels/default/{name}"]
    return [f"/etc/rc{level}.d/S01{name}" for level in (2, 3, 4, 5)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    for directory in ("runlevels/default", "rc2.d", "rc3.d", "rc4.d", "rc5.d"):
        host.files.make_directories(f"/etc/{directory}")
    return host


@pytest.mark.parametrize(
    ("there", "programs", "expected"),
    [
        (["/run/openrc"], ["rc-update"], "openrc"),
        (["/run/openrc", "/run/initctl"], ["rc-update", "update-rc.d"], "openrc"),
        (["/run/initctl"], ["update-rc.d"], "sysv"),
        ([], ["rc-update", "update-rc.d"], None),
        (["/run/openrc", "/run/initctl"], [], None),
    ],
)
def test_only_an_init_that_started_this_host_is_given_a_script(
    tmp_path: Path, there: Sequence[str], programs: Sequence[str], expected: Init | None
) -> None:
    for path in there:
        Files(tmp_path).make_directories(path)
    assert init_system(Files(tmp_path), Installed(*programs)) == expected


@pytest.mark.parametrize("name", ["mstunnel", "mstunnel_monitor"])
@pytest.mark.parametrize("init", ["openrc", "sysv"])
def test_its_links_come_and_go(host: Host, init: Init, name: Name) -> None:
    action = EnableInitScript(init=init, name=name)
    assert not action.satisfied(host, {})
    before = apply(host, action)
    assert all(host.files.state(path) is not None for path in links(init, name))

    assert undo(host, action, before).outcome is Undo.REMOVED
    assert all(host.files.state(path) is None for path in links(init, name))
    assert undo(host, action, before).outcome is Undo.ABSENT


@pytest.mark.parametrize("init", ["openrc", "sysv"])
def test_the_monitor_is_started_at_once_and_stopped_before_its_links_go(host: Host, init: Init) -> None:
    script, action = init_script(init, "mstunnel_monitor", "/usr/sbin/mstunnel_monitor", now=True)
    host.files.make_directories("/etc/init.d")
    for made in (script, action):
        apply(host, made)
    assert host.monitor_runs
    host.monitor_runs = False
    assert not action.satisfied(host, {})

    host.asked.clear()
    assert undo(host, action, {}).outcome is Undo.REMOVED
    assert host.asked[0] == "/etc/init.d/mstunnel_monitor stop"


def _refuse(_self: Host, _arguments: Sequence[str], **_options: object) -> None:
    raise ProcessError("program-missing", "rc-update is not installed")


def test_an_init_that_refuses_it_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "run", _refuse)
    with refused(StepError, "init-script-refused") as caught:
        EnableInitScript(init="openrc").apply(host, {})
    assert "rc-update add mstunnel default" in caught.value.hint


def test_links_that_cannot_be_removed_are_named(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    action = EnableInitScript(init="openrc")
    before = apply(host, action)
    monkeypatch.setattr(Host, "run", _refuse)
    undone = undo(host, action, before)
    assert undone.outcome is Undo.KEPT
    assert "/etc/init.d/mstunnel" in undone.reason


PROGRAM = """\
#!/bin/sh
echo "$@" >>{log}
[ "$*" != "{fails}" ]
"""
OPENRC = """\
ebegin() { :; }
eend() { return "$1"; }
"""


def _run(tmp_path: Path, init: Init, verb: str, fails: str = "nothing") -> tuple[int, list[str]]:
    """Run the script as its init does, with a program that writes down how it is called."""
    log, program = tmp_path / "log", tmp_path / "mst-cli"
    log.write_text("")
    program.write_text(PROGRAM.format(log=log, fails=fails))
    program.chmod(0o755)
    script = script_text(init, "mstunnel", str(program))
    if init == "openrc":
        script = f"{OPENRC}{script}\n{verb}\n"
    command = ["/bin/sh", "-c", script, "mstunnel", verb]
    done = subprocess.run(command, check=False, timeout=120, capture_output=True, text=True)
    return done.returncode, log.read_text().splitlines()


@pytest.mark.parametrize("init", ["openrc", "sysv"])
def test_the_script_starts_the_server_first_and_stops_it_last(tmp_path: Path, init: Init) -> None:
    assert _run(tmp_path, init, "start") == (0, ["server start", "agent start"])
    assert _run(tmp_path, init, "stop") == (0, ["agent stop", "server stop"])


@pytest.mark.parametrize("init", ["openrc", "sysv"])
def test_the_script_reports_a_failed_start_to_its_init_system(tmp_path: Path, init: Init) -> None:
    code, asked = _run(tmp_path, init, "start", fails="server start")
    # The agent reports that to the tenant.
    assert (code, asked) == (1, ["server start", "agent start"])


MONITOR = """\
#!/bin/sh
echo "looking after it" >&2
exec sleep 60
"""
LOGGER = """\
#!/bin/sh
echo "$@" >{log}
exec cat >>{log}
"""


@pytest.fixture
def monitor_script(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Run the script of the monitor for System V init, with a log of our own; what it started is ended."""
    for name, text in (("monitor", MONITOR), ("logger", LOGGER.format(log=tmp_path / "log"))):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    script = script_text("sysv", "mstunnel_monitor", str(tmp_path / "monitor"))
    path = tmp_path / "script"
    path.write_text(script.replace("/run/", f"{tmp_path}/"))
    path.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

    def run(verb: str) -> int:
        # As the program runs it: it would wait for whatever keeps these streams open.
        return subprocess.run(
            [path, verb], env=environment, check=False, timeout=120, capture_output=True
        ).returncode

    yield run
    run("stop")


def test_the_monitor_of_sysv_runs_once_logs_and_ends(
    tmp_path: Path, monitor_script: Callable[[str], int]
) -> None:
    number = tmp_path / "mstunnel_monitor.pid"
    assert monitor_script("status") != 0
    assert monitor_script("start") == 0
    first = number.read_text()
    assert monitor_script("start") == 0
    assert (monitor_script("status"), number.read_text()) == (0, first)
    log, until = tmp_path / "log", time.monotonic() + 10
    while not (log.exists() and log.read_text().endswith("after it\n")) and time.monotonic() < until:
        time.sleep(0.05)

    assert monitor_script("stop") == 0
    assert monitor_script("status") != 0
    assert not Path(f"/proc/{first.strip()}").exists()
    assert log.read_text() == "-t mstunnel_monitor\nlooking after it\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "logger", "monitor", "script"]


def test_openrc_supervises_the_monitor_and_never_gives_it_up() -> None:
    script = script_text("openrc", "mstunnel_monitor", "/usr/sbin/mstunnel_monitor")
    said = f"{script}\necho $supervisor $command $respawn_delay $respawn_max"
    done = subprocess.run(["/bin/sh", "-euc", said], check=True, timeout=120, capture_output=True, text=True)
    assert done.stdout == "supervise-daemon /usr/sbin/mstunnel_monitor 30 0\n"
