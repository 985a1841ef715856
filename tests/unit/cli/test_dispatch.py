"""The one file is every program of ours, by the name it is called."""

import subprocess
import sys

import pytest

from mstunnel_setup.install.programs import FILE, LINKS

MAIN = "import sys; sys.argv.pop(0); from mstunnel_setup.cli.dispatch import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("called", "program"),
    [*((f"/usr/sbin/{name}", name) for name in (FILE, *LINKS)), ("./mstunnel-setup-1.0", FILE)],
)
def test_the_name_decides(called: str, program: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", MAIN, called, "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"Usage: {program} " in finished.stdout
