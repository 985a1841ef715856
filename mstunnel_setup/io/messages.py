"""JSON messages of less privileged programs, bounded and validated; records that only the host writes."""

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ValidationError

from mstunnel_setup.base.parsing import problem_of
from mstunnel_setup.base.text import text
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

USUAL_LIMIT: Final = 1 << 16
"""The size limit, in bytes, for messages of a few fields."""

# A century inside the range of `datetime`, so that time zones and sums cannot overflow.
_EARLIEST: Final = datetime(101, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9900, 1, 1, tzinfo=UTC)


def _in_utc(time: datetime) -> datetime:
    if not _EARLIEST <= time <= _LATEST:
        raise ValueError("this time is out of range")
    return time.astimezone(UTC)


UtcTime: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in a message, in UTC; a time without a zone or out of range is invalid."""

Model = TypeVar("Model", bound=BaseModel)


def read(files: Files, path: str, model: type[Model], limit: int = USUAL_LIMIT) -> Model | None:
    """Return the message at `path`; None if there is none.

    Raises FileError if it is not a regular file, is larger than `limit` bytes, or as `parse`.
    """
    content = files.read_untrusted(path, limit)
    return None if content is None else parse(content, model, path)


def read_valid(files: Files, path: str, model: type[Model], limit: int = USUAL_LIMIT) -> Model | None:
    """Return the message at `path`; None without a valid one: others can write anything there."""
    try:
        return read(files, path, model, limit)
    except FileError:
        return None


def read_trusted(files: Files, path: str, model: type[Model]) -> Model | None:
    """Return the record at `path`, which only the host writes; None without one that this version can read.

    Raises FileError if the file cannot be read.
    """
    content = files.read(path)
    try:
        return None if content is None else parse(content, model, path)
    except FileError:
        return None


def write(files: Files, path: str, message: BaseModel) -> None:
    """Replace the message at `path`, and create its directory if needed. Raises FileError."""
    files.make_directories(str(PurePosixPath(path).parent))
    files.write(path, message.model_dump_json(indent=2).encode() + b"\n")


def parse(content: bytes, model: type[Model], path: str) -> Model:
    """Return the message in `content`; `path` is its name in the error.

    Raises FileError `message-invalid` for anything else: not JSON, nested too deeply, or a value that the
    model does not accept.
    """
    try:
        return model.model_validate_json(content)
    except (ValidationError, RecursionError, ArithmeticError) as error:
        reason = type(error).__name__
        if isinstance(error, ValidationError):
            # Only the first problem is reported, without quoting the content.
            first = error.errors(include_url=False, include_input=False)[0]
            place, reason = ".".join(map(str, first["loc"])), problem_of(first)
            reason = text("{place}: {first}", place=place, first=reason) if place else reason
        raise FileError(
            "message-invalid",
            "{path} is not a valid message: {reason}",
            hint="Remove {path}.",
            path=path,
            reason=reason,
        ) from error
