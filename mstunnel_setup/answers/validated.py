"""Objects from options: the same types as in declarations, with errors that name keys instead of places."""

from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from mstunnel_setup.answers.problems import problems
from mstunnel_setup.errors import VALUES_INVALID, ValuesError

_HINT: Final = "Correct the options, then run the command again."
Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: Mapping[str, object]) -> Model:
    """The object with these values. Raises ValuesError naming every one that does not fit."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        lines = sorted({problem.text for problem in problems(error, model)})
        raise ValuesError([VALUES_INVALID(problems=line, hints=_HINT) for line in lines]) from error
