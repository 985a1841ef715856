"""Sections of the admin center: the list, the details and the forms of one kind of object.

What was typed is judged by the rules of mst-admin, then by Graph's own; it is reviewed, then stored. What
keeps it from that goes back to the form, to its field.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center import render
from mstunnel_lab.admin_center.forms import FieldGroup, Form, Problems, Values, problems_in, problems_of, read
from mstunnel_lab.admin_center.lists import Column, Item, listing
from mstunnel_lab.admin_center.render import go_to, page, words
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.entities import Entities, Found
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject

_STALE: Final = "Someone else has changed this in the meantime. Open it again to see the current values."
_FORM: Final = ["GET", "POST"]


class RefusedError(Exception):
    """What was typed cannot be stored; `problems` say why, by field."""

    def __init__(self, problems: Problems) -> None:
        super().__init__()
        self.problems = problems


@dataclass(frozen=True)
class Submission:
    """What was typed, as bodies of Graph: of the object, and of its assignments where it has any."""

    body: JsonObject
    assignments: list[JsonObject] = field(default_factory=list)


@dataclass(frozen=True)
class ObjectForm(ABC, Generic[Found]):
    """The form of an object: a new one of a kind, or one that is there (`found`)."""

    lab: Lab
    kind: str = ""
    found: Found | None = None

    entities: ClassVar[Entities[Any]]
    """The collection of Graph that the object belongs to."""
    field_of: ClassVar[Mapping[str, str]] = {}
    """The field at which a problem with something else is shown."""
    reviewed: ClassVar[bool] = True
    """Whether values are shown again before they are stored."""

    @property
    @abstractmethod
    def groups(self) -> tuple[FieldGroup, ...]:
        """The fields."""

    @property
    @abstractmethod
    def present(self) -> Any | None:
        """The present object as mst-admin declares it."""

    @property
    @abstractmethod
    def begin(self) -> Values:
        """What the form begins with: the values of the present object, or those of a new one."""

    @property
    def hidden(self) -> Mapping[str, str]:
        """Values that go with the form."""
        return {}

    @property
    def suggestions(self) -> Mapping[str, Sequence[str]]:
        """Values for fields that may have others."""
        return {}

    @property
    def details(self) -> Mapping[str, object]:
        """What the page of the object shows besides its values; `facts` are labels and texts."""
        return {}

    @property
    def advice(self) -> tuple[Finding, ...]:
        """Findings about the present object."""
        return () if self.present is None else self.judge(self.present)

    @abstractmethod
    def declared(self, values: Values) -> Any:
        """Return what was typed as an object of mst-admin; raises `pydantic.ValidationError`."""

    @abstractmethod
    def judge(self, declared: Any) -> tuple[Finding, ...]:
        """Return what the rules of mst-admin find; raises `RefusedError` for what only the lab knows."""

    @abstractmethod
    def submission(self, declared: Any) -> Submission:
        """Return the bodies of an object without fatal findings; raises `RefusedError`."""

    def store(self, submission: Submission) -> Found:
        """Create or change the object; raises `GraphError`. Scope tags stay: the forms do not show them."""
        kept: Found
        with self.lab.store.transaction():
            if self.found is None:
                kept = self.entities.create(self.lab, submission.body)
            else:
                body = {name: value for name, value in submission.body.items() if name != "roleScopeTagIds"}
                kept = self.entities.change(self.lab, self.found, body)
            self.entities.assign_to(self.lab, kept.id, submission.assignments)
        return kept

    def require_editable(self) -> None:
        """Raise `GraphError` for an object that the form cannot show as a whole."""

    def sent(self, _form: FormData) -> "ObjectForm[Found]":
        """Return the form as it was sent: its number of fields may have changed."""
        return self

    async def decide(self, _request: Request, _decision: str, _values: Values) -> Response | None:
        """Answer a button of the form's own; None for others."""
        return None


