"""Start of programs: selection by name, and few imports for `--version` and `--help`."""

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.cli import dispatch
from mstunnel_setup.cli.dispatch import MODULES
from mstunnel_setup.install.installed import FILE, LINKS
from scripts.docs.command_tree import PROGRAMS
from tests.cases import every
from tests.unit.cli.conftest import MAIN

ROOT = Path(__file__).parents[3]
# This starts a program as its script does, then prints the modules outside the standard library.
STARTED = """
import json, sys
sys.argv = sys.argv[1:]
before = set(sys.modules)
from mstunnel_setup.cli.dispatch import main
try:
    main()
except SystemExit:
    pass
loaded = {*sys.modules} - before
print(json.dumps([name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names]))
"""


def started(*words: str, **variables: str) -> tuple[str, set[str]]:
    """Return the output of a program and the modules it loads from outside the standard library."""
    done = subprocess.run(
        [sys.executable, "-c", STARTED, *words],
        env={"PATH": os.defpath, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *shown, loaded = done.stdout.splitlines(keepends=True)
    return "".join(shown), set(json.loads(loaded))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_version_imports_nothing(name: str) -> None:
    assert started(name, "-V")[0] == f"{name} {__version__}\n"
    shown, loaded = started(name, "--version")
    assert shown == f"{name} {__version__}\n"
    assert loaded == {"mstunnel_setup", "mstunnel_setup.cli", "mstunnel_setup.cli.dispatch"}


def test_the_version_as_json_is_left_to_the_command_line() -> None:
    shown, _ = started("mst-cli", "--version", MSTUNNEL_OUTPUT="json")
    assert json.loads(shown)["data"] == {"version": __version__}


@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
def test_unwritable_version_is_handled_like_any_output(closed: str) -> None:
    """A closed output is ignored; a full disk is reported."""
    script = f'exec "$@" --version {closed}'
    command = [sys.executable, "-c", MAIN, "mst-cli"]
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command], capture_output=True, text=True, check=False, timeout=60
    )
    full = closed == ">/dev/full"
    assert (done.returncode != 0, "No space left" in done.stderr) == (full, full)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", MODULES)
def test_the_name_decides_and_help_loads_no_work(name: str) -> None:
    shown, loaded = started(f"/usr/sbin/{name}", "--help")
    assert f"Usage: {name} " in shown
    assert {module.partition(".")[0] for module in loaded} & {"docker", "jinja2", "podman", "tuf"} == set()


# Half as many again as today: only a package that is loaded for nothing reaches it.
MOST_MODULES_FOR_HELP = 200
READERS = ("status", "health", "version", "metrics", "server status", "server show users", "server logs")
WRITING_SIDE = ("mstunnel_setup.actions", "mstunnel_setup.tenant", "mstunnel_setup.transaction.runner")
"""As the contract `readers` in .importlinter; the options of the command line need the model of answers."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_loads_few_modules(name: str) -> None:
    _, loaded = started(name, "--help")
    assert len(loaded) <= MOST_MODULES_FOR_HELP


@pytest.mark.parametrize("command", READERS)
def test_reading_commands_load_nothing_that_writes(command: str, tmp_path: Path) -> None:
    _, loaded = started("mst-cli", *command.split(), "--root", str(tmp_path))
    assert [
        name for name in loaded if f"{name}.".startswith(tuple(f"{side}." for side in WRITING_SIDE))
    ] == []
    assert any(name.startswith("mstunnel_setup.operations.") for name in loaded)


WORKS = re.findall(
    r'"([a-z_.]+:[a-z_]+)"', "".join(path.read_text() for path in (ROOT / "mstunnel_setup/cli").glob("*.py"))
)


@every("work", WORKS)
def test_what_a_simple_command_names_exists(work: str) -> None:
    module, _, function = work.partition(":")
    assert callable(getattr(importlib.import_module(f"mstunnel_setup.{module}"), function))


def test_a_wheel_has_no_program_of_a_server() -> None:
    """Installing `mst-admin` with pipx must not add an installer, whose other files are missing."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == dict.fromkeys(
        ("mst-admin", "mst-readiness", "mstunnel-lab"), "mstunnel_setup.cli.dispatch:main"
    )


def test_the_one_file_may_have_its_version_in_its_name() -> None:
    command = [sys.executable, "-c", MAIN, "./mstunnel-setup-1.0", "--help"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"Usage: {FILE} " in finished.stdout


def test_every_name_that_an_installation_leaves_is_a_program() -> None:
    assert {FILE, *LINKS} <= {*MODULES}


def test_an_interruption_while_a_program_is_loaded_is_reported(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["mst-cli", "status"])
    monkeypatch.setattr(dispatch, "import_module", interrupted)

    assert dispatch.main() == ExitCode.INTERRUPTED
    assert capfd.readouterr().err == "\nstopped[interrupted]: interrupted\n"


def test_no_plugin_of_pydantic_is_loaded(tmp_path: Path) -> None:
    """Any package on the path could provide a plugin, which root would run."""
    found = tmp_path / "other-1.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (found / "entry_points.txt").write_text("[pydantic]\nother = other\n")
    (tmp_path / "other.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')")
    command = [sys.executable, "-c", MAIN, "mstunnel-setup", "answers", "schema"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    assert not (tmp_path / "loaded").exists()
