"""Errors of `cli`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import UsageError, declare

ANSWER_NEEDED = declare(
    UsageError,
    "answer-needed",
    "unattended, but there is a question: {redactor}",
    "Answer it in the answer file or by an option, or run without --unattended.",
)
COMMAND_MISSING = declare(
    UsageError,
    "command-missing",
    "no command is given",
    "See `{program} --help`.",
)
DELAY_UNCLEAR = declare(
    UsageError,
    "delay-unclear",
    "`{value}` is not understood",
    "Write `delay` and a number of minutes, as in `mst-cli import_cert delay 10080`.",
)
INPUT_ENDED = declare(
    UsageError,
    "input-ended",
    "the input ended before the question was answered",
    "Run it at a terminal, or give the answers with --answers and --unattended.",
)
INPUT_INVALID = declare(
    UsageError,
    "input-invalid",
    "what was typed is not UTF-8 text",
    "Type it again.",
)
LAB_CLOUD = declare(
    UsageError,
    "lab-cloud",
    "there is no cloud called {cloud}",
    "Use one of: {known}.",
)
LAB_HOST = declare(
    UsageError,
    "lab-host",
    "{option}: {text!r} is neither a host name nor an IP address",
    "Give one, such as 127.0.0.1; a name in its ASCII form.",
)
LAB_NOT_INSTALLED = declare(
    UsageError,
    "lab-not-installed",
    "the lab needs {name}, which is not installed",
    "Install the package with its extra: mstunnel-setup[lab].",
)
PROGRESS_FD_CLOSED = declare(
    UsageError,
    "progress-fd-closed",
    "file descriptor {descriptor} of --progress-fd is not open",
    "Open it in the shell, for example with `{descriptor}>progress.jsonl`.",
)
WINDOW_MISSING = declare(
    UsageError,
    "window-missing",
    "--time-zone is given, but the site has no maintenance window",
    "Add --window HH:MM-HH:MM.",
)
