"""Sections of the admin center: the list, the details and the forms of one kind of object.

Input is checked by the rules of mst-admin, then by Graph's own; it is reviewed, then stored. Problems return
to the form, next to their fields.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center import render
from mstunnel_lab.admin_center.forms import (
    FieldGroup,
    Form,
    Problems,
    Values,
    initial,
    problems_in,
    problems_of,
    read,
)
from mstunnel_lab.admin_center.render import go_to, page
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.entities import Entities, Found
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.values import JsonObject

_FORM: Final = ["GET", "POST"]
_SIZE: Final = 50
_NUMBERS: Final = re.compile(r"([0-9]{1,18})")


class Listed(Protocol):
    """An object with its own page."""

    @property
    def id(self) -> str:
        """Its id, the end of its page's address."""
        ...


Item = TypeVar("Item", bound=Listed)


@dataclass(frozen=True)
class Column(Generic[Item]):
    """One column. `kind`: text or status."""

    name: str
    label: str
    text: Callable[[Item], str]
    kind: str = "text"


class ListRow(NamedTuple):
    """One row: the cells, and the id of the page to which the first one links."""

    id: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """One page of a list; numbers count from 1. `total` is the number of matches."""

    columns: tuple[Column[Any], ...]
    rows: tuple[ListRow, ...]
    number: int
    last: int
    total: int
    search: str
    sort: str
    descending: bool

    def link(self, number: int = 1, sort: str = "", search: str | None = None) -> str:
        """Return the query for another page, or for sorting by a column; a second click sorts descending."""
        down = self.descending if not sort else sort == self.sort and not self.descending
        wanted = {
            "q": self.search if search is None else search,
            "sort": sort or self.sort,
            "order": "down" if down else "",
            "page": str(number) if number > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in wanted.items() if value})


