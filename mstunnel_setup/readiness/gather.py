"""Gathering: every reader at once, one deadline for all of them together."""

from collections.abc import Callable, Mapping
from multiprocessing import TimeoutError as LateError
from multiprocessing.pool import ThreadPool
from typing import TypeAlias

from mstunnel_setup.errors import SetupError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.readiness.facts import Facts, Section, Settings

Reader: TypeAlias = Callable[[], Section]


def gather(readers: Mapping[str, Reader], settings: Settings, clock: Clock, deadline: float) -> Facts:
    """Run all readers, each the maker of the section it is named after, for at most `deadline` seconds.

    A reader that fails or is late leaves its section out, with the reason in `unread`.
    """
    end = clock.monotonic() + deadline
    sections: dict[str, Section] = {}
    unread: dict[str, str] = {}
    # Its threads are daemons, so one that hangs in a system call holds up neither us nor the end.
    with ThreadPool(max(1, len(readers))) as pool:
        running = {name: pool.apply_async(reader) for name, reader in readers.items()}
        for name, result in running.items():
            try:
                sections[name] = result.get(max(0.0, end - clock.monotonic()))
            except LateError:
                unread[name] = f"no answer within {deadline:.0f} s"
            except SetupError as error:
                unread[name] = error.message
            except OSError as error:
                unread[name] = error.strerror or str(error)
    return Facts.model_validate({"settings": settings, "unread": unread, **sections})
