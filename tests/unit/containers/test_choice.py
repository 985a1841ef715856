"""The choice of the engine and its reason; versions and run methods."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from mstunnel_setup.base.errors import EngineError, ExitCode
from mstunnel_setup.containers.choice import (
    ChooseEngine,
    EngineChoice,
    EnginePreference,
    RunMethod,
    choose_run_method,
    engine_of,
    open_engine,
)
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.containers.versions import engine_table, is_tested, refuse_unfit, release
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Undo, UndoRecord
from mstunnel_setup.transaction.receipt import Entry, Receipt
from tests.cases import every
from tests.unit.containers.memory import Installed


@dataclass
class Hosts:
    """Versions of the installed engines; an engine whose version is an error does not respond."""

    versions: Mapping[str, str | EngineError]
    closed: list[str] = field(default_factory=list)

    def opener(self, name: str) -> Any:
        @contextmanager
        def opened(*_ports: Any, **_options: Any) -> Iterator[Any]:
            found = self.versions.get(
                name, EngineError("engine-missing", f"{name.capitalize()} is not installed")
            )
            if isinstance(found, EngineError):
                raise found
            try:
                yield SimpleNamespace(version=lambda: found)
            finally:
                self.closed.append(name)

        return opened

    def open(self, wish: EnginePreference, monkeypatch: pytest.MonkeyPatch) -> EngineChoice:
        for name in ("podman", "docker"):
            monkeypatch.setattr(f"mstunnel_setup.containers.{name}.{name}_engine", self.opener(name))
        with ExitStack() as stack:
            engine, chosen = open_engine(wish, Files(), Installed(*self.versions), Clock(), stack)
            assert engine.version() == chosen.version
        assert self.closed.count(chosen.name) == 1
        return chosen


DEAD = EngineError("engine-not-running", "its service does not start", "Run `podman info` to see why.")


BOTH = {"podman": "5.4.2", "docker": "26.1.5"}
OLD = (
    "Podman 3.4.4 cannot run the gateway: Podman 4.2 and later cannot use its containers, and it cannot run "
    "units of the current form"
)


@pytest.mark.parametrize(
    ("versions", "wish", "name", "reason"),
    [
        ({"podman": "5.4.2"}, EnginePreference(), "podman", "the only engine installed"),
        (BOTH, EnginePreference(), "podman", "preferred over Docker, which is also installed"),
        ({"docker": "26.1.5"}, EnginePreference(), "docker", "Podman is not installed"),
        ({**BOTH, "podman": "3.4.4"}, EnginePreference(), "docker", OLD),
        ({**BOTH, "podman": DEAD}, EnginePreference(), "docker", "its service does not start"),
        (BOTH, EnginePreference("docker"), "docker", "as requested"),
        (
            {**BOTH, "docker": "18.09"},
            EnginePreference(installed="docker"),
            "docker",
            "the existing gateway runs on it",
        ),
    ],
    ids=["only Podman", "both", "only Docker", "bad Podman", "dead Podman", "asked for", "installed"],
)
def test_engine_is_chosen_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
    versions: dict[str, Any],
    wish: EnginePreference,
    name: EngineName,
    reason: str,
) -> None:
    assert Hosts(versions).open(wish, monkeypatch) == EngineChoice(name, versions[name], reason)


def test_http_libraries_are_loaded_only_with_an_engine() -> None:
    """Check the imports: many commands open no engine, and these libraries take a tenth of their time."""
    heavy = {"requests", "truststore", "urllib3"}
    look = f"import sys, mstunnel_setup.actions.host; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("versions", "wish", "code", "said"),
    [
        ({}, EnginePreference(), "engine-missing", "neither Podman nor Docker is installed"),
        ({"podman": "5.4.2"}, EnginePreference("docker"), "engine-missing", "Docker is not installed"),
        ({"podman": "3.4.4"}, EnginePreference(), "engine-version", "Podman 3.4.4 cannot run the gateway"),
        ({"podman": DEAD}, EnginePreference(), "engine-not-running", "does not start"),
        ({"docker": "18.09.1"}, EnginePreference(), "engine-version", "older than 20.10"),
    ],
    ids=["none", "other one", "bad", "dead", "old"],
)
def test_refusal_names_the_problem_of_the_installed_engine(
    monkeypatch: pytest.MonkeyPatch, versions: dict[str, Any], wish: EnginePreference, code: str, said: str
) -> None:
    hosts = Hosts(versions)
    with pytest.raises(EngineError, match=said) as caught:
        hosts.open(wish, monkeypatch)
    assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.ENGINE)
    assert hosts.closed == [
        name for name, found in versions.items() if isinstance(found, str) and wish.engine in ("auto", name)
    ]


def test_choice_of_the_engine_is_kept_in_the_journal() -> None:
    action = ChooseEngine(engine="docker", reason="as requested")
    assert action.describe() == "use Docker: as requested"
    assert not action.satisfied(None, {})
    outputs = action.apply(None, {})
    assert action.satisfied(None, {action.key: outputs})
    assert (
        engine_of(Receipt({action.key: Entry(action.key, "images", {}, (), outputs, finished=True)}))
        == "docker"
    )
    assert engine_of(Receipt()) is None
    assert action.undo(None, UndoRecord({})).outcome is Undo.REMOVED


def refusal(engine: EngineName, version: str) -> str:
    """Return the reason to refuse an engine; empty if it can run the gateway."""
    try:
        refuse_unfit(engine, version)
    except EngineError as error:
        return error.message
    return ""


def test_only_versions_with_a_recorded_run_count_as_tested() -> None:
    claimed = {name: known.tested for name, known in engine_table().engines.items()}
    assert claimed == {"podman": ("5.4", "5.8"), "docker": ("26.1", "28.5")}
    others: dict[EngineName, tuple[str, ...]] = {"podman": ("4.9.4", "5.7.1"), "docker": ("26.0.2", "29.0.0")}
    for name, versions in others.items():
        assert not [version for version in map(release, versions) if version and is_tested(name, version)]


def test_table_of_engines_is_consistent() -> None:
    for name, known in engine_table().engines.items():
        for run in known.runs:
            assert is_tested(name, release(run.version))  # type: ignore[arg-type]
            assert refusal(name, run.version) == ""
    for bad in engine_table().bad:
        assert bad.why
        assert "cannot run the gateway" in refusal(bad.engine, bad.start)


def test_unreadable_version_is_not_refused() -> None:
    assert refusal("docker", "dev") == ""


ENGINES: tuple[EngineName, ...] = ("podman", "docker")
YES_NO = (True, False)
HOSTS = [*product(ENGINES, YES_NO, YES_NO, YES_NO)]


@every("engine, systemd, cgroup_v2, generator", HOSTS)
def test_the_run_method_of_every_host(
    *, engine: EngineName, systemd: bool, cgroup_v2: bool, generator: bool
) -> None:
    run_method = choose_run_method(engine, systemd=systemd, cgroup_v2=cgroup_v2, generator=generator)
    assert (run_method is RunMethod.ENGINE) == (not systemd)
    assert (run_method is RunMethod.QUADLET) == (engine == "podman" and systemd and cgroup_v2 and generator)


@pytest.mark.parametrize(
    ("key", "run_method"),
    [("quadlet:/x", RunMethod.QUADLET), ("unit:/x", RunMethod.UNIT), ("container:x", RunMethod.ENGINE)],
)
def test_installation_keeps_its_run_method(key: str, run_method: RunMethod) -> None:
    installed = ["file:/x", key]
    for engine, systemd, cgroup_v2, generator in HOSTS:
        chosen = choose_run_method(
            engine, systemd=systemd, cgroup_v2=cgroup_v2, generator=generator, installed=installed
        )
        assert chosen is run_method
