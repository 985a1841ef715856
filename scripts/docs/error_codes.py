"""Every error and warning of the packages, and the tables of the reference pages that list them.

Most are written where they are raised:

    raise UsageError("file-exists", "{path} already exists", hint="Give the name of a new file.", path=path)

A call of an error class, of `warning` or of `finding` whose code and texts are literals. Codes and texts that
are only known at run time are those of another error, which is found where it is written.
"""

import ast
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import mst_admin
import mstunnel_lab
import mstunnel_setup
from mstunnel_setup.answers.finding import PAGE as RULES_PAGE
from mstunnel_setup.answers.finding import Finding as Rule
from mstunnel_setup.base.errors import ERRORS_PAGE, Declared, ExitCode, SetupError, declare
from mstunnel_setup.base.log_line import DeclaredLine, message_id
from mstunnel_setup.base.problem import Problem, Severity, error, note, warning
from mstunnel_setup.certificates.errors import PAGE as CERTIFICATES_PAGE
from mstunnel_setup.readiness.checks import CHECKS
from mstunnel_setup.readiness.model import DOCUMENTATION, Group, Verdict, problem
from scripts import ROOT

PACKAGES = ("mstunnel_setup", "mst_admin", "mstunnel_lab")
Item: TypeAlias = Declared[object]
_WARNINGS = max(ExitCode) + 1
_TEXTS = 2
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+|[a-z]+")
_FINDINGS = ("error", "warning", "note")
_CERTIFICATES = "mstunnel_setup.certificates."
_VERDICTS = ("problem", "warning", "unknown")
_FINDING = "finding"
_INTRO = """\
# Errors

Each error and warning has a code that never changes: find it here, or search for it. Messages and hints
may change. [Exit codes](exit-codes.md) have their own page.
"""
_ABOUT = """\
`…` stands for a value that is only known at run time. [All codes](../errors.md).
"""
AREAS = {
    "usage": "command line and answers",
    "admin": "command line and files of mst-admin and mstunnel-lab",
    "host": "host and container engine",
    "certificate": "certificates",
    "sign-in": "sign-in",
    "tenant": "tenant",
    "network": "network",
    "run": "runs and steps",
    "warnings": "warnings",
}
"""The pages of errors, by name; each with its title."""
_RULES = "what the [rules](../mst-admin.md#rules) find, a line each"
_DESCRIBED = {
    "answers-invalid": "what is wrong with the [answers](../answers.md), a line each",
    "usage-invalid": "missing option …; missing argument …; no such option: …; invalid value for …; or the "
    "sentence of Typer about the command line",
    "values-invalid": "the messages of several errors, a line each",
    "declarations-invalid": _RULES,
    "object-file-invalid": _RULES,
    "profile-invalid": "what the rules of [profiles](../mst-admin.md#vpn-profiles) find, a line each",
    "request": "a request to the tenant, with the answer and its time",
    "configuration-refused": "why the new configuration is refused, and what to do; the previous one is kept",
    "configuration-waits": "what the new configuration waits for",
    "upgrade-requested": "the release that the host is asked to install",
    "upgrade-waits": "why no upgrade begins now, with the code of the decision",
}
"""Messages that are nothing but values of other tables, rules or programs, by code."""
_AREA_OF = {
    ExitCode.INTERNAL: "run",
    ExitCode.USAGE: "usage",
    ExitCode.CHECK: "host",
    ExitCode.CERTIFICATE: "certificate",
    ExitCode.SIGN_IN: "sign-in",
    ExitCode.TENANT: "tenant",
    ExitCode.ENGINE: "host",
    ExitCode.NETWORK: "network",
    ExitCode.LOCKED: "run",
    ExitCode.STEP: "run",
    ExitCode.WAITING: "run",
    _WARNINGS: "warnings",
}


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
        source = Path(str(content["__file__"])).read_text()
        # Names that the module defines; others import them.
        for name in re.findall(r"^([A-Z][A-Z0-9_]*)\b[^=\n]*=", source, re.MULTILINE):
            value = content.get(name)
            if isinstance(value, Declared):
                found[f"{module}.{name}"] = value
            elif isinstance(value, Mapping):
                items = (item for item in value.values() if isinstance(item, Declared))
                found |= {f"{module}.{name}.{item.code}": item for item in items}
    findings = {
        f"readiness.{name}.{number}": item
        for name, items in written_findings().items()
        for number, item in enumerate(items)
    }
    return found | written_errors() | findings


