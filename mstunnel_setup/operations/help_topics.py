"""`mst-cli help TOPIC`: short texts inside the program, for servers without access to the documentation."""

import difflib
from importlib.resources import files

from pydantic import Field

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import Line, Verbatim, text

_TEXTS = files("mstunnel_setup") / "data" / "help"
_SUFFIX = ".txt"


class HelpReport(Report):
    """The topics by name with their titles; for one topic also its text."""

    topics: dict[str, str] = Field(json_schema_extra={"minProperties": 1})
    text: str = ""


def names() -> list[str]:
    """Return the topics in alphabetical order."""
    return sorted(item.name.removesuffix(_SUFFIX) for item in _TEXTS.iterdir())


def lines(name: str) -> list[str]:
    """Return a topic's lines, at most 80 columns wide; the first one is its title."""
    return (_TEXTS / f"{name}{_SUFFIX}").read_text("utf-8").splitlines()


def topics() -> Result[HelpReport]:
    """Return all topics with their titles."""
    titles = {name: lines(name)[0] for name in names()}
    width = max(map(len, titles))
    rows = [Line(f"  {name:{width}}  {title}", name, title) for name, title in titles.items()]
    end = text("Read one with `mst-cli help TOPIC`; `mst-cli --help` lists the commands.")
    return Result(report=HelpReport(topics=titles), text=[text("Topics:"), *rows, "", end])


def topic(name: str) -> Result[HelpReport]:
    """Return one topic. Raises UsageError for an unknown name."""
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        suggestion = text("; did you mean {near}?", near=near[0]) if near else ""
        raise UsageError(
            "topic-unknown",
            "there is no help topic {name}{suggestion}",
            hint="Use one of: {known}.",
            name=name,
            suggestion=suggestion,
            known=", ".join(known),
        )
    content = lines(name)
    report = HelpReport(topics={name: content[0]}, text="\n".join(content))
    return Result(report=report, text=[*map(Verbatim, content)])
