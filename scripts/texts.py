"""The texts that people read, and the gettext catalogues that translate them.

`python -m scripts.texts` brings `mstunnel_setup/data/locale/*/*.po` up to date: new texts get an entry with
no translation, unused ones lose theirs. The texts are declarations, help, checks, steps and output.
"""

import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from mstunnel_setup.base.log_line import LOGS_PAGE
from mstunnel_setup.cli.framework import help as help_pages
from mstunnel_setup.cli.framework.translation import PARAMETER, SPOKEN, tells, template
from mstunnel_setup.install.step_list import ORDER, ROOTLESS
from mstunnel_setup.operations.help_topics import lines, names
from mstunnel_setup.readiness.checks import CHECKS
from mstunnel_setup.readiness.model import DOCUMENTATION
from scripts.command_tree import PROGRAMS, program
from scripts.error_codes import Item, declarations
from scripts.spoken import sources, spoken

_ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = tuple(_ROOT / name for name in ("mstunnel_setup", "mst_admin", "mstunnel_lab"))
LOCALE: Final = PACKAGES[0] / "data" / "locale"
# The lab has its own languages, in its pages; the others hold patterns, names and rules for programs.
_SILENT: Final = frozenset(
    {
        *("redaction.py", "metrics.py", "fixed_rules.py", "issuers.py", "oidc.py", "translation.py"),
        *("log_lines.py", "export_m365dsc.py", "export_terraform.py", "hcl.py", "powershell.py"),
    }
)
# What is put together elsewhere: words of click and pydantic, of the renderer, and states in tables.
_FIXED: Final = (
    *("Usage:", "default: {default}", "(503, with --aadsts 400)", "required", "Show this message and exit."),
    *(
        "No such command {name}",
        "No such option: {name}",
        "Did you mean {name}?",
        "(Possible options: {names})",
    ),
    *("Missing option {name}", "Missing argument {name}", "Missing parameter: {name}", "Missing command"),
    *("Invalid value for {name}: {problem}", "Option {name} requires an argument", "{path} does not exist"),
    *("Directory {path}", "File {path}", "Path {path}", "{path} is a file", "{path} is a directory"),
    "{value} is not one of {choices}.",
    *("Got unexpected extra argument(s) ({arguments})", "Option {name} does not take a value"),
    *("it must be {least} or more", "it must be {most} or less", "it must be more than {least}"),
    *("it must be less than {most}", "{number} is negative: it must be 0 or more"),
    *("error", "warning", "stopped", "waiting", "undone", "kept", "done", "next", "open", "ok"),
    *("pass", "FAIL", "warn", "skip", "problem", "info", "none", "absent", "recommended"),
    *("Server", "Agent", "healthy", "unhealthy", "unknown", "offline", "running"),
)
# What looks like a text and is none: commands, patterns, comments of generated files, names of others.
_NO_TEXT: Final = re.compile(
    r"^[-#\[(^]|^/\S*( -|$)|^`[^`]*`$|^(mst-cli|mst-admin|mstunnel-setup) \w|^[A-Z0-9 _-]+$"
    r"|^[\w./]+[._/]\w+$|\\|\(\?|\[\^|[<>$]|^(Podman|Docker|HostPort|Value error,|True|False|Disabled)$"
    r"|^(kill .*|[A-Z]+[a-z]+[A-Z]\w*|.*\.\*|.*\w\|\w.*)$"
)
_WORD: Final = re.compile(r"[A-Za-z]{2,}")


@cache
def texts() -> Mapping[str, Sequence[str]]:
    """The texts by the catalogue that has them; each is in one."""
    steps = [*ORDER, *(step for several in ROOTLESS.values() for step in several)]
    code = (text for package in PACKAGES[:2] for path in sources(package, _SILENT) for text in spoken(path))
    found = {
        "errors": _words(
            item for item in declarations().values() if item.page not in {DOCUMENTATION, LOGS_PAGE}
        ),
        "readiness": [
            *_words(item for item in declarations().values() if item.page == DOCUMENTATION),
            *(text for item in CHECKS for text in (item.title, item.passes, item.why, item.fix)),
        ],
        "help": [*_of_help()],
        "output": [
            *_FIXED,
            *(lines(name)[0] for name in names()),
            *(step.title for step in steps),
            *filter(_is_text, map(str.strip, code)),
        ],
    }
    given: set[str] = set()
    made: dict[str, list[str]] = {}
    for name, items in found.items():
        made[name] = [text for text in dict.fromkeys(items) if _can_be_found(text) and text not in given]
        given.update(made[name])
    return made


def _words(items: Iterable[Item]) -> list[str]:
    return [text for item in items for text in (item.message, item.hint)]


def _of_help() -> Iterator[str]:
    sections = (name for name in vars(help_pages) if name.isupper())
    yield from (value for name in sections if isinstance(value := vars(help_pages)[name], str))
    yield from ("Options", "Arguments", "Commands", "Examples", help_pages.VARIABLES)
    for name in PROGRAMS:
        for command in program(name).walk():
            yield command.help
            yield from (parameter.help for parameter in command.parameters)


def _is_text(text: str) -> bool:
    """Whether the code shows it as a text: some words, or one with a capital letter."""
    own = PARAMETER.sub("", text).strip()
    words = _WORD.findall(own)
    return bool(words) and (" " in text or own[0].isupper()) and not _NO_TEXT.search(text)


def _can_be_found(text: str) -> bool:
    return bool(text) and (not PARAMETER.search(text) or tells(template(text)))


def read(path: Path) -> Catalog:
    """One catalogue; an empty one where there is no file."""
    content = path.read_bytes() if path.is_file() else b""
    return read_po(io.BytesIO(content), abort_invalid=True)


def updated(present: Mapping[str, str], wanted: Iterable[str], language: str) -> bytes:
    """The file of a catalogue with the `wanted` texts in their order, translated as in `present`."""
    catalog = Catalog(locale=language, fuzzy=False, project="mstunnel-setup", charset="utf-8")
    for text in wanted:
        catalog.add(text, present.get(text, ""))
    target = io.BytesIO()
    write_po(target, catalog, width=0, omit_header=True, no_location=True)
    header = 'msgid ""\nmsgstr ""\n"Language: {}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return header.format(language).encode() + target.getvalue()


def catalogues(others: Sequence[Path] = ()) -> dict[Path, bytes]:
    """What the catalogue files have to be; `others` are further files with translations."""
    made: dict[Path, bytes] = {}
    for language in SPOKEN:
        files = {name: LOCALE / language / f"{name}.po" for name in texts()}
        found = (
            item for file in (*files.values(), *others) for item in read(file) if item.id and item.string
        )
        present = {str(item.id): str(item.string) for item in found}
        made |= {files[name]: updated(present, wanted, language) for name, wanted in texts().items()}
    return made


def main() -> None:
    """Write the catalogues, also from the files given, and say how many texts have no translation."""
    for path, content in catalogues(list(map(Path, sys.argv[1:]))).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        missing = sum(1 for item in read(path) if item.id and not item.string)
        print(f"texts: {path.relative_to(PACKAGES[0])}: {missing} without a translation", file=sys.stderr)


if __name__ == "__main__":
    main()
