"""Changes by form: what was typed is reviewed, then stored; what keeps it from that goes back to the form."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from mstunnel_lab.admin_center import render
from mstunnel_lab.admin_center.forms import Form, Group, Problems, Values, problems_in, read
from mstunnel_lab.admin_center.render import go_to, page, words
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.typed_entities import T, TypedEntities
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import IntuneObject, TunnelConfiguration, TunnelSite

Found: TypeAlias = IntuneObject | TunnelConfiguration | TunnelSite
_STALE: Final = "Someone else has changed this in the meantime. Open it again to see the current values."


class Named(Protocol):
    """What has an id and a name."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def display_name(self) -> str:
        """Its name."""
        ...


class RefusedError(Exception):
    """What was typed cannot be stored; `problems` say why, by field."""

    def __init__(self, problems: Problems) -> None:
        super().__init__()
        self.problems = problems


@dataclass(frozen=True)
class Wish:
    """What was typed, as bodies of Graph: of the object, and of its assignments where it has any."""

    body: JsonObject
    assignments: list[JsonObject] = field(default_factory=list)
    advice: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What a form creates, or changes where there is one already (`found`).

    `what` is its kind, `place` the address of its list, `path` what follows that in the address of the form.
    `begin` is what the form begins with, `hidden` are values that go with it. `field_of` names the field at
    which a problem with something else is shown, `suggestions` are values for fields that may have others.
    Where it is not `reviewed`, it is stored at once.
    """

    what: str
    place: str
    groups: tuple[Group, ...]
    begin: Values
    found: Found | None = None
    path: str = "new"
    hidden: Mapping[str, str] = field(default_factory=dict)
    field_of: Mapping[str, str] = field(default_factory=dict)
    suggestions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reviewed: bool = True

    @property
    def context(self) -> dict[str, object]:
        """What templates show of it."""
        found = self.found
        back = f"{self.place}/{found.id}" if found else self.place
        return {
            "subject": self,
            "tab": self.place.rpartition("/")[2],
            "name": found.display_name if found else "",
            "action": f"{back}/edit" if found else f"{self.place}/{self.path}",
            "back": back,
            "version": version(found) if found else "",
        }


def version(found: BaseModel) -> str:
    """Return a digest of an entity, which a form carries to notice other changes."""
    return hashlib.sha256(found.model_dump_json().encode()).hexdigest()


def form_page(
    request: Request, subject: Subject, values: Values, problems: Problems | None = None, notice: str = ""
) -> Response:
    """Show the form."""
    shown = {subject.field_of.get(name, name): said for name, said in (problems or {}).items()}
    form = Form(subject.groups, values, shown)
    status = 400 if form.problems else 200
    return page(request, "form.html", status, form=form, notice=notice, **subject.context)


def delete_page(request: Request, what: str, place: str, found: Named, also: str = "") -> Response:
    """Ask whether to delete an object of the kind `what` that is listed at `place`."""
    name, kind, back = found.display_name, words(request)(what), f"{place}/{found.id}"
    tab = place.rpartition("/")[2]
    return page(request, "delete.html", 200, tab=tab, what=kind, name=name, back=back, also=also)


def choice_page(
    request: Request, what: str, place: str, kinds: Mapping[str, str], *, label: str, text: str
) -> Response:
    """Ask of which of several kinds a new object is to be, and lead to its form."""
    if (kind := request.query_params.get("kind")) in kinds:
        return go_to(f"{place}/new/{kind}")
    tab = place.rpartition("/")[2]
    return page(request, "kind.html", 200, tab=tab, what=what, label=label, text=text, kinds=kinds)


async def answer(
    request: Request,
    lab: Lab,
    subject: Subject,
    judged: Callable[[Values], Wish],
    store: Callable[[Wish], Found],
) -> Response:
    """Show a form, or answer it when it was sent: review it, store it, or show it again as its decision says.

    `judged` is the first to refuse what was typed, by the rules of mst-admin, `store` the second, by Graph's
    own. The review does both and keeps nothing.
    """
    if request.method == "GET":
        return form_page(request, subject, subject.begin)
    form = await request.form()
    values, decision = read(form, subject.groups), render.field(form, "decision")
    if decision == "edit":
        return form_page(request, subject, values)
    if subject.found and render.field(form, "version") != version(subject.found):
        return form_page(request, subject, values, {"": [(_STALE,)]})
    try:
        with _refusals():
            wish = judged(values)
            if decision == "review":
                with lab.store.rehearsal():
                    store(wish)
                reviewed = Form(subject.groups, values)
                return page(request, "review.html", 200, form=reviewed, advice=wish.advice, **subject.context)
            stored = store(wish)
    except RefusedError as refusal:
        return form_page(request, subject, values, refusal.problems)
    return go_to(f"{subject.place}/{stored.id}?saved")


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what is said about types and by Graph's rules into `RefusedError`."""
    try:
        yield
    except ValidationError as error:
        raise RefusedError(problems_in(error)) from error
    except GraphError as error:
        raise RefusedError({"": [(error.message,)]}) from error


def stored(lab: Lab, entities: TypedEntities[T], wish: Wish, found: T | None) -> T:
    """Create what is wished, or change `found` to it, with its assignments; raises `GraphError`."""
    with lab.store.transaction():
        if found is None:
            kept = entities.create(lab, wish.body)
        else:
            kept = entities.change(lab, found, without_scope_tags(wish.body))
        entities.assign_to(lab, kept.id, wish.assignments)
    return kept


def without_scope_tags(body: Mapping[str, object]) -> dict[str, object]:
    """Leave scope tags out of a change: the forms do not show them."""
    return {name: value for name, value in body.items() if name != "roleScopeTagIds"}