def listing(request: Request, everything: Sequence[Item], columns: Sequence[Column[Item]]) -> Listing:
    """Return the page of a list for the query parameters `q`, `sort`, `order` and `page`.

    A missing page is replaced by the nearest one. Without search and order, only the items of this page are
    read.
    """
    query = request.query_params
    search = query.get("q", "").strip()[:200]
    by = next((column for column in columns if column.name == query.get("sort")), None)
    down = query.get("order") == "down"
    found = everything
    if search:
        wanted = search.casefold()
        found = [item for item in found if any(wanted in each.text(item).casefold() for each in columns)]
    if by:

        def natural(item: Item) -> list[tuple[int, str]]:
            """Return a key that sorts gw10 after gw9."""
            parts = _NUMBERS.split(by.text(item).casefold())
            return [(0, part) if (n := whole_number(part, 18)) is None else (n, "") for part in parts]

        found = sorted(found, key=natural, reverse=down)
    last = max(1, -(-len(found) // _SIZE))
    number = min(max(1, whole_number(query.get("page", "1")) or 1), last)
    shown = found[(number - 1) * _SIZE : number * _SIZE]
    rows = tuple(ListRow(item.id, tuple(column.text(item) for column in columns)) for item in shown)
    return Listing(
        tuple(columns), rows, number, last, len(found), search, by.name if by else "", bool(by) and down
    )


class ObjectForm(ABC, Generic[Found]):
    """The form of a new or an existing object (`found`).

    For an existing one, `present` is the object as mst-admin declares it, `begin` its values in the form.
    `details` are additional values for the object's page.
    """

    entities: Entities[Any]
    """The Graph collection of the object."""
    field_of: ClassVar[Mapping[str, str]] = {}
    """The field that shows a problem with something else."""
    reviewed: ClassVar[bool] = True
    """True if values are shown for review before they are stored."""

    groups: tuple[FieldGroup, ...]
    present: Any = None
    begin: Values
    advice: tuple[Finding, ...] = ()
    details: Mapping[str, object] = {}
    suggestions: Mapping[str, Sequence[str]] = {}

    def __init__(self, lab: Lab, found: Found | None = None) -> None:
        self.lab = lab
        self.found = found

    @abstractmethod
    def declared(self, values: Values) -> tuple[Any, tuple[Finding, ...]]:
        """Return the input as an object of mst-admin, and the findings of mst-admin's rules.

        Raises `pydantic.ValidationError`.
        """

    @abstractmethod
    def body(self, declared: Any) -> JsonObject:
        """Return Graph's body of an object without fatal findings."""

    def store(self, body: JsonObject) -> Found:
        """Create or change the object; raises `GraphError`. Keep scope tags, which the forms do not show."""
        kept: Found
        with self.lab.store.transaction():
            if self.found is None:
                kept = self.entities.create(self.lab, body)
            else:
                shown = {name: value for name, value in body.items() if name != "roleScopeTagIds"}
                kept = self.entities.change(self.lab, self.found, shown)
        return kept


@dataclass(frozen=True, kw_only=True)
class AdminSection(Generic[Item]):
    """A section of the admin center; `template` shows an object."""

    tab: str
    title: str
    what: str
    columns: Callable[[Lab], Sequence[Column[Item]]]
    each: Callable[[Lab], Sequence[Item]]
    new: Callable[[Lab], ObjectForm[Any]]
    open: Callable[[Lab, str], ObjectForm[Any]]
    template: str
    create: str = "Create"

    @property
    def routes(self) -> list[Route]:
        """The pages of the section."""
        return [
            Route(self._place, signed_in(self._list)),
            Route(f"{self._place}/new", signed_in(self._new), methods=_FORM),
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

    async def _new(self, request: Request, lab: Lab) -> Response:
        return await self._answer(request, self.new(lab))

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
        """Show a form, or handle a submitted one: store it, or show it again, or show its review.

        The review stores the input as a rehearsal, and rolls it back.
        """
        if request.method == "GET":
            return self._form_page(request, edited, edited.begin if edited.found else initial(edited.groups))
        form = await request.form()
        values, decision = read(form, edited.groups), render.field(form, "decision")
        if decision == "edit":
            return self._form_page(request, edited, values)
        if edited.found and render.field(form, "version") != _version(edited.found):
            stale = "Someone else has changed this in the meantime. Open it again to see the current values."
            return self._form_page(request, edited, values, {"": [stale]})
        try:
            declared, advice = edited.declared(values)
            if problems := problems_of(advice):
                return self._form_page(request, edited, values, problems)
            body = edited.body(declared)
            if decision != "review":
                return go_to(f"{self._place}/{edited.store(body).id}?saved")
            with edited.lab.store.rehearsal():
                edited.store(body)
        except ValidationError as error:
            problems = problems_in(error)
        except GraphError as error:
            problems = {"": [error.message]}
        else:
            shown = Form(edited.groups, values)
            return page(request, "review.html", 200, form=shown, advice=advice, **self._context(edited))
        return self._form_page(request, edited, values, problems)

    def _form_page(
        self,
        request: Request,
        edited: ObjectForm[Any],
        values: Values,
        problems: Problems | None = None,
    ) -> Response:
        """Show the form with its problems."""
        by_field = {edited.field_of.get(name, name): said for name, said in (problems or {}).items()}
        form = Form(edited.groups, values, by_field)
        status = 400 if form.problems else 200
        return page(request, "form.html", status, form=form, **self._context(edited))

    def _context(self, edited: ObjectForm[Any]) -> dict[str, object]:
        found = edited.found
        back = f"{self._place}/{found.id}" if found else self._place
        return {
            "subject": edited,
            "what": self.what,
            "tab": self.tab,
            "name": found.display_name if found else "",
            "action": f"{back}/edit" if found else f"{self._place}/new",
            "back": back,
            "version": _version(found) if found else "",
        }


def delete_page(
    request: Request, what: str, place: str, identifier: str, *, name: str, also: str = ""
) -> Response:
    """Ask whether to delete an object of the kind `what` that is listed at `place`."""
    back, tab = f"{place}/{identifier}", place.rpartition("/")[2]
    return page(request, "delete.html", tab=tab, what=what, name=name, back=back, also=also)


def _version(found: BaseModel) -> str:
    """Return a digest of an entity, by which a form detects other changes."""
    return hashlib.sha256(found.model_dump_json().encode()).hexdigest()
