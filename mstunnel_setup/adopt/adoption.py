"""What the switch does to Microsoft's own gateway: decided once, kept in the journal, and two steps of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import TypeAdapter

from mstunnel_setup.actions.files import CopyFile, MakeDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer, remembered
from mstunnel_setup.actions.vendor_gateway import (
    ADOPT,
    ANSWER,
    HAND_OVER,
    BackUpFiles,
    NoteRunning,
    SetAside,
    SetContainerAside,
    StopUnit,
)
from mstunnel_setup.answers.merge import Answers
from mstunnel_setup.base import paths
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.run_arguments import EngineName
from mstunnel_setup.install.steps import environment
from mstunnel_setup.readiness.facts.vendor import MONITOR_UNIT
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.step import AnyStep, Step

BACKUP: Final = f"{paths.HOST_STATE}/vendor-backup.tar"
_ASIDE = "vendor"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One file that is taken over: a real path of this machine once it lies aside, and the SHA-256 of it."""

    path: str
    source: str
    digest: str
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """One container to stop; `for_good` where its engine would start it again."""

    engine: EngineName
    name: str
    for_good: bool


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """The plan that was agreed to, as data: `aside` are paths to move, `answers` are by setting path."""

    digest: str
    units: tuple[str, ...] = ()
    containers: tuple[Stopped, ...] = ()
    aside: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    answers: Mapping[str, Any]

    @property
    def data(self) -> JsonObject:
        """It as JSON data."""
        return dict(_ADAPTER.dump_python(self, mode="json"))


_ADAPTER = TypeAdapter(Adoption)


def beside(path: str) -> str:
    """Where a file, directory or container of Microsoft's gateway is kept: `.vendor` behind its name."""
    return f"{path}.{_ASIDE}"


def of_journal(receipt: Receipt) -> Adoption | None:
    """The adoption that has begun here and is not committed; None without one."""
    found = remembered(receipt, ANSWER)
    return None if found is None else _ADAPTER.validate_python(found)


def carried_over(agreed: Adoption, given: Answers) -> JsonObject:
    """The answers of Microsoft's gateway, by setting path, without those that `given` has from elsewhere.

    Of env.sh each variable counts for itself, whatever the case of its name.
    """
    found = {path: value for path, value in agreed.answers.items() if given.origins[path].kind == "default"}
    others = {name.lower() for name in given.environment}
    variables = agreed.answers.get("environment", {})
    left = {name: value for name, value in variables.items() if name.lower() not in others}
    return {**found, "environment": {**left, **given.environment}} if left else found


def in_order(adoption: Adoption, installation: Sequence[AnyStep], done: Sequence[str]) -> list[AnyStep]:
    """All steps of a switch; `done` are finished ones, of which those of the adoption are not run again.

    Microsoft's containers stop just before ours start: until then they serve from what they have mounted.
    """
    names = [step.name for step in installation]
    at = names.index("launch") if "launch" in names else len(names)
    steps = [_adopt(adoption), *installation[:at], _hand_over(adoption), *installation[at:]]
    return [step for step in steps if step.name not in done or step.name not in (ADOPT, HAND_OVER)]


def _adopt(adoption: Adoption) -> AnyStep:
    title = "Microsoft's own gateway: backup, monitor, files"
    return Step(ADOPT, title, lambda _context: adoption, lambda facts: tuple(_before(facts)))


def _hand_over(adoption: Adoption) -> AnyStep:
    title = "Microsoft's own gateway: stop its containers"
    return Step(HAND_OVER, title, lambda _context: adoption, lambda facts: tuple(_stops(facts)))


def _before(adoption: Adoption) -> Iterator[Action]:
    yield StoreAnswer(name=ANSWER, value=adoption.data)
    running: list[tuple[EngineName, str]] = [(item.engine, item.name) for item in adoption.containers]
    yield NoteRunning(units=adoption.units, containers=tuple(running))
    yield BackUpFiles(path=BACKUP, sources=adoption.aside)
    # First of all: it would start what is stopped, or upgrade it.
    yield from (StopUnit(unit=unit) for unit in adoption.units if unit == MONITOR_UNIT)
    yield from (SetAside(path=path, name=PurePosixPath(beside(path)).name) for path in adoption.aside)
    directories = ((paths.CONFIGURATION, 0o755), *environment.DIRECTORIES) if adoption.copies else ()
    yield from (MakeDirectory(path=path, mode=mode) for path, mode in directories)
    yield from (CopyFile(**asdict(copy)) for copy in adoption.copies)


def _stops(adoption: Adoption) -> Iterator[Action]:
    yield from (StopUnit(unit=unit) for unit in adoption.units if unit != MONITOR_UNIT)
    for item in adoption.containers:
        yield SetContainerAside(
            engine=item.engine, name=item.name, aside=beside(item.name), for_good=item.for_good
        )
