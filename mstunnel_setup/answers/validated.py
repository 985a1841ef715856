"""Objects from options: the same types as in declarations, with errors that name keys instead of places."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mstunnel_setup.answers.problems import problems
from mstunnel_setup.errors import UsageError, ValuesError

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The object with these values. Raises ValuesError naming every one that does not fit."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        lines = sorted({problem.text for problem in problems(error, model)})
        hint = "Correct the options and run it again."
        raise ValuesError([UsageError("values-invalid", line, hint) for line in lines]) from error
