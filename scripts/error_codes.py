"""The declarations of the package, and the tables of the reference pages that list them."""

import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import mst_admin
import mstunnel_lab
import mstunnel_setup
from mstunnel_setup.answers.finding import Finding as Rule
from mstunnel_setup.base.errors import ERRORS_PAGE, Declared, ExitCode, SetupError
from mstunnel_setup.base.log_line import DeclaredLine, message_id
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.certificates.errors import PAGE as CERTIFICATES_PAGE
from mstunnel_setup.readiness.checks import CHECKS
from mstunnel_setup.readiness.model import Group
from scripts.written_errors import written_errors, written_findings

Item: TypeAlias = Declared[object]
# Modules that hold declarations; the lab's own `errors` are those of Graph and OAuth.
_MODULES = ("errors", "findings", "warning", "rendering", "log_lines")
_WARNINGS = max(ExitCode) + 1


@cache
def declarations() -> dict[str, Item]:
    """Every declaration by its name in the source; one in a table by the name of the table and its code.

    What is written where it is raised is among them, as `written_errors` names it.
    """
    found: dict[str, Item] = {}
    packages = (mstunnel_setup, mst_admin, mstunnel_lab)
    modules = [
        module
        for package in packages
        for _, module, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    for module in modules:
        content = vars(import_module(module))
        if module.endswith(_MODULES):
            for name, value in content.items():
                table = value.values() if name.isupper() and isinstance(value, Mapping) else ()
                found |= {
                    f"{module}.{name}.{item.code}": item for item in table if isinstance(item, Declared)
                }
                if name.isupper() and isinstance(value, Declared):
                    found[f"{module}.{name}"] = value
    findings = {
        f"readiness.{name}.{number}": item
        for name, items in written_findings().items()
        for number, item in enumerate(items)
    }
    return found | written_errors() | findings


def errors_page() -> str:
    """Every error by its exit code, findings that are errors among them, then the warnings."""
    intro = (
        "# Errors\n\n"
        "Codes are stable; messages and hints are for people and may change. `…` stands for a value that is\n"
        "only known at run time. Exit codes are explained in [exit-codes.md](exit-codes.md).\n"
    )
    parts = [intro]
    items = {id(item): item for item in declarations().values()}.values()
    listed = sorted(
        (item for item in items if _exit_code(item)), key=lambda item: (_exit_code(item), item.code)
    )
    for exit_code, rows in groupby(listed, _exit_code):
        name = "" if exit_code == _WARNINGS else ExitCode(exit_code).name.lower().replace("_", "-")
        title = f"Exit code {exit_code}: {name}" if name else "Warnings"
        cells = ((_code(item), *_texts(item)) for item in rows)
        parts.append(f"## {title}\n\n{table(('Code', 'Message', 'What to do'), cells)}")
    return "\n".join(parts)


def _code(item: Item) -> str:
    """The code, with the anchor of its description or a link to it."""
    return _anchor(item.code) if item.page == ERRORS_PAGE else f"[`{item.code}`]({Path(item.docs).name})"


def _exit_code(item: Item) -> int:
    """The section of the page: an exit code, `_WARNINGS`, or 0 for what only other pages list."""
    made = item.example()
    if isinstance(made, SetupError):
        return made.exit_code
    if isinstance(made, Problem) and item.page == CERTIFICATES_PAGE:
        return ExitCode.CERTIFICATE if made.severity is Severity.ERROR else 0
    return _WARNINGS if item.page == ERRORS_PAGE else 0


def with_tables(page: str, named: Mapping[str, str]) -> str:
    """A hand-written page with its tables: each between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""
    for name, text in named.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, found, rest = page.partition(begin)
        page = f"{before}{begin}{text}{end}{rest.partition(end)[2]}" if found else page
    return page


def tables() -> dict[str, str]:
    """The tables of declarations, by the names of their places."""
    checks = {
        f"checks-{group}": table(
            ("Id", "Severity", "Passes when", "Why it matters"),
            (
                (_anchor(item.id), item.severity, item.passes, item.why)
                for item in CHECKS
                if item.group is group
            ),
        )
        for group in Group
    }
    made = [(name, item, item.example()) for name, item in declarations().items()]
    certificates = table(
        ("Id", "Severity", "Message", "What to do"),
        (
            (_anchor(item.code), found.severity, *_texts(item))
            for _, item, found in sorted(made, key=lambda row: row[1].code)
            if isinstance(found, Problem) and item.page == CERTIFICATES_PAGE
        ),
    )
    rules = {
        f"{kind}-{'refusals' if fatal else 'warnings'}": table(
            ("Code", "Message", "What to do"),
            (
                (_anchor(item.code), *_texts(item))
                for name, item, found in made
                if isinstance(found, Rule) and found.fatal is fatal and _rules_about(name) == kind
            ),
        )
        for kind in ("object", "profile", "app")
        for fatal in (True, False)
    }
    lines = {
        f"lines-{program}": table(
            ("Code", "Level", "Message", "`MESSAGE_ID`"),
            (
                (
                    _anchor(item.code),
                    item.priority.name.lower(),
                    _texts(item)[0],
                    f"`{message_id(item.code)}`",
                )
                for name, item, _ in made
                if isinstance(item, DeclaredLine) and f".{program}." in name
            ),
        )
        for program in ("agent", "monitor")
    }
    return {**checks, "certificates": certificates, **rules, **lines}


def _rules_about(name: str) -> str:
    """What a rule, by its name in the source, is about: the table that lists it begins so."""
    return next((kind for kind in ("profile", "app") if f".{kind}s." in name), "object")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _anchor(code: str) -> str:
    return f'<a id="{code}"></a>`{code}`'


def _texts(item: Item) -> tuple[str, str]:
    """Message and hint as cells of a table."""
    made: Any = item.example()
    message, hint = (re.sub(r"…(\s*…)+", "…", " ".join(text.split())) for text in (made.message, made.hint))
    return message.replace("|", "\\|"), hint.replace("|", "\\|")
