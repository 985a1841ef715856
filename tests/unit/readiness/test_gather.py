"""Gathering: readers in parallel, a common deadline, and a reason for each missing section."""

import threading
import time

import pytest

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.readiness.examine import Reader, gather
from mstunnel_setup.readiness.facts.host import KernelFacts, PortFacts
from mstunnel_setup.readiness.facts.programs import EngineFacts
from mstunnel_setup.readiness.facts.section import Section, Settings
from mstunnel_setup.readiness.model import Unread


def _hang() -> Section:
    threading.Event().wait(30)
    return KernelFacts()


def _refuse() -> Section:
    raise StepError("program-failed", "podman cannot be started", "Install podman.")


def _deny() -> Section:
    raise PermissionError(13, "Permission denied")


def test_hanging_reader_loses_only_its_section() -> None:
    began = time.monotonic()
    readers: dict[str, Reader] = {"kernel": _hang, "engine": EngineFacts, "ports": PortFacts}

    facts = gather(readers, Settings(), Clock(), 0.5)

    assert time.monotonic() - began < 15
    assert (facts.kernel, facts.engine, facts.ports) == (None, EngineFacts(), PortFacts())
    assert facts.unread == {"kernel": Unread(reason="no answer within 0 s")}


def test_failures_are_reported() -> None:
    facts = gather({"engine": _refuse, "ports": _deny}, Settings(), Clock(), 5)

    assert facts.unread == {
        "engine": Unread(reason="podman cannot be started", hint="Install podman."),
        "ports": Unread(reason="Permission denied", hint="Fix the cause, then run the command again."),
    }


def test_readers_run_in_parallel() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def meet(section: Section) -> Reader:
        def read() -> Section:
            meeting.wait()
            return section

        return read

    readers = {"kernel": meet(KernelFacts()), "engine": meet(EngineFacts()), "ports": meet(PortFacts())}
    facts = gather(readers, Settings(), Clock(), 10)

    assert facts.unread == {}


def test_unexpected_exception_of_a_reader_is_raised() -> None:
    def broken() -> Section:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        gather({"kernel": broken}, Settings(), Clock(), 5)
