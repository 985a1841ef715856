"""The choice of the gateway's engine, made once and stored in the journal, and its run method."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from typing_extensions import override

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers import versions
from mstunnel_setup.containers.engine import ENGINE_MISSING, ContainerEngine
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import RecordAction
from mstunnel_setup.transaction.receipt import Receipt

_PREFERRED: Sequence[EngineName] = ("podman", "docker")


@dataclass(frozen=True)
class EnginePreference:
    """The requested engine, and the one that an existing installation uses."""

    engine: Literal["auto", "podman", "docker"] = "auto"
    installed: EngineName | None = None

    @property
    def candidates(self) -> Sequence[EngineName]:
        """The engines to try, in order."""
        if self.installed is not None:
            return (self.installed,)
        return _PREFERRED if self.engine == "auto" else (self.engine,)


@dataclass(frozen=True)
class EngineChoice:
    """The engine in use, its version, and the reason for the choice."""

    name: EngineName
    version: str
    reason: str


class ChooseEngine(RecordAction):
    """Record the engine: one engine does not know the other's containers and images."""

    kind = "choose-engine"
    key_template = "engine"
    engine: EngineName
    reason: str

    @override
    def describe(self) -> str:
        return text("use {capitalize}: {reason}", capitalize=self.engine.capitalize(), reason=self.reason)

    @property
    @override
    def results(self) -> JsonObject:
        return {"engine": self.engine}


def engine_of(receipt: Receipt) -> EngineName | None:
    """Return the engine of the existing installation."""
    chosen = receipt.outputs.get("engine", {}).get("engine")
    return next((name for name in _PREFERRED if name == chosen), None)


def open_engine(
    preference: EnginePreference, files: Files, processes: Processes, clock: Clock, stack: ExitStack
) -> tuple[ContainerEngine, EngineChoice]:
    """Return the first candidate that can run the gateway, open until `stack` is closed.

    The engine of an existing installation is used whatever its version. Raises EngineError with the reason of
    the first installed engine; `engine-missing` if there is none.
    """
    strict = preference.installed is None
    errors: list[EngineError] = []
    for name in preference.candidates:
        try:
            with ExitStack() as attempt:
                engine: ContainerEngine
                if name == "podman":
                    from mstunnel_setup.containers.podman import podman_engine  # noqa: PLC0415 (160 ms)

                    engine = attempt.enter_context(podman_engine(files, processes, clock))
                else:
                    from mstunnel_setup.containers.docker import docker_engine  # noqa: PLC0415 (160 ms)

                    engine = attempt.enter_context(docker_engine(processes, clock, strict=strict))
                version = engine.version()
                if strict:
                    versions.refuse_unfit(name, version)
                stack.enter_context(attempt.pop_all())
        except EngineError as error:
            errors.append(error)
        else:
            return engine, EngineChoice(name, version, _reason(preference, name, errors, processes))
    present = [error for error in errors if error.code != ENGINE_MISSING.code]
    if present or len(errors) == 1:
        raise (present or errors)[0]
    missing = ENGINE_MISSING(engine="")
    raise EngineError(missing.code, text("neither Podman nor Docker is installed"), missing.hint)


def _reason(
    preference: EnginePreference, name: EngineName, errors: Sequence[EngineError], processes: Processes
) -> str:
    if preference.installed is not None:
        return text("the existing gateway runs on it")
    if preference.engine != "auto":
        return text("as requested")
    if errors:
        return errors[0].message
    others = [other.capitalize() for other in _PREFERRED if other != name and processes.find(other)]
    if others:
        return text("preferred over {others}, which is also installed", others=others[0])
    return text("the only engine installed")


class RunMethod(StrEnum):
    """The method to run containers: a Quadlet file, a unit that calls the engine, or the engine alone."""

    QUADLET = "quadlet"
    UNIT = "unit"
    ENGINE = "engine"


# Prefix of the keys in the receipt, by run method.
_MARKS = {RunMethod.QUADLET: "quadlet:", RunMethod.UNIT: "unit:", RunMethod.ENGINE: "container:"}


def choose_run_method(
    engine: EngineName, *, systemd: bool, cgroup_v2: bool, generator: bool, installed: Iterable[str] = ()
) -> RunMethod:
    """Return the run method for a host with or without systemd, cgroup v2 and a Quadlet `generator`.

    `installed` are the keys of the receipt: an existing installation keeps its method.
    """
    for key in installed:
        for run_method, mark in _MARKS.items():
            if key.startswith(mark):
                return run_method
    if not systemd:
        return RunMethod.ENGINE
    # podman-systemd.unit(5): Quadlet needs cgroup v2.
    if engine == "podman" and cgroup_v2 and generator:
        return RunMethod.QUADLET
    return RunMethod.UNIT
