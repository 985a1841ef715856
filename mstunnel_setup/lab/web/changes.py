"""Changes by form: what keeps one from being made goes back to the form."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from mstunnel_setup.lab.errors import GraphError
from mstunnel_setup.lab.web.forms import Form, Problems, problems_in
from mstunnel_setup.lab.web.render import field, page
from mstunnel_setup.tenant.wire import TunnelConfiguration, TunnelSite

_STALE = "Someone else has changed this in the meantime. Open it again to see the current values."


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


def form_page(
    request: Request,
    form: Form,
    what: str,
    place: str,
    found: TunnelConfiguration | TunnelSite | None,
    *,
    time_zones: Sequence[str] = (),
) -> Response:
    """Show the form that creates, or changes `found` of, what is listed at `place` (`what`: its kind)."""
    here = f"{place}/{found.id}" if found else place
    return page(
        request,
        "form.html",
        400 if form.problems else 200,
        tab=place.rpartition("/")[2],
        form=form,
        heading=f"Edit {found.display_name}" if found else f"Create {what}",
        action=f"{here}/edit" if found else f"{here}/new",
        back=here,
        version=version(found) if found else "",
        time_zones=time_zones,
    )


def keep_scope_tags(body: Mapping[str, object]) -> dict[str, object]:
    """Leave scope tags out of a change: the forms do not show them."""
    return {name: value for name, value in body.items() if name != "roleScopeTagIds"}
