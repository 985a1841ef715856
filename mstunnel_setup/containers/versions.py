"""Versions of container engines: minimum, known bad, and tested ones. Data: `data/platforms.toml`."""

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files

from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, Field, computed_field
from typing_extensions import override

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.engine_options import EngineName


class EngineRun(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """A successful end-to-end run: the engine's version, and its place and date."""

    version: str
    distribution: str
    kernel: str
    date: date

    @override
    def __str__(self) -> str:
        return text(
            "{version} ({distribution}, kernel {kernel}, {date})",
            version=self.version,
            distribution=self.distribution,
            kernel=self.kernel,
            date=self.date,
        )


class EngineRange(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """Versions of an engine: the minimum, the minimum without root, and successful runs of others."""

    least: str
    least_rootless: str = ""
    runs: tuple[EngineRun, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def tested(self) -> tuple[str, ...]:
        """The tested release lines: the first two numbers of each version."""
        return tuple(dict.fromkeys(".".join(run.version.split(".")[:2]) for run in self.runs))


class BadVersions(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """A range of refused versions (`from` included, `below` excluded), and the reason."""

    engine: EngineName
    start: str = Field(alias="from")
    below: str
    why: str


class EngineTable(BaseModel, defer_build=True):
    """The engine part of `data/platforms.toml`."""

    engines: dict[EngineName, EngineRange]
    bad: tuple[BadVersions, ...]


@cache
def engine_table() -> EngineTable:
    """Return the table, which is read once."""
    text = (files("mstunnel_setup") / "data" / "platforms.toml").read_text("utf-8")
    return EngineTable.model_validate(tomllib.loads(text))


def release(text: str) -> Version | None:
    """Return the version in a program's or package's output ("4.9.4-rhel", "28.1.1+1"); None without one."""
    number = text.strip().removeprefix("v")
    for mark in "-+~: ":
        number = number.partition(mark)[0]
    try:
        return Version(number)
    except InvalidVersion:
        return None


def bad_range(engine: EngineName, version: Version) -> BadVersions | None:
    """Return the range of bad versions that includes this version, if any."""
    for bad in engine_table().bad:
        if bad.engine == engine and Version(bad.start) <= version < Version(bad.below):
            return bad
    return None


def is_tested(engine: EngineName, version: Version) -> bool:
    """Return whether a version belongs to a tested release line."""
    lines = (tuple(map(int, line.split("."))) for line in engine_table().engines[engine].tested)
    return any(version.release[: len(line)] == line for line in lines)


def refuse_unfit(engine: EngineName, text: str) -> None:
    """Raise EngineError `engine-version` for a version that cannot run the gateway; unknown formats pass."""
    version, least = release(text), engine_table().engines[engine].least
    if version is None:
        return
    bad = bad_range(engine, version)
    if bad is None and version >= Version(least):
        return
    raise EngineError(
        "engine-version",
        "{engine} {version} cannot run the gateway: {reason}",
        hint="Update {engine} to {least} or later.",
        engine=engine.capitalize(),
        version=text,
        reason=bad.why if bad else f"it is older than {least}",
        least=bad.below if bad else least,
    )
