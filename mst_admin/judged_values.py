"""What is wrong with the values of a command line, in the words of its options."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import UsageError, ValuesError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import Text


def judged(findings: Iterable[Finding], names: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """The warnings. Raises ValuesError with everything that is fatal; `names` are options by key."""
    told = [
        replace(item, message=in_options(item.message, names or {}), hint=in_options(item.hint, names or {}))
        for item in findings
    ]
    fatal = [UsageError(item.code, item.message, item.hint) for item in told if item.fatal]
    if fatal:
        raise ValuesError(fatal)
    return tuple(told)


def renamed(error: ValuesError, names: Mapping[str, str]) -> ValuesError:
    """The error, with options instead of keys."""
    return ValuesError(
        [
            UsageError(item.code, in_options(item.message, names), in_options(item.hint, names))
            for item in error.failures
        ]
    )


def in_options(text: str, names: Mapping[str, str]) -> str:
    """A text in which keys are options: a key of one plain word only at the start, or in backticks."""
    if isinstance(text, Text):
        values = text.values and {
            name: in_options(str(value), names) if name == "key" else value
            for name, value in text.values.items()
        }
        return Text(in_options(str(text.template), names), values)
    for key in sorted(names, key=len, reverse=True):
        end = r"\b" if key[-1].isalnum() else ""
        begin = r"(?<![\w.-])" if "_" in key else r"(^|(?<=`))"
        text = re.sub(begin + re.escape(key) + end, names[key], text)
    return text
