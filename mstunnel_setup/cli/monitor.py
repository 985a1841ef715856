"""The command line of `mstunnel_monitor`, which looks after the gateway from outside its containers."""

import os
import signal
import sys
from contextlib import closing
from functools import partial
from typing import Annotated

import typer

from mstunnel_setup.base import log_line
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.command import App, Work, run_program
from mstunnel_setup.exchange import agent_settings, log_lines
from mstunnel_setup.io import changes, http_port, systemd
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.monitor import loop

_PROGRAM = "mstunnel_monitor"

app = App("Monitor the gateway: restart containers that are down, carry out upgrades.")


@app.command()
def program(
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="Run one round, then exit. An unhealthy container is restarted after three."
        ),
    ] = False,
) -> Work:
    """Monitor the gateway: restart containers that are down, carry out upgrades."""
    return lambda operator: _monitor(operator, once=once)


def _monitor(operator: Operator, *, once: bool) -> Result:
    """Monitor until SIGTERM, by which a service is stopped: that is its regular end, also in the middle."""
    # For another start: the next line takes something out of it.
    environment = dict(os.environ)
    service = systemd.ServiceManager.of(os.environ)
    tell = _log_of(operator, systemd.SystemJournal.of(os.environ, sys.stderr.fileno()))
    monitor = loop.GatewayMonitor(operator, tell, service)
    wanted = partial(agent_settings.wants_requests, operator.files)
    log_request = http_port.log_requests(lambda text: tell(log_lines.REQUEST(request=text)), wanted)
    try:
        with closing(monitor), log_request:
            service.ready()
            if once:
                monitor.round()
                return Result()
            with changes.Changes(operator.files) as changed:
                monitor.run(changed)
        # It stays the same process: systemd and start-stop-daemon know it by its id.
        operator.processes.replace(sys.argv, environment=environment)
    except KeyboardInterrupt as stop:
        if signal.SIGTERM not in stop.args:
            raise
    return Result()


def _log_of(operator: Operator, journal: systemd.SystemJournal | None) -> log_line.Tell:
    """What writes the log: with all fields into the journal, else on standard error as `env.sh` wants it."""

    def tell(line: log_line.LogLine) -> None:
        fields = {**log_line.journal_fields(line), "SYSLOG_IDENTIFIER": _PROGRAM}
        if journal is not None and journal.send(fields):
            return
        as_json = agent_settings.wants_json(operator.files)
        sys.stderr.write(f"{log_line.as_json(line, operator.clock.now()) if as_json else line}\n")
        sys.stderr.flush()

    return tell


def main() -> int:
    """Run `mstunnel_monitor`; returns the exit code."""
    return run_program(app, _PROGRAM)
