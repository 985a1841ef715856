"""In which way the containers of a host are run."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mstunnel_setup.containers.run_arguments import EngineName


class Manner(StrEnum):
    """By a Quadlet file, by a unit around the engine, or by the engine alone."""

    QUADLET = "quadlet"
    UNIT = "unit"
    ENGINE = "engine"


# What the keys of the receipt begin with, for each way.
_MARKS = {Manner.QUADLET: "quadlet:", Manner.UNIT: "unit:", Manner.ENGINE: "container:"}


@dataclass(frozen=True)
class HostFacts:
    """What decides: engine, systemd as process 1, unified control groups, a generator that will do."""

    engine: EngineName
    systemd: bool
    cgroup_v2: bool
    generator: bool


def choose(facts: HostFacts, installed: Iterable[str] = ()) -> Manner:
    """The way for a host; `installed` are the keys of the receipt: an installation stays with its way."""
    for key in installed:
        for manner, mark in _MARKS.items():
            if key.startswith(mark):
                return manner
    if not facts.systemd:
        return Manner.ENGINE
    # podman-systemd.unit(5): Quadlet needs cgroup v2.
    if facts.engine == "podman" and facts.cgroup_v2 and facts.generator:
        return Manner.QUADLET
    return Manner.UNIT
