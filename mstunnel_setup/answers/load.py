"""The answer file: read, judged, and kept with the position of every value."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from mstunnel_setup.answers.document import (
    DocumentError,
    KeyPath,
    KeyProblem,
    Position,
    compose,
    problems,
    read,
)
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.rules import findings_of_rules
from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.base.errors import CheckError, UsageError, ValuesError, declare
from mstunnel_setup.base.text import text

ANSWERS_INVALID = declare(
    UsageError,
    "answers-invalid",
    "{problem}",
    "Correct them. `mstunnel-setup answers new` writes a commented answer file to compare with, `--help` "
    "shows all options.",
)
_SECTIONS = frozenset(
    {
        *((setting.path.partition(".")[0],) for setting in SETTINGS if "." in setting.path),
        *(tuple(setting.path.split(".")) for setting in SETTINGS if setting.section),
    }
)


# These settings have no default, so `null` can withdraw the value of an earlier run.
_OPTIONAL = frozenset(tuple(setting.path.split(".")) for setting in SETTINGS if setting.optional)


class AnswersError(ValuesError):
    """Unusable answers. `problems` are lines of the form `place: message`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__([ANSWERS_INVALID(problem=problem) for problem in problems])
        self.code = ANSWERS_INVALID.code
        self.problems = problems


def judge(raw: Mapping[str, object]) -> tuple[AnswerFile | None, list[KeyProblem]]:
    """Return the answers in `raw`, or None and all problems with them."""
    answers: AnswerFile | None = None
    found: list[KeyProblem] = []
    try:
        answers = AnswerFile.model_validate(raw)
    except ValidationError as error:
        found += problems(error, AnswerFile)
    found += (KeyProblem(path, text) for path, text in findings_of_rules(_given(raw)))
    return None if found else answers, found


def _given(section: Mapping[str, object]) -> dict[str, object]:
    """Drop keys whose value is None, recursively."""
    return {
        name: _given(value) if isinstance(value, Mapping) else value
        for name, value in section.items()
        if value is not None
    }


@dataclass(frozen=True)
class LoadedAnswers:
    """A valid answer file: its name, its answers, and the position of every value."""

    name: str
    answers: AnswerFile
    positions: Mapping[KeyPath, Position]


def load(path: Path) -> LoadedAnswers:
    """Read the answer file at `path`, a full path of this machine even with `--root`.

    Raises CheckError `answers-forbidden` if this account cannot read it, UsageError `answers-unreadable`, or
    AnswersError `answers-invalid` with all problems at once.
    """
    try:
        content = read(path)
    except PermissionError as error:
        raise CheckError(
            "answers-forbidden",
            "this account cannot read the answer file {path}",
            hint="Run the command with sudo, or, for a rootless gateway, give the account its own answer "
            "file.",
            path=path,
        ) from error
    except OSError as error:
        raise UsageError(
            "answers-unreadable",
            "the answer file {path} cannot be read: {reason}",
            hint="Check the path, or write a new file with `mstunnel-setup answers new`.",
            path=path,
            reason=text(error.strerror or str(error)),
        ) from error
    except DocumentError as error:
        raise AnswersError(error.problems) from error
    return parse(content, str(path))


@lru_cache(maxsize=1)
def parse(content: bytes, name: str) -> LoadedAnswers:
    """Return the answers in `content`; messages name the file `name`. Raises AnswersError.

    The result is cached: a run first asks for the scope of the file, and then for that scope's answers.
    """
    try:
        document = compose(content, name, "answer files", _SECTIONS, _OPTIONAL)
    except DocumentError as error:
        raise AnswersError(error.problems) from error
    answers, problems = judge(document.raw)
    lines = document.lines(problems)
    if answers is None or lines:
        raise AnswersError(lines)
    return LoadedAnswers(name, answers, document.values)
