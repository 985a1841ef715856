"""Which engine runs the gateway, Podman or Docker: decided once, stored in the journal."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from typing_extensions import override

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers import docker_service, podman_service, versions
from mstunnel_setup.containers.engine import ContainerEngine
from mstunnel_setup.containers.errors import ENGINE_MISSING
from mstunnel_setup.containers.run_arguments import EngineName
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.receipt import Receipt

_KEY = "engine"
_PREFERRED: Sequence[EngineName] = ("podman", "docker")
_Opener: TypeAlias = Callable[[], AbstractContextManager[ContainerEngine]]


@dataclass(frozen=True)
class EnginePreference:
    """The requested engine, and the one that an existing installation runs on."""

    engine: Literal["auto", "podman", "docker"] = "auto"
    installed: EngineName | None = None

    @property
    def candidates(self) -> Sequence[EngineName]:
        """The engines to try, in order."""
        if self.installed is not None:
            return (self.installed,)
        return _PREFERRED if self.engine == "auto" else (self.engine,)


@dataclass(frozen=True)
class Chosen:
    """The engine in use, its version, and why it was chosen."""

    name: EngineName
    version: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ChooseEngine(Action[Any]):
    """Record the engine: containers and images of one engine are unknown to the other."""

    kind: ClassVar[str] = "choose-engine"
    engine: EngineName
    reason: str

    @property
    def key(self) -> str:
        """There is one engine."""
        return _KEY

    @override
    def describe(self) -> str:
        return text("use {capitalize}: {reason}", capitalize=self.engine.capitalize(), reason=self.reason)

    @override
    def satisfied(self, ports: Any, outputs: Outputs) -> bool:
        return outputs.get(self.key) == {"engine": self.engine}

    @override
    def apply(self, ports: Any, outputs: Outputs) -> JsonObject:
        """The journal record is the effect."""
        return {"engine": self.engine}

    @override
    def undo(self, ports: Any, record: UndoRecord[Any]) -> Undone:
        return Undone(Undo.REMOVED)


def engine_of(receipt: Receipt) -> EngineName | None:
    """The engine of the existing installation."""
    chosen = receipt.outputs.get(_KEY, {}).get("engine")
    return next((name for name in _PREFERRED if name == chosen), None)


def open_engine(
    wish: EnginePreference, files: Files, processes: Processes, clock: Clock, stack: ExitStack
) -> tuple[ContainerEngine, Chosen]:
    """The first candidate that can run the gateway, open until `stack` is closed.

    The engine of an existing installation is used whatever its version.
    Raises EngineError with the reason of the first installed engine; `engine-missing` when there is none.
    """
    strict = wish.installed is None
    openers: Mapping[EngineName, _Opener] = {
        "podman": lambda: podman_service.podman_engine(files, processes, clock),
        "docker": lambda: docker_service.docker_engine(processes, clock, strict=strict),
    }
    errors: list[EngineError] = []
    for name in wish.candidates:
        try:
            engine, version = _opened(name, openers[name], stack, strict=strict)
        except EngineError as error:
            errors.append(error)
        else:
            return engine, Chosen(name, version, _reason(wish, name, errors, processes))
    raise _refusal(errors)


def _opened(
    name: EngineName, opener: _Opener, stack: ExitStack, *, strict: bool
) -> tuple[ContainerEngine, str]:
    with ExitStack() as attempt:
        engine = attempt.enter_context(opener())
        version = engine.version()
        if strict:
            versions.refuse_unfit(name, version)
        stack.enter_context(attempt.pop_all())
    return engine, version


def _reason(
    wish: EnginePreference, name: EngineName, errors: Sequence[EngineError], processes: Processes
) -> str:
    if wish.installed is not None:
        return text("the existing gateway runs on it")
    if wish.engine != "auto":
        return text("as requested")
    if errors:
        return errors[0].message
    others = [other.capitalize() for other in _PREFERRED if other != name and processes.find(other)]
    return (
        text("preferred over {others}, which is also installed", others=others[0])
        if others
        else text("the only engine installed")
    )


def _refusal(errors: Sequence[EngineError]) -> EngineError:
    present = [error for error in errors if error.code != "engine-missing"]
    if present or len(errors) == 1:
        return (present or errors)[0]
    return ENGINE_MISSING(engine=", ".join(map(str.capitalize, _PREFERRED)))
