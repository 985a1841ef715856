"""The texts that people read, and the gettext catalogues that translate them.

`python -m scripts.develop.texts` brings `mstunnel_setup/data/locale/LANGUAGE/LC_MESSAGES/mstunnel.po` up to
date for a release or a translator, and prints what has no translation: that is shown in English. Texts are
found as gettext finds them, by the calls that they stand in. Programs read the `.mo`, which is made when the
package is built.
"""

import ast
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from mstunnel_setup.base.log_line import LOGS_PAGE
from mstunnel_setup.cli.framework import help as help_pages
from mstunnel_setup.cli.framework.translation import DOMAIN, LANGUAGES, LOCALE
from mstunnel_setup.operations.help_topics import lines, names
from mstunnel_setup.readiness.checks import CHECKS
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.model import Group
from scripts import ROOT
from scripts.docs.command_tree import PROGRAMS, program
from scripts.docs.error_codes import declarations

# The lab has its own languages, in its pages.
_PACKAGES: Final = ("mstunnel_setup", "mst_admin")
# Calls whose texts a person reads: `text`, questions and announcements, and what is translated at once.
_FUNCTIONS: Final = frozenset({"text", "translated", "passed", "skipped"})
_METHODS: Final = frozenset({"say", "note", "ask", "ask_until", "confirm", "choose"})
# What typer adds to the help of an option, and words that are data as well: states, and results of checks.
_OTHERS: Final = (
    *("(dynamic)", "default: {default}", "required", "Show this message and exit."),
    *("Options", "Arguments", "Commands", "Examples", "Usage:"),
    *("error", "warning", "stopped", "waiting", "undone", "kept", "done", "next", "open", "ok"),
    *("pass", "FAIL", "warn", "skip", "problem", "note", "info", "none", "absent", "recommended"),
    *("{message}.", "{message}. {hint}", "{title}: {seen}. {hint}"),
    *(group.value for group in Group),
    *("Server", "Agent", "healthy", "unhealthy", "unknown", "offline", "running"),
    # What could not be done with a file (`io/files.py`), and why.
    *(
        "read",
        "write",
        "look at",
        "list",
        "append to",
        "create",
        "link",
        "rename",
        "touch",
        "remove",
        "empty",
    ),
    *("truncate", "change the owner of", "change the mode of"),
    *map(os.strerror, (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)),
    *map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EBUSY, errno.ENAMETOOLONG)),
)


@cache
def texts() -> tuple[str, ...]:
    """All texts, each once."""
    of_checks = (text for check in CHECKS for text in (check.title, check.passes, check.why, check.fix))
    of_engines = (bad.why for bad in platforms().bad)
    found = chain(
        _OTHERS, _of_errors(), of_checks, of_engines, _of_help(), (lines(name)[0] for name in names())
    )
    sources = (path for package in _PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    code = (text for path in sources for text in called(path.read_text()))
    return tuple(
        text
        for text in dict.fromkeys(map(str.strip, chain(found, code)))
        if text in _OTHERS or _has_words(text)
    )


def called(source: str) -> Iterator[str]:
    """The literals that a module passes to the functions that show texts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            shown = (
                node.func.attr in _METHODS
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "") in _FUNCTIONS
            )
            for argument in node.args if shown else ():
                parts = argument.elts if isinstance(argument, ast.Tuple | ast.List) else [argument]
                yield from (
                    part.value
                    for part in parts
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )


def _has_words(text: str) -> bool:
    """Whether there is anything to translate besides values."""
    return any(map(str.isalpha, "".join(part for part in text.replace("}", "{").split("{")[::2])))


def _of_errors() -> Iterator[str]:
    """Logs are in English."""
    items = [item for item in declarations().values() if item.page != LOGS_PAGE]
    for item in items:
        for text in (item.message, item.hint):
            yield text if item.parameters else text.replace("{{", "{").replace("}}", "}")


def _of_help() -> Iterator[str]:
    yield from (
        value for name, value in vars(help_pages).items() if name.isupper() and isinstance(value, str)
    )
    for name in PROGRAMS:
        for command in program(name).walk():
            yield command.help
            yield from (parameter.help for parameter in command.parameters)


def read(path: Path) -> dict[str, str]:
    """The translations in a catalogue, by the English text; none where there is no file."""
    content = path.read_bytes() if path.is_file() else b""
    items = read_po(io.BytesIO(content), abort_invalid=True)
    return {str(item.id): str(item.string) for item in items if item.id and item.string}


def updated(present: Mapping[str, str], wanted: Iterable[str], language: str) -> bytes:
    """Return the `.po` of a language with the `wanted` texts, translated as in `present`."""
    catalog = Catalog(locale=language, fuzzy=False, project="mstunnel-setup", charset="utf-8")
    for text in sorted(wanted):
        catalog.add(text, present.get(text, ""))
    source = io.BytesIO()
    write_po(source, catalog, width=0, omit_header=True, no_location=True)
    header = 'msgid ""\nmsgstr ""\n"Language: {}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return header.format(language).encode() + source.getvalue()


def compiled(path: Path) -> bytes:
    """Return the `.mo` of a `.po`."""
    catalog = read_po(io.BytesIO(path.read_bytes()))
    # What is not in the file would be the time of this call.
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    content = io.BytesIO()
    write_mo(content, catalog)
    return content.getvalue()


def catalogue(language: str) -> Path:
    """The file with the translations into a language."""
    return Path(LOCALE) / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def main() -> None:
    """Write the catalogues, also with translations from the files given, and print what has none."""
    for language in LANGUAGES:
        path = catalogue(language)
        present = {
            text: said for file in (*map(Path, sys.argv[1:]), path) for text, said in read(file).items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(updated(present, texts(), language))
        missing = [text for text in texts() if text not in present]
        for text in missing:
            print(f"  {text}", file=sys.stderr)
        print(f"texts: {language}: {len(missing)} of {len(texts())} have no translation", file=sys.stderr)


if __name__ == "__main__":
    main()
