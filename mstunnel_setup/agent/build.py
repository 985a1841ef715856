"""The agent put together from this host's files, clock and network."""

import sys
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from mstunnel_setup.agent.log_lines import REQUEST
from mstunnel_setup.agent.loop import Agent, Note
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.registry import asking
from mstunnel_setup.agent.renewal import Renewal
from mstunnel_setup.agent.tenant import enrol
from mstunnel_setup.agent.watch import Watch
from mstunnel_setup.base.log_line import LogLine, Tell, as_json
from mstunnel_setup.exchange.agent_settings import wants_json, wants_requests
from mstunnel_setup.exchange.status_file import write_status
from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.request_log import log_requests


def assembled(root: Path, *, watching: bool) -> Agent:
    """An agent of the host below `root`, `watching` to stay there and show its status.

    One that is not only checks in and brings into step; the status of a running agent stays as it is.
    """
    files, clock, counters = Files(root), SystemClock(), Counters()
    tell = log_of(files)
    watch = Watch(files, clock, tell, counters, asking(clock)) if watching else None
    note: Note = partial(write_status, files) if watching else lambda _status: None
    renewal = Renewal(files, clock, tell, counters) if watching else None
    return Agent(lambda: enrol(files, clock), files, clock, tell, note, counters, watch, renewal)


def requests_in_log(root: Path) -> AbstractContextManager[None]:
    """Meanwhile each request to the tenant is a log line, whenever `env.sh` wants that."""
    files = Files(root)
    tell = log_of(files)
    return log_requests(lambda text: tell(REQUEST(request=text)), partial(wants_requests, files))


def log_of(files: Files) -> Tell:
    """What writes the log: lines on standard output, as JSON for as long as `env.sh` wants that."""
    clock = SystemClock()

    def tell(line: LogLine) -> None:
        sys.stdout.write(f"{as_json(line, clock.now()) if wants_json(files) else line}\n")
        sys.stdout.flush()

    return tell
