"""In which way the containers of a host are run."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mstunnel_setup.containers.run_arguments import EngineName


class RunMethod(StrEnum):
    """By a Quadlet file, by a unit around the engine, or by the engine alone."""

    QUADLET = "quadlet"
    UNIT = "unit"
    ENGINE = "engine"


# What the keys of the receipt begin with, for each way.
_MARKS = {RunMethod.QUADLET: "quadlet:", RunMethod.UNIT: "unit:", RunMethod.ENGINE: "container:"}


@dataclass(frozen=True)
class HostFacts:
    """What decides: engine, systemd as process 1, unified control groups, a generator that will do."""

    engine: EngineName
    systemd: bool
    cgroup_v2: bool
    generator: bool


def choose(facts: HostFacts, installed: Iterable[str] = ()) -> RunMethod:
    """The way for a host; `installed` are the keys of the receipt: an installation stays with its way."""
    for key in installed:
        for run_method, mark in _MARKS.items():
            if key.startswith(mark):
                return run_method
    if not facts.systemd:
        return RunMethod.ENGINE
    # podman-systemd.unit(5): Quadlet needs cgroup v2.
    if facts.engine == "podman" and facts.cgroup_v2 and facts.generator:
        return RunMethod.QUADLET
    return RunMethod.UNIT
