"""Pages: templates, languages, headers, and the tokens that tell our forms from those of other sites.

Forms carry a token bound to a cookie and to the session (double submit, signed per run of the server). The
cookies are the caller's to choose, so the key of these tokens signs nothing else.

A text is looked up in the tables in `texts` by its template, as it is written in the code. The English table
has texts alone that speak of files and options elsewhere, and of a form here.
"""

import re
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mstunnel_lab.state import lab_of, labs_of
from mstunnel_setup.base import rendering
from mstunnel_setup.base.text import Text

LANGUAGES: Final = {"en": "English", "ja": "日本語"}
"""Their names, each in itself."""
FORM_COOKIE: Final = "__Host-lab-form"
SESSION_COOKIE: Final = "__Host-lab-session"
_LANGUAGE_COOKIE: Final = "lab-language"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
EXPIRED_FORM: Final = "This form has expired. Please try again."
_PATH: Final = re.compile(r"/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*(\?[A-Za-z0-9_.=&%:/-]*)?")
"""Paths that a page may lead back to: below this server, never an address of another one."""
_WEIGHT: Final = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")


def page(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """Render a template; each page sets the cookie that its forms are bound to."""
    cookie = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    context = {
        "tenant": lab_of(request).tenant.name,
        "form_token": labs_of(request).sign("form", cookie, request.cookies.get(SESSION_COOKIE, "")),
        "user": getattr(request.state, "user", None),
        "tab": "",
        "_": words(request),
        "languages": LANGUAGES,
        "here": request.url.path,
    }
    text = rendering.render(f"lab/{template}", **context | values)
    response = HTMLResponse(text, status, HEADERS)
    response.set_cookie(FORM_COOKIE, cookie, secure=True, httponly=True, samesite="strict")
    return response


def message(request: Request, title: str, text: str, status: int = 200) -> Response:
    """Render a page that says one thing, in the language of the browser."""
    return page(request, "message.html", status, title=title, text=text)


def own_path(text: str) -> str:
    """Return a path of ours to go on with, the admin center for anything else."""
    return text if _PATH.fullmatch(text) else "/admin"


def go_to(path: str) -> Response:
    """Send the browser to another page with GET."""
    return RedirectResponse(path, 303, HEADERS)


def is_own_form(request: Request, form: FormData) -> bool:
    """Return whether the form came from a page of ours in this browser."""
    cookie = request.cookies.get(FORM_COOKIE, "")
    session, given = request.cookies.get(SESSION_COOKIE, ""), field(form, "form_token")
    return bool(cookie) and labs_of(request).verify("form", given, cookie, session)


def field(form: FormData, name: str) -> str:
    """Return a text field of a form, "" where it is missing."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def attachment(name: str, text: str, media_type: str) -> Response:
    """Return a file that the browser saves under this name."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=media_type, headers=HEADERS | disposition)


async def style(_request: Request) -> Response:
    """The style sheet."""
    text = rendering.render("lab/lab.css")
    return Response(text, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


async def choose_language(request: Request) -> Response:
    """Remember a language in this browser, and return to the page it was chosen on."""
    response = go_to(own_path(request.query_params.get("next", "")))
    wanted = request.query_params.get("to", "")
    if wanted in LANGUAGES:
        response.set_cookie(
            _LANGUAGE_COOKIE, wanted, max_age=365 * 86400, secure=True, httponly=True, samesite="lax"
        )
    return response


def words(request: Request) -> "PageLanguage":
    """Return the language that was chosen in this browser, else the first it asks for that we have.

    Of Accept-Language, the primary subtags count, the most wanted first (RFC 9110, 12.5.4).
    """
    accepted: list[tuple[float, str]] = []
    for item in request.headers.get("accept-language", "").split(","):
        tag, _, parameter = item.strip().partition(";")
        weight = _WEIGHT.fullmatch(parameter.strip()) if parameter else None
        accepted.append((float(weight[1]) if weight else 1.0, tag.split("-")[0].lower()))
    preferred = [tag for weight, tag in sorted(accepted, key=lambda pair: -pair[0]) if weight]
    wanted = [request.cookies.get(_LANGUAGE_COOKIE, ""), *preferred]
    return PageLanguage(next((name for name in wanted if name in LANGUAGES), "en"))


@cache
def _tables(language: str) -> Mapping[str, Mapping[str, str]]:
    path = Path(__file__).with_name("texts") / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def table(language: str) -> Mapping[str, str]:
    """The translations of a language, by the text in the code."""
    return {english: said for found in _tables(language).values() for english, said in found.items()}


class PageLanguage:
    """Translates texts into one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, english: str, **values: object) -> str:
        """A text of ours in this language, its parameters filled in; as it is where it has no translation."""
        return self._translated(Text(english, values) if values else english, {})

    def problem(self, sentences: Iterable[str], labels: Mapping[str, str]) -> str:
        """What a rule says; where it names a key, the label of that field (in English, by key) stands."""
        begin, close, end, gap = ("「", "」", "。", "") if self.language == "ja" else ("“", "”", ".", " ")
        shown = {name: f"{begin}{self(label)}{close}" for name, label in labels.items()}
        said = [self._translated(sentence, shown) for sentence in sentences if sentence]
        return gap.join(text if text.endswith((".", "?", "。")) else text + end for text in said)

    def _translated(self, english: str, labels: Mapping[str, str]) -> str:
        """The translation of a template with its values filled in.

        Values are translated that are texts themselves. Of others only the words of rules are, and keys of
        declared objects become labels: names stay as they are.
        """
        if not isinstance(english, Text) or english.values is None:
            return table(self.language).get(english, english)
        filled = dict(english.values)
        for name, value in filled.items():
            if isinstance(value, Text):
                filled[name] = self._translated(value, labels)
            elif isinstance(value, str):
                label = labels.get(value) if name in {"key", "keys", "needed", "instead"} else None
                filled[name] = label or _tables(self.language)["rules"].get(value, value)
        return table(self.language).get(english.template, english.template).format_map(filled)
