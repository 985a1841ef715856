"""The unit around an engine: accepted by systemd, sandboxed, and with unchanged values."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from mstunnel_setup.containers.container_spec import HealthCheck, Volume
from mstunnel_setup.containers.engine_options import (
    WANTED_BY,
    EngineName,
    container_options,
    create_arguments,
    unit_file,
)
from tests.unit.containers.systemd_words import ABSOLUTE, IMAGE, TEXT, specification, words

ENGINES: tuple[EngineName, ...] = ("docker", "podman")


def _values(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def _made(text: str) -> list[str]:
    """Return the words of the command that creates the container, as read by systemd."""
    (command,) = [value for value in _values(text, "ExecStartPre") if " run " in value]
    return words(command)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root for `systemd-analyze` with both engines installed."""
    for name in ("docker", "podman"):
        program = tmp_path / "usr/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    return tmp_path


def _verify(root: Path, text: str) -> str:
    """Return systemd's complaints about a unit."""
    (root / "etc/systemd/system/gateway.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", "--recursive-errors=no", "gateway.service"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_systemd_accepts_the_unit(root: Path, engine: EngineName) -> None:
    text = unit_file(specification(labels={"text": "50 % of $HOME \"x\" 'y' \\"}), engine)
    assert _verify(root, text) == ""
    assert "NoSuchKey" in _verify(root, text.replace("[Service]", "[Service]\nNoSuchKey=1"))


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=60, deadline=None)
@given(label=TEXT, host=ABSOLUTE, inside=ABSOLUTE, word=TEXT)
@example(label="%n $HOME ${X} \"q\" 'q' \\", host='/a"n v\\', inside="/b\\", word="%i$1")
@example(label=" lead and trail ", host="/a.volume", inside="/ ", word="")
@example(label="; #", host="/;", inside="/#", word="[Section]")
@example(label="x", host="/%h/$$x", inside="/~", word="")
def test_values_in_a_unit_are_read_unchanged(
    *, engine: EngineName, label: str, host: str, inside: str, word: str
) -> None:
    spec = specification(
        labels={"text": label},
        volumes=(Volume(host=host, container=inside, options=("ro",)),),
        health=HealthCheck(command=("test", word)),
    )
    made = _made(unit_file(spec, engine))
    options = list(container_options(spec, engine))
    assert made[-len(options) - 1 : -1] == options
    assert made[-1] == IMAGE


@pytest.mark.parametrize("engine", ENGINES)
def test_container_has_the_same_options_without_systemd(engine: EngineName) -> None:
    """Check all options except those for restarts and the log."""
    spec = specification(capabilities=("NET_ADMIN",), devices=("/dev/net/tun",), pids_limit=100)
    plain = [word for word in create_arguments(spec, engine) if word.startswith("--")]
    made = _made(unit_file(spec, engine))
    different = {word for word in plain if word.startswith(("--restart", "--log-driver"))}
    assert {*plain} - {*made} == different


def test_docker_starts_and_stops_dependent_units() -> None:
    text = unit_file(specification(), "docker")
    assert _values(text, "PartOf") == ["docker.service"]
    assert _values(text, "WantedBy") == ["multi-user.target docker.service"]
    assert set(WANTED_BY["docker"]) == {"multi-user.target", "docker.service"}


@pytest.mark.parametrize(("engine", "unit"), [("docker", "docker.service"), ("podman", "podman.socket")])
def test_start_is_ordered_after_its_dependencies(engine: EngineName, unit: str) -> None:
    text = unit_file(specification(), engine)
    needed = {"network-online.target", "modprobe@tun.service", unit}
    assert needed <= set(_values(text, "Wants")[0].split())
    assert needed | {"systemd-modules-load.service"} <= set(_values(text, "After")[0].split())


def test_unit_replaces_stops_and_removes_its_container() -> None:
    text = unit_file(specification(stop_timeout=20), "docker")
    remove = "-/usr/bin/docker rm --force gateway"
    assert _values(text, "ExecStartPre")[0] == remove
    assert _values(text, "ExecStopPost") == [remove]
    assert _values(text, "ExecStop") == ["/usr/bin/docker stop -t 20 gateway"]
    assert _values(text, "TimeoutStopSec") == ["50"]
    assert _values(text, "Restart") == ["always"]
