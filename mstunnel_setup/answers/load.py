"""The answer file: read, judged, and kept with the place of every value."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mstunnel_setup.answers.document import DocumentError, Position, compose, read
from mstunnel_setup.answers.errors import ANSWERS_FORBIDDEN, ANSWERS_UNREADABLE
from mstunnel_setup.answers.judge import AnswersError, judge
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.problem import KeyPath

_SECTIONS = frozenset(
    {
        *((name,) for name in ("tenant", "sign_in", "certificate", "environment", "images", "token")),
        ("token", "required_claims"),
    }
)


@dataclass(frozen=True)
class LoadedAnswers:
    """A valid answer file: its name, its values, and the position of every value by path."""

    name: str
    answers: AnswerFile
    positions: Mapping[KeyPath, Position]


def load(path: Path) -> LoadedAnswers:
    """Read the answer file at `path`, a full path of this machine whatever `--root` says.

    Raises CheckError `answers-forbidden` when this account cannot read it, UsageError `answers-unreadable`,
    or AnswersError `answers-invalid` with all problems at once.
    """
    try:
        content = read(path)
    except PermissionError as error:
        raise ANSWERS_FORBIDDEN(path=path) from error
    except OSError as error:
        raise ANSWERS_UNREADABLE(path=path, reason=error.strerror) from error
    except DocumentError as error:
        raise AnswersError(error.problems) from error
    return parse(content, str(path))


def parse(content: bytes, name: str) -> LoadedAnswers:
    """The answers in `content`; `name` is the file named in messages. Raises AnswersError."""
    try:
        document = compose(content, name, "answer files", _SECTIONS)
    except DocumentError as error:
        raise AnswersError(error.problems) from error
    answers, problems = judge(document.raw)
    lines = document.lines(problems)
    if answers is None or lines:
        raise AnswersError(lines)
    return LoadedAnswers(name, answers, document.values)