@cache
def written_errors() -> dict[str, Declared[Any]]:
    """Each by `MODULE.CODE:LINE`. The modules that define error classes must be imported."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in _kinds(SetupError)}
    kinds |= {"error": error, "warning": warning, "note": note}
    found: dict[str, Declared[Any]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            tree = ast.parse(path.read_text())
            called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            # The lines of the findings that are not fatal.
            not_fatal = {node.lineno for node in called if any(item.arg == "fatal" for item in node.keywords)}
            for line, name, code, message, hint in _texts_of(called, _constants(tree)):
                kind = _finding(fatal=line not in not_fatal) if name == _FINDING else kinds.get(name)
                if kind is not None and _CODE.fullmatch(code):
                    about = name in _FINDINGS and module.startswith(_CERTIFICATES)
                    page = RULES_PAGE if name == _FINDING else CERTIFICATES_PAGE if about else ERRORS_PAGE
                    found[f"{module}.{code}:{line}"] = Declared(kind, code, message, hint, page)
    return found


@cache
def written_findings() -> dict[str, list[Declared[Verdict]]]:
    """What each check of `mst-readiness` may find, by its id: in its function and in those that it calls."""
    return {check.id: list(_verdicts(check.id, check.judge)) for check in CHECKS}


def _verdicts(identifier: str, judge: Callable[..., Verdict]) -> Iterator[Declared[Verdict]]:
    functions, constants = _functions(inspect.getsourcefile(judge) or "")
    code = judge.__code__
    waiting = [
        item for item in functions if item.name == code.co_name and _begins(item) == code.co_firstlineno
    ]
    seen: set[str] = set()
    while waiting:
        function = waiting.pop(0)
        seen.add(function.name)
        nodes = [item for part in function.body for item in ast.walk(part) if isinstance(item, ast.Call)]
        for node in sorted(nodes, key=lambda item: (item.lineno, item.col_offset)):
            name = getattr(node.func, "id", "")
            if name in _VERDICTS:
                hint = next(keyword.value for keyword in node.keywords if keyword.arg == "hint")
                seen_text, hint_text = (_text(part, constants) for part in (node.args[0], hint))
                yield declare(_verdict, identifier, seen_text, hint_text, DOCUMENTATION)
            elif name not in seen:
                waiting += [item for item in functions if item.name == name]


@cache
def _functions(file: str) -> tuple[list[ast.FunctionDef], dict[str, object]]:
    """The functions of a module, and the texts that it names at its top."""
    tree = ast.parse(Path(file).read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)], _constants(tree)


def _verdict(_code: str, seen: str, hint: str) -> Verdict:
    return problem(seen, hint)


def _begins(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(item.lineno for item in function.decorator_list)])


def _text(node: ast.expr, constants: Mapping[str, object]) -> str:
    """A template; of what is only known at run time a parameter alone."""
    found = constants.get(node.id) if isinstance(node, ast.Name) else getattr(node, "value", None)
    return found if isinstance(found, str) else "{text}"


def _finding(*, fatal: bool) -> Any:
    def finding(code: str, message: str, hint: str) -> Rule:
        return Rule(code, message, hint, Severity.ERROR if fatal else Severity.WARNING)

    return finding


def _kinds(kind: type[SetupError]) -> Iterator[type[SetupError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def calls(source: str) -> Iterator[tuple[int, str, str, str, str]]:
    """Calls with a code and texts: line, name of what is called, code, message and hint as templates.

    A problem of a certificate, which it calls `what`, has another code where it is about one above the leaf.
    """
    tree = ast.parse(source)
    called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    yield from _texts_of(called, _constants(tree))


def _texts_of(
    called: Iterable[ast.Call], constants: Mapping[str, object]
) -> Iterator[tuple[int, str, str, str, str]]:
    for node in called:
        name = _called(node)
        args = node.args[1:] if name == _FINDING else node.args
        if len(args) < _TEXTS:
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg != "fatal"}
        hint = given.pop("hint", args[_TEXTS] if len(args) > _TEXTS else ast.Constant(""))
        parts = (*args[:_TEXTS], hint)
        texts = [
            constants.get(part.id) if isinstance(part, ast.Name) else getattr(part, "value", None)
            for part in parts
        ]
        if all(isinstance(text, str) for text in texts):
            code, *words = map(str, texts)
            # Without values a text is shown as it stands.
            message, hint_text = (
                words if given else [text.replace("{", "{{").replace("}", "}}") for text in words]
            )
            yield node.lineno, name, code, message, hint_text
            of_chain = name in _FINDINGS and "what" in given and not code.startswith("chain-")
            if of_chain:
                yield node.lineno, name, f"chain-{code}", message, hint_text


def _called(node: ast.Call) -> str:
    """The last name of what is called; empty where that is no name."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _constants(tree: ast.Module) -> dict[str, object]:
    """The texts that a module names at its top, such as hints of several errors."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def error_pages() -> dict[str, str]:
    """The pages by name: `errors.md` is an index of all codes, `errors/AREA.md` has their texts.

    Findings that are errors are among them, then come the warnings.
    """
    items = {id(item): (_area(name, item), item) for name, item in declarations().items()}.values()
    listed = sorted(
        ((area, item) for area, item in items if area), key=lambda row: (row[1].code, _exit_code(row[1]))
    )
    made = {"errors.md": _index(listed)}
    for area, title in AREAS.items():
        rows = ((_code(item), _exit_name(item), *_texts(item)) for each, item in listed if each == area)
        head = ("Code", "Exit code", "Message", "What to do")
        made[f"errors/{area}.md"] = f"# Errors: {title}\n\n{_ABOUT}\n{table(head, rows)}"
    return made


def _index(listed: Sequence[tuple[str, Item]]) -> str:
    """The areas, then all codes; each has the anchor that it had when all were on one page."""
    counts = Counter(area for area, _ in listed)
    areas = table(
        ("Area", "Codes"),
        ((f"[{title}](errors/{area}.md)", str(counts[area])) for area, title in AREAS.items()),
    )
    found: dict[str, dict[str, str]] = {}
    for area, item in listed:
        found.setdefault(item.code[0], {}).setdefault(item.code, area)
    letters = (
        f"## {letter.upper()}\n\n"
        + ",\n".join(
            f'<a id="{code}"></a>[`{code}`](errors/{area}.md#{code})' for code, area in codes.items()
        )
        + "\n"
        for letter, codes in found.items()
    )
    return "\n".join([_INTRO, areas, *letters, tree(f"errors/{area}" for area in AREAS)])


def _code(item: Item) -> str:
    """The code with its anchor; findings that another page describes lead there."""
    if item.page == ERRORS_PAGE:
        return _anchor(item.code)
    return f'<a id="{item.code}"></a>[`{item.code}`](../{Path(item.docs).name})'


def _area(name: str, item: Item) -> str:
    """The page that lists it; empty for what only other pages list."""
    exit_code = _exit_code(item)
    if exit_code == ExitCode.USAGE and not name.startswith("mstunnel_setup."):
        return "admin"
    return _AREA_OF.get(exit_code, "")


def _exit_name(item: Item) -> str:
    """Number and name of the exit code; empty for a warning."""
    exit_code = _exit_code(item)
    name = "" if exit_code == _WARNINGS else ExitCode(exit_code).name.lower().replace("_", "-")
    return f"{exit_code} ({name})" if name else ""


def _exit_code(item: Item) -> int:
    """The exit code of an error, `_WARNINGS`, or 0 for what only other pages list."""
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
    lines = table(
        ("Code", "Level", "Message", "`MESSAGE_ID`"),
        (
            (
                _anchor(item.code),
                item.priority.name.lower(),
                _texts(item)[0],
                f"`{message_id(item.code)}`",
            )
            for _, item, _ in made
            if isinstance(item, DeclaredLine)
        ),
    )
    return {**checks, "certificates": certificates, **rules, "lines": lines}


def _rules_about(name: str) -> str:
    """What a rule, by its name in the source, is about: the table that lists it begins so."""
    kinds = {"profile": "profile", "proxy_exclusions": "profile", "app": "app", "mam": "app"}
    module = name.rpartition(".")[0].rpartition(".")[2]
    return next((kind for start, kind in kinds.items() if module.startswith(start)), "object")


def tree(pages: Iterable[str]) -> str:
    """The pages below this one in the side bar."""
    return "```{{toctree}}\n:hidden:\n\n{}```".format("".join(f"{page}\n" for page in pages))


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
    if not message.strip(" ….()"):
        message = _DESCRIBED.get(item.code) or "; ".join(_reasons().get(item.code, ())) or message
    return message.replace("|", "\\|"), hint.replace("|", "\\|")


@cache
def _reasons() -> Mapping[str, tuple[str, ...]]:
    """What the program gives as the whole message, by the code of each item whose message is one value."""
    alone = {
        name.rpartition(".")[2].partition(":")[0]: item
        for name, item in declarations().items()
        if re.fullmatch(r"(\{\w+\} )?\{\w+\}", item.message)
    }
    found: dict[str, dict[str, None]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text())
            functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            for function in functions:
                for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                    # Of what is written where it is raised the first argument is the code.
                    first = getattr(call.args[0], "value", "") if call.args else ""
                    item = alone.get(_called(call)) or (alone.get(first) if isinstance(first, str) else None)
                    for each in call.keywords if item else ():
                        # Of two values the second is the reason.
                        if item and item.message.endswith(place := f"{{{each.arg}}}"):
                            for template in _templates(each.value, function, tree):
                                reason = re.sub(r"\{[^{}]*\}", "…", item.message.replace(place, template))
                                found.setdefault(item.code, {})[" ".join(reason.split())] = None
    return {code: tuple(reasons) for code, reasons in found.items()}


def _templates(value: ast.expr, function: ast.FunctionDef, tree: ast.Module) -> Iterator[str]:
    """The literal texts that an expression may be: also those of a name or argument of the function."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from (*_templates(value.body, function, tree), *_templates(value.orelse, function, tree))
    elif isinstance(value, ast.Call) and _called(value) == "text":
        yield from _templates(value.args[0], function, tree)
    elif isinstance(value, ast.Name):
        names = [argument.arg for argument in function.args.args]
        if value.id in names:
            place = names.index(value.id)
            given = (
                node.args[place]
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and _called(node) == function.name and len(node.args) > place
            )
        else:
            given = (
                node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign)
                and any(isinstance(target, ast.Name) and target.id == value.id for target in node.targets)
            )
        for each in given:
            if not isinstance(each, ast.Name):
                yield from _templates(each, function, tree)
