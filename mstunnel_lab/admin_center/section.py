"""Sections of the admin center whose objects come in kinds: the list, the details and the forms."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center.changes import Found, Subject, Wish, answer, choice_page
from mstunnel_lab.admin_center.forms import Form, Values
from mstunnel_lab.admin_center.lists import Column, Item, listing
from mstunnel_lab.admin_center.render import go_to, page, words
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding

_FORM: Final = ["GET", "POST"]


@dataclass(frozen=True)
class Editor(ABC):
    """The form of an object, new or present, and what its page shows besides."""

    lab: Lab

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """The form, as it is shown and sent."""

    @property
    @abstractmethod
    def facts(self) -> Sequence[tuple[str, str]]:
        """Labels and texts above the form's values."""

    @property
    @abstractmethod
    def advice(self) -> tuple[Finding, ...]:
        """Findings about the present object."""

    @abstractmethod
    def judged(self, values: Values) -> Wish:
        """Return what was typed, judged by the rules of mst-admin; raises `RefusedError`."""

    @abstractmethod
    def store(self, wish: Wish) -> Found:
        """Create or change the object."""

    async def answer(self, request: Request) -> Response:
        """Show the form, or answer it when it was sent."""
        return await answer(request, self.lab, self.subject, self.judged, self.store)


@dataclass(frozen=True, kw_only=True)
class Section(Generic[Item]):
    """A section of the admin center; `present` and `remove` are about the object whose id is in the path."""

    tab: str
    title: str
    what: str
    kinds: Mapping[str, str]
    label: str
    """What the kinds are called."""
    text: str
    """Help for the choice of a kind."""
    columns: Sequence[Column[Item]]
    each: Callable[[Lab], Sequence[Item]]
    new: Callable[[Lab, str], Editor]
    present: Callable[[Request, Lab], Editor]
    remove: Callable[[Request, Lab], None]

    @property
    def routes(self) -> list[Route]:
        """The pages of the section."""
        return [
            Route(self._place, signed_in(self._list)),
            Route(f"{self._place}/new", signed_in(self._choose)),
            Route(f"{self._place}/new/{{kind}}", signed_in(self._new), methods=_FORM),
            Route(f"{self._place}/{{id}}", signed_in(self._details)),
            Route(f"{self._place}/{{id}}/edit", signed_in(self._edit), methods=_FORM),
            Route(f"{self._place}/{{id}}/delete", signed_in(self._delete), methods=_FORM),
        ]

    @property
    def _place(self) -> str:
        return f"/admin/{self.tab}"

    async def _list(self, request: Request, lab: Lab) -> Response:
        found = listing(request, self.each(lab), self.columns)
        return page(request, "list.html", tab=self.tab, title=self.title, found=found, create="Create")

    async def _details(self, request: Request, lab: Lab) -> Response:
        editor = self.present(request, lab)
        subject = editor.subject
        return page(
            request,
            "details.html",
            200,
            id=request.path_params["id"],
            facts=editor.facts,
            form=Form(subject.groups, subject.begin),
            advice=editor.advice,
            saved="saved" in request.query_params,
            **subject.context,
        )

    async def _choose(self, request: Request, _lab: Lab) -> Response:
        return choice_page(request, self.what, self._place, self.kinds, label=self.label, text=self.text)

    async def _new(self, request: Request, lab: Lab) -> Response:
        if (kind := request.path_params["kind"]) not in self.kinds:
            return go_to(f"{self._place}/new")
        return await self.new(lab, kind).answer(request)

    async def _edit(self, request: Request, lab: Lab) -> Response:
        return await self.present(request, lab).answer(request)

    async def _delete(self, request: Request, lab: Lab) -> Response:
        if request.method == "GET":
            subject = self.present(request, lab).subject
            return page(
                request, "delete.html", 200, what=words(request)(self.what), also="", **subject.context
            )
        self.remove(request, lab)
        return go_to(self._place)
