"""Errors and warnings of `cli`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import UsageError, declare
from mstunnel_setup.result import declare_notice

ANSWER_NEEDED = declare(
    UsageError,
    "answer-needed",
    "this run is unattended, but an answer is needed: {question}",
    "Answer it in the answer file or with an option, or run without --unattended.",
)
ARGUMENT_NOT_UTF8 = declare(
    UsageError,
    "argument-not-utf8",
    "{which} is not UTF-8 text: {value}",
    "Set the terminal to UTF-8 and type it again; rename a file whose name has other bytes.",
)
COMMAND_MISSING = declare(UsageError, "command-missing", "no command is given", "See `{program} --help`.")
DELAY_UNCLEAR = declare(
    UsageError,
    "delay-unclear",
    "`{words}` is not a delay",
    "Write `delay` and a number of minutes, as in `mst-cli import_cert delay 10080`.",
)
INPUT_ENDED = declare(
    UsageError,
    "input-ended",
    "the input ended before the question was answered",
    "Run the command at a terminal, or give the answers with --answers and --unattended.",
)
INPUT_INVALID = declare(UsageError, "input-invalid", "the input is not UTF-8 text", "Type it again.")
LAB_CLOUD = declare(UsageError, "lab-cloud", "there is no cloud {cloud}", "Use one of: {known}.")
LAB_HOST = declare(
    UsageError,
    "lab-host",
    "{option}: {host!r} is neither a host name nor an IP address",
    "Give one, such as 127.0.0.1; write a name in its ASCII form.",
)
LAB_NOT_INSTALLED = declare(
    UsageError,
    "lab-not-installed",
    "the lab needs {name}, which is not installed",
    "Use the self-contained program, or install the wheel with its extra: `pip install 'WHEEL[lab]'`.",
)
LAB_PORT_INVALID = declare(
    UsageError, "lab-port-invalid", "{port} is not a port number", "Give a number from 0 to {largest}."
)
OPTION_MISPLACED = declare(
    UsageError,
    "option-misplaced",
    "{options}: given before the name of the command `{command}`",
    "Write options after the name; `{program} {command} --help` lists those of the command.",
)
PROGRESS_FD_CLOSED = declare(
    UsageError,
    "progress-fd-closed",
    "file descriptor {descriptor} of --progress-fd is not open",
    "Open it in the shell, for example with `{descriptor}>progress.jsonl`.",
)
USAGE_INVALID = declare(UsageError, "usage-invalid", "{problem}", "See `{command} --help`.")
WINDOW_UNCLEAR = declare(
    UsageError,
    "window-unclear",
    "--window {value} is no start and end",
    "Write both, such as 22:00-04:00.",
)
WINDOW_MISSING = declare(
    UsageError,
    "window-missing",
    "--time-zone is given, but the site has no maintenance window",
    "Add --window HH:MM-HH:MM.",
)

# Warnings

INTERRUPTED = declare_notice("interrupted", "interrupted", "Run the same command again to continue.")
LOG_UNWRITABLE = declare_notice("log-unwritable", "the log cannot be written: {reason}", "{hint}")
