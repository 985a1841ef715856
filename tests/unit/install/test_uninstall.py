"""What is left of an installation's own files after the last step back."""

from pathlib import Path

from mstunnel_setup import paths
from mstunnel_setup.engine.journal import Journal
from mstunnel_setup.host.files import Files
from mstunnel_setup.install.uninstall import forget
from tests.unit.clocks import FakeClock


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
