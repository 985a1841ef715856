"""The command line of `mstunnel_monitor`, which supervises the gateway from outside its containers."""

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
    """Monitor until SIGTERM, with which systemd stops the service; that is a success at any time."""
    # A restarted monitor needs the full environment, from which ServiceManager.of() removes variables.
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
        # execve() keeps the process id, by which the service manager tracks the monitor.
        operator.processes.replace(sys.argv, environment=environment)
    except KeyboardInterrupt as stop:
        if signal.SIGTERM not in stop.args:
            raise
    return Result()


def _log_of(operator: Operator, journal: systemd.SystemJournal | None) -> log_line.Tell:
    """Return the log writer: the journal with all fields, or standard error in the format set in `env.sh`."""

    def tell(line: log_line.LogLine) -> None:
        fields = {**log_line.journal_fields(line), "SYSLOG_IDENTIFIER": _PROGRAM}
        if journal is not None and journal.send(fields):
            return
        as_json = agent_settings.wants_json(operator.files)
        sys.stderr.write(f"{log_line.as_json(line, operator.clock.now()) if as_json else line}\n")
        sys.stderr.flush()

    return tell


def main() -> int:
    """Run `mstunnel_monitor` and return the exit code."""
    return run_program(app, _PROGRAM)
