"""An operator for tests: no terminal, log and output as the real command line makes them."""

from pathlib import Path

from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.cli.framework.console import NoPrompts
from mstunnel_setup.cli.framework.options import CommonOptions, OutputFormat
from mstunnel_setup.cli.framework.progress import SetupLog
from mstunnel_setup.cli.framework.render import Renderer, TerminalSinks
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Prompter
from mstunnel_setup.io.process import Processes


def operator_of(
    root: Path,
    console: Prompter | None = None,
    *,
    json: bool = False,
    processes: Processes | None = None,
    clock: Clock | None = None,
) -> Operator:
    """The operator of a command on the host below `root`, at `console` or unattended."""
    redactor = Redactor()
    output = OutputFormat.JSON if json else OutputFormat.TEXT
    files, clock = Files(root), clock or Clock()
    log = SetupLog(files, clock, redactor, "run", "/var/log/setup.log")
    renderer = Renderer("mst-cli", output, redactor)
    sinks = TerminalSinks(CommonOptions(root=root, output=output), redactor, log, renderer)
    return Operator(
        console or NoPrompts(redactor), redactor, sinks, files, processes or Processes(), clock, json=json
    )
