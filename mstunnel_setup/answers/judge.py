"""Judging raw answers: every problem at once, each with its place and what to do."""

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from mstunnel_setup.answers.errors import ANSWERS_INVALID
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.problem import Problem
from mstunnel_setup.answers.problems import problems
from mstunnel_setup.answers.rules import RULES
from mstunnel_setup.errors import ValuesError


class AnswersError(ValuesError):
    """Answers that cannot be used. `problems` are lines of the form `place: what is wrong`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__([ANSWERS_INVALID(problem=problem) for problem in problems])
        self.code = ANSWERS_INVALID.code
        self.problems = problems


def judge(raw: Mapping[str, object]) -> tuple[AnswerFile | None, list[Problem]]:
    """The answers in `raw`, or None and everything that is wrong with them."""
    try:
        return AnswerFile.model_validate(raw), []
    except ValidationError as error:
        # What has no place comes from the rules across sections, which are reported one by one below.
        own = [problem for problem in problems(error, AnswerFile) if problem.path]
    return None, [*own, *_rule_problems(raw)]


def _rule_problems(raw: Mapping[str, object]) -> Iterator[Problem]:
    for name, rule in RULES.items():
        section = raw.get(name, {})
        for key, text in rule(section) if isinstance(section, Mapping) else ():
            yield Problem((name, key), text)
