"""Changes by form: what keeps one from being made goes back to the form."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from mstunnel_setup.lab.errors import GraphError
from mstunnel_setup.lab.web.forms import Problems, problems_in
from mstunnel_setup.lab.web.render import field

_STALE = "Somebody else has changed this meanwhile. Open it again to see what is there now."


class RefusedError(Exception):
    """What was typed cannot be stored; `problems` say why, by field."""

    def __init__(self, problems: Problems) -> None:
        super().__init__()
        self.problems = problems


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what is said about types and by Graph's rules into `RefusedError`."""
    try:
        yield
    except ValidationError as error:
        raise RefusedError(problems_in(error)) from error
    except GraphError as error:
        raise RefusedError({"": [error.message]}) from error


def version(found: BaseModel) -> str:
    """Return a digest of an entity, which a form carries to notice other changes."""
    return hashlib.sha256(found.model_dump_json().encode()).hexdigest()


def refuse_stale(form: FormData, found: BaseModel) -> None:
    """Raise `RefusedError` when the entity has changed since the form was shown."""
    if field(form, "version") != version(found):
        raise RefusedError({"": [_STALE]})


def keep_scope_tags(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave scope tags out of a change: the forms do not show them."""
    return {name: value for name, value in body.items() if name != "roleScopeTagIds"}
