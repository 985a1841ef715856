"""The top-level exception handler: what a command raises becomes a result, a bug without a traceback.

This is the only module that catches every exception.
"""

import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

import typer

from mstunnel_setup.base.errors import INTERNAL_ERROR, ChecksFailedError, ExitCode, SetupError, ValuesError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.cli.framework.progress import SetupLog
from mstunnel_setup.cli.framework.streams import write

OutcomeT = TypeVar("OutcomeT")


def result_or_failure(
    function: Callable[[], OutcomeT], log: SetupLog | None, redactor: Redactor, verbose: bool
) -> OutcomeT | Result:
    """Call `function`; return its result, or the result that describes its failure."""
    try:
        return function()
    except (ChecksFailedError, ValuesError) as error:
        return failure(error, *(each.problem for each in error.failures))
    except SetupError as error:
        return failure(error)
    except (KeyboardInterrupt, typer.Abort):
        if sys.stderr.isatty():
            # The terminal has echoed ^C, so the cursor is not at the start of a line.
            write(sys.stderr, "\n")
        notice = warning("interrupted", "interrupted", hint="Run the same command again to continue.")
        return Result("error", errors=(notice,), exit_code=ExitCode.INTERRUPTED)
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 (the one place where a bug becomes a message)
        trace = redactor.clean("".join(traceback.format_exception(error)))
        if log is not None:
            log.crash(trace)
        if verbose:
            write(sys.stderr, trace)
        report = text("Run it again with --verbose and report it.")
        if log is not None and log.failure is None:
            report = text("Report it with the end of {place}.", place=log.place)
        return failure(INTERNAL_ERROR(reason=f"{type(error).__name__}: {error}", report=report))


def failure(error: SetupError, *problems: Problem) -> Result:
    """Return the result for an error, with all its `problems` if it has several."""
    return Result("error", errors=problems or (error.problem,), exit_code=error.exit_code)
