"""Lines of the logs of agent and monitor; each kind is declared once (docs/reference/logs.md).

    RESTARTED = declare_line("restart", "{container} is {condition}", "See its log.", Priority.WARNING)
    tell(RESTARTED(container=name, condition="unhealthy"))

Errors and warnings become lines of the same shape.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final, Self, TypeAlias
from uuid import UUID, uuid5

from typing_extensions import override

from mstunnel_setup.base.errors import Declared
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.redaction import without_tokens
from mstunnel_setup.base.text import plain, sentence

Tell: TypeAlias = "Callable[[LogLine], None]"
"""A function that writes one log line."""

LOGS_PAGE: Final = "docs/reference/logs.md"
# Message ids are derived from this namespace. Like the codes, the ids must never change.
_NAMESPACE: Final = UUID("5f0a3a52-6f0c-4c1e-9a39-8d5d1c0f6b27")
_LONGEST: Final = 2000


class Priority(IntEnum):
    """The severity of a line, in the numbers of syslog(3)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


class LogLine(str):
    """One line, `CODE: MESSAGE. HINT`, and its parts for logs with separate fields.

    Control characters and tokens are removed. `values` are the parameters of its declaration.
    """

    __slots__ = ("code", "hint", "priority", "values")

    code: str
    hint: str
    priority: Priority
    values: Mapping[str, str]

    def __new__(
        cls,
        code: str,
        message: str,
        hint: str = "",
        priority: Priority = Priority.NOTICE,
        values: Mapping[str, str] | None = None,
    ) -> Self:
        """Build the line from its parts."""
        # This program puts no token into a message, but a server's response may repeat one.
        words = _safe(f"{message.removesuffix('.')}. {hint!s}" if hint else message)
        line = super().__new__(cls, plain(f"{code}: {words}", _LONGEST))
        line.code, line.hint, line.priority = code, _safe(hint), priority
        line.values = {name: _safe(value) for name, value in (values or {}).items()}
        return line

    @property
    def message(self) -> str:
        """The message and hint, without the code."""
        return self.removeprefix(f"{self.code}: ")


@dataclass(frozen=True)
class DeclaredLine(Declared[LogLine]):
    """A declared kind of line, which fills in the values of its parameters."""

    priority: Priority = Priority.NOTICE

    @override
    def __call__(self, **values: object) -> LogLine:
        made = {name: str(value) for name, value in values.items()}
        message, hint = sentence(self.message, values), sentence(self.hint, values)
        return LogLine(self.code, message, hint, self.priority, made)


def declare_line(
    code: str, message: str, hint: str = "", priority: Priority = Priority.NOTICE
) -> DeclaredLine:
    """Declare a kind of line, in `exchange/log_lines.py`. The meaning of `code` never changes."""
    return DeclaredLine(LogLine, code, message, hint, LOGS_PAGE, priority)


def error_line(problem: Problem, priority: Priority = Priority.ERROR) -> LogLine:
    """Return the line for an error or warning."""
    return LogLine(problem.code, problem.message, problem.hint, priority)


def message_id(code: str) -> str:
    """Return the `MESSAGE_ID` of a code in the journal: 128 bits in hex."""
    return uuid5(_NAMESPACE, code).hex


def journal_fields(line: LogLine) -> dict[str, str]:
    """Return the journal fields of a line; fields of this program begin with `MSTUNNEL_`."""
    hint = {"MSTUNNEL_HINT": line.hint} if line.hint else {}
    return {
        "MESSAGE": line,
        "MESSAGE_ID": message_id(line.code),
        "PRIORITY": str(line.priority.value),
        "MSTUNNEL_CODE": line.code,
        **hint,
        **{f"MSTUNNEL_{name.upper()}": value for name, value in line.values.items()},
    }


def as_json(line: LogLine, now: datetime) -> str:
    """Return a line as a JSON object on one line."""
    fields = {
        "time": now.isoformat(timespec="milliseconds"),
        "level": line.priority.name.lower(),
        "code": line.code,
        "message": line.message,
        "message_id": message_id(line.code),
    }
    return json.dumps({**fields, **({"values": line.values} if line.values else {})}, ensure_ascii=False)


def _safe(text: str) -> str:
    return plain(without_tokens(text), _LONGEST)
