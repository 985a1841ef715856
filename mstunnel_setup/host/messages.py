"""Messages in JSON that a program with fewer rights left here: bounded and strict, or one declared error."""

from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from mstunnel_setup.host.files import Files
from mstunnel_setup.host.safe_paths import FileError

USUAL_LIMIT: Final = 1 << 16
"""Bytes; for messages of a few fields."""

Model = TypeVar("Model", bound=BaseModel)


def read(files: Files, path: str, model: type[Model], limit: int = USUAL_LIMIT) -> Model | None:
    """The message at `path`; None when there is none.

    Raises FileError: no regular file, longer than `limit` bytes, or as `parse`.
    """
    content = files.read_untrusted(path, limit)
    return None if content is None else parse(content, model, path)


def parse(content: bytes, model: type[Model], path: str) -> Model:
    """The message in `content`; `path` is its name in the error.

    Raises FileError `message-invalid` for all that is no message of this kind: no JSON or nested too deeply,
    a number or a time that the model does not take.
    """
    try:
        return model.model_validate_json(content)
    except (ValidationError, RecursionError, ArithmeticError) as error:
        raise FileError(
            "message-invalid", f"{path} is not what is expected there: {_reason(error)}", f"Remove {path}."
        ) from error


def _reason(error: Exception) -> str:
    """What is wrong first, without a word of what was sent."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])
