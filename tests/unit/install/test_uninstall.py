"""An uninstallation asks once, and leaves nothing of the installation's own files."""

from pathlib import Path

import pytest

from mstunnel_setup import paths
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.render import run_app
from mstunnel_setup.engine.journal import Journal
from mstunnel_setup.errors import SetupError
from mstunnel_setup.host.files import Files
from mstunnel_setup.install.uninstall import forget, uninstall
from tests.unit.clocks import FakeClock
from tests.unit.install.scenes import FakePrompter
from tests.unit.operators import operator_of


def test_the_log_goes_with_those_that_were_rotated(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for name in ("setup.log", "setup.log.1", "setup.log.2.gz"):
        files.make_directories(paths.LOG)
        files.write(f"{paths.LOG}/{name}", b"", 0o600)
    forget(files, Journal(files, FakeClock(), paths.STATE))
    assert files.state(paths.LOG) is None


def test_a_foreign_file_beside_the_log_stays(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make_directories(paths.LOG)
    files.write(f"{paths.LOG}/notes", b"", 0o600)
    forget(files, Journal(files, FakeClock(), paths.STATE))
    assert files.names(paths.LOG) == ["notes"]


def test_a_lock_that_a_stopped_monitor_has_left_goes(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make_directories(paths.FEED_LOCK.rpartition("/")[0])
    files.write(paths.FEED_LOCK, b"{}", 0o600)
    forget(files, Journal(files, FakeClock(), paths.STATE))
    assert files.state(paths.FEED_LOCK) is None


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A host on which one step was run."""
    for directory in ("run", "etc/mstunnel", "var/lib", "var/log"):
        (tmp_path / directory).mkdir(parents=True)
    words = ["step", "environment", "--accept-eula", "--unattended", "--root", str(tmp_path)]
    assert run_app(setup.app, "mstunnel-setup", words) == 0
    return tmp_path


def test_a_person_is_asked_once_and_may_say_no(installed: Path) -> None:
    person = FakePrompter(typed=["no"])
    with pytest.raises(SetupError) as caught:
        uninstall(operator_of(installed, person), {}, offline=False, keep_data=False, yes=False)
    assert caught.value.code == "uninstall-declined"
    assert person.asked == ["Remove the gateway from this server only?"]
    assert (installed / "etc/mstunnel/env.sh").exists()


def test_who_said_yes_beforehand_is_not_asked(installed: Path) -> None:
    person = FakePrompter()
    done = uninstall(operator_of(installed, person), {}, offline=False, keep_data=False, yes=True)
    assert (done.status, person.asked) == ("changed", [])
    assert not (installed / "etc/mstunnel/env.sh").exists()
