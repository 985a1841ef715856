"""Runs the cases of `cases_podman*.py` with real Podman, in separate namespaces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CASES = sorted(Path(__file__).parent.glob("cases_podman*.py"))
_TESTBED = Path(__file__).parents[3] / "scripts/in-testbed"


@pytest.mark.e2e
@pytest.mark.podman
def test_the_engine_with_real_podman(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(_CASES[0].parent)
    done = subprocess.run(
        [_TESTBED, "--state", tmp_path / "state", "--", sys.executable, "-m", "pytest", "-q", "-p",
         "no:cacheprovider", "-p", "no:xdist", "-p", "podman_fixtures", *_CASES],
        check=False, timeout=240, capture_output=True, text=True, env=environment, cwd=_TESTBED.parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
