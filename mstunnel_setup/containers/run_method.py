"""How the containers of a host are run."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mstunnel_setup.containers.run_arguments import EngineName


class RunMethod(StrEnum):
    """By a Quadlet file, a systemd unit that calls the engine, or the engine alone."""

    QUADLET = "quadlet"
    UNIT = "unit"
    ENGINE = "engine"


# Prefix of the keys in the receipt, by run method.
_MARKS = {RunMethod.QUADLET: "quadlet:", RunMethod.UNIT: "unit:", RunMethod.ENGINE: "container:"}


@dataclass(frozen=True)
class HostFacts:
    """The input of the choice: engine, systemd as process 1, cgroup v2, a usable Quadlet generator."""

    engine: EngineName
    systemd: bool
    cgroup_v2: bool
    generator: bool


def choose(facts: HostFacts, installed: Iterable[str] = ()) -> RunMethod:
    """The run method; `installed` are the keys of the receipt: an existing installation keeps its method."""
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
