"""What starts quickly: `--version` imports nothing, `--help` only the command line, and a look no step."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.cli.dispatch import MODULES
from scripts.command_tree import PROGRAMS, program

ROOT = Path(__file__).parents[3]
# Starts a program as its script does, then writes the names of the modules outside the standard library.
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
# What a command line itself is made of; typer brings the two in the middle.
LIGHT = {"mstunnel_setup", "annotated_doc", "shellingham", "typer"}
WORK = {"cryptography", "docker", "jinja2", "msal", "requests", "rich", "ruamel", "tuf"}


GROUPS = [(name, below.name) for name in PROGRAMS for below in program(name).commands if below.commands]


# Commands that look at a gateway and change nothing.
LOOKS = ["status", "health", "version", "server status", "agent status", "server show users", "server logs"]
RUNS = ("mstunnel_setup.install.steps", "mstunnel_setup.install.session", "mstunnel_setup.readiness")


def started(*words: str, **variables: str) -> tuple[str, set[str]]:
    """What a program prints, and the modules that it loads and that are not of the standard library."""
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


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_version_imports_nothing(name: str) -> None:
    shown, loaded = started(name, "--version")
    assert shown == f"{name} {__version__}\n"
    assert loaded == {"mstunnel_setup", "mstunnel_setup.cli", "mstunnel_setup.cli.dispatch"}


def test_the_version_as_json_is_left_to_the_command_line() -> None:
    shown, _ = started("mst-cli", "--version", MSTUNNEL_OUTPUT="json")
    assert json.loads(shown)["data"] == {"version": __version__}


@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
def test_a_version_that_cannot_be_written_ends_as_any_result_does(closed: str) -> None:
    """What a closed output takes is lost; a full disk is reported."""
    script = f'exec "$@" --version {closed}'
    command = [
        sys.executable,
        "-c",
        "import sys; from mstunnel_setup.cli.dispatch import main; sys.exit(main())",
    ]
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command], capture_output=True, text=True, check=False, timeout=60
    )
    full = closed == ">/dev/full"
    assert (done.returncode != 0, "No space left" in done.stderr) == (full, full)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", MODULES)
def test_help_imports_only_the_command_line(name: str) -> None:
    shown, loaded = started(name, "--help")
    assert f"Usage: {name} " in shown
    assert packages(loaded) <= LIGHT


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_help_of_a_group_leaves_its_work_alone(name: str, group: str) -> None:
    shown, loaded = started(name, group, "--help")
    assert f"Usage: {name} {group} " in shown
    assert packages(loaded) & WORK == set()


@pytest.mark.parametrize("command", LOOKS)
def test_a_command_that_only_looks_loads_no_step(command: str, tmp_path: Path) -> None:
    _, loaded = started("mst-cli", *command.split(), "--root", str(tmp_path))
    assert [name for name in loaded if name.startswith(RUNS)] == []
    assert packages(loaded) & {"jinja2", "msal", "ruamel", "tuf"} == set()


def test_words_and_flags_are_not_converted() -> None:
    _, loaded = started("mst-cli", "server", "show", "users", "--verbose")
    assert "mstunnel_setup.operations.sessions" in loaded
    assert "pydantic" not in packages(loaded)


def test_options_that_are_not_given_are_not_converted() -> None:
    """Typer converts values with pydantic."""
    _, loaded = started("mst-cli", "help")
    assert packages(loaded) <= LIGHT
    _, loaded = started("mst-cli", "server", "logs", "--tail", "x")
    assert "pydantic" in packages(loaded)


@pytest.mark.parametrize("name", ["component", "sessions", "gateway_log"])
def test_a_look_at_a_container_needs_no_library(name: str) -> None:
    """Nor an action: the standard library asks the engine, and pydantic is for what others wrote."""
    imported = f"import mstunnel_setup.operations.{name}, mstunnel_setup.containers.podman_service"
    script = f"import sys; before = {{*sys.modules}}; {imported}; print(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {*done.stdout.split()}
    assert packages(loaded) - sys.stdlib_module_names == {"mstunnel_setup", "typing_extensions"}
    assert "mstunnel_setup.actions.files" not in loaded


def test_a_monitor_without_work_loads_no_installer(tmp_path: Path) -> None:
    """What it loads stays in memory for months."""
    _, loaded = started("mstunnel_monitor", "--once", "--root", str(tmp_path))
    assert "mstunnel_setup.operations.monitor.rounds" in loaded
    assert [name for name in loaded if name.startswith(RUNS[:2])] == []
    assert packages(loaded) & {"jinja2", "msal", "ruamel", "tuf"} == set()


@pytest.mark.parametrize("command", ["status", "health"])
def test_the_summary_of_a_host_asks_nothing_over_http(command: str, tmp_path: Path) -> None:
    _, loaded = started("mst-cli", command, "--root", str(tmp_path))
    assert "requests" not in loaded


def test_each_program_starts_with_the_version() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == dict.fromkeys(MODULES, "mstunnel_setup.cli.dispatch:main")