@dataclass(frozen=True, kw_only=True)
class AdminSection(Generic[Item]):
    """A section of the admin center. Where objects come in `kinds`, one is chosen first.

    `label` is what the kinds are called, `text` the help for the choice, `template` shows an object.
    """

    tab: str
    title: str
    what: str
    columns: Callable[[Lab], Sequence[Column[Item]]]
    each: Callable[[Lab], Sequence[Item]]
    new: Callable[[Lab, str], ObjectForm[Any]]
    open: Callable[[Lab, str], ObjectForm[Any]]
    kinds: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    text: str = ""
    create: str = "Create"
    template: str = "details.html"

    @property
    def routes(self) -> list[Route]:
        """The pages of the section."""
        new = [Route(f"{self._place}/new", signed_in(self._new), methods=_FORM)]
        if self.kinds:
            new = [
                Route(f"{self._place}/new", signed_in(self._choose)),
                Route(f"{self._place}/new/{{kind}}", signed_in(self._new), methods=_FORM),
            ]
        return [
            Route(self._place, signed_in(self._list)),
            *new,
            Route(f"{self._place}/{{id}}", signed_in(self._details)),
            Route(f"{self._place}/{{id}}/edit", signed_in(self._edit), methods=_FORM),
            Route(f"{self._place}/{{id}}/delete", signed_in(self._delete), methods=_FORM),
        ]

    @property
    def _place(self) -> str:
        return f"/admin/{self.tab}"

    async def _list(self, request: Request, lab: Lab) -> Response:
        found = listing(request, self.each(lab), self.columns(lab))
        return page(request, "list.html", tab=self.tab, title=self.title, found=found, create=self.create)

    async def _details(self, request: Request, lab: Lab) -> Response:
        shown = self.open(lab, request.path_params["id"])
        values = {
            "id": request.path_params["id"],
            "form": Form(shown.groups, shown.begin),
            "advice": shown.advice,
            "saved": "saved" in request.query_params,
            "found": shown.found,
        }
        return page(request, self.template, 200, **values, **shown.details, **self._context(shown))

    async def _choose(self, request: Request, _lab: Lab) -> Response:
        if (kind := request.query_params.get("kind")) in self.kinds:
            return go_to(f"{self._place}/new/{kind}")
        return page(
            request,
            "kind.html",
            tab=self.tab,
            what=self.what,
            label=self.label,
            text=self.text,
            kinds=self.kinds,
        )

    async def _new(self, request: Request, lab: Lab) -> Response:
        kind = request.path_params.get("kind", "")
        if self.kinds and kind not in self.kinds:
            return go_to(f"{self._place}/new")
        return await self._answer(request, self.new(lab, kind))

    async def _edit(self, request: Request, lab: Lab) -> Response:
        return await self._answer(request, self.open(lab, request.path_params["id"]))

    async def _delete(self, request: Request, lab: Lab) -> Response:
        shown = self.open(lab, request.path_params["id"])
        found: Any = shown.found
        if request.method == "GET":
            return delete_page(request, self.what, self._place, found.id, name=found.display_name)
        shown.entities.remove(lab, found)
        return go_to(self._place)

    async def _answer(self, request: Request, edited: ObjectForm[Any]) -> Response:
        """Show a form, or answer it when it was sent: review it, store it, or show it again.

        The review judges and stores as well, and keeps nothing.
        """
        edited.require_editable()
        if request.method == "GET":
            return self.form_page(request, edited, edited.begin)
        form = await request.form()
        edited = edited.sent(form)
        values, decision = read(form, edited.groups), render.field(form, "decision")
        if (own := await edited.decide(request, decision, values)) is not None:
            return own
        is_stale = edited.found and render.field(form, "version") != _version(edited.found)
        if decision == "edit" or is_stale:
            problems: Problems = {"": [(_STALE,)]} if is_stale and decision != "edit" else {}
            return self.form_page(request, edited, values, problems)
        try:
            with _refusals():
                declared = edited.declared(values)
                advice = edited.judge(declared)
                _refuse(problems_of(advice))
                submission = edited.submission(declared)
                if decision == "review":
                    with edited.lab.store.rehearsal():
                        edited.store(submission)
                    context = self._context(edited)
                    reviewed = Form(edited.groups, values)
                    return page(request, "review.html", 200, form=reviewed, advice=advice, **context)
                stored = edited.store(submission)
        except RefusedError as refusal:
            return self.form_page(request, edited, values, refusal.problems)
        return go_to(f"{self._place}/{stored.id}?saved")

    def form_page(
        self,
        request: Request,
        edited: ObjectForm[Any],
        values: Values,
        problems: Problems | None = None,
        *,
        notice: str = "",
    ) -> Response:
        """Show the form."""
        by_field = {edited.field_of.get(name, name): said for name, said in (problems or {}).items()}
        form = Form(edited.groups, values, by_field)
        status = 400 if form.problems else 200
        return page(request, "form.html", status, form=form, notice=notice, **self._context(edited))

    def _context(self, edited: ObjectForm[Any]) -> dict[str, object]:
        found = edited.found
        new = f"{self._place}/new/{edited.kind}" if self.kinds else f"{self._place}/new"
        back = f"{self._place}/{found.id}" if found else self._place
        return {
            "subject": edited,
            "what": self.what,
            "tab": self.tab,
            "name": found.display_name if found else "",
            "action": f"{back}/edit" if found else new,
            "back": back,
            "version": _version(found) if found else "",
        }


def delete_page(
    request: Request, what: str, place: str, identifier: str, *, name: str, also: str = ""
) -> Response:
    """Ask whether to delete an object of the kind `what` that is listed at `place`."""
    kind, back, tab = words(request)(what), f"{place}/{identifier}", place.rpartition("/")[2]
    return page(request, "delete.html", tab=tab, what=kind, name=name, back=back, also=also)


def _version(found: BaseModel) -> str:
    """Return a digest of an entity, which a form carries to notice other changes."""
    return hashlib.sha256(found.model_dump_json().encode()).hexdigest()


def _refuse(problems: Problems) -> None:
    if problems:
        raise RefusedError(problems)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what is said about types and by Graph's rules into `RefusedError`."""
    try:
        yield
    except ValidationError as error:
        raise RefusedError(problems_in(error)) from error
    except GraphError as error:
        raise RefusedError({"": [(error.message,)]}) from error
