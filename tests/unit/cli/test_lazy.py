"""Groups of commands: what their work needs is imported when one of them is used, and not before."""

import subprocess
import sys

import pytest

PROGRAM = (
    "import sys; sys.argv[1:] = {words!r}.split()\nfrom mstunnel_setup.cli.mst_cli import main\nmain()\n"
)
LOADED = "print('mstunnel_setup.cli.certificate_commands' in sys.modules)"


@pytest.mark.parametrize(("words", "loaded"), [("--help", "False"), ("cert --help", "True")])
def test_a_group_is_imported_when_it_is_used(words: str, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(words=words) + LOADED],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == loaded


def test_help_of_a_group_lists_its_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(words="cert --help")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Show the certificate in use." in done.stdout
