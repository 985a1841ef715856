"""Write what follows from the code: reference pages and JSON schemas (`python -m scripts.docs`).

Only the schemas are in git; tests/unit/test_docs.py fails when one is out of date.
"""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mstunnel_setup.agent.metrics import METRICS, AgentMetric
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.install.step_list import ORDER, ROOTLESS
from scripts import ROOT
from scripts.docs import command_page, coverage, error_codes, health_tables, requirement_tables, token_tables
from scripts.docs.command_tree import flat
from scripts.docs.schemas import schemas

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
NOTE = "<!-- Written by `make docs` from the code. Do not edit. -->\n"


def pages() -> dict[Path, str]:
    """Return the pages that follow from the code, and the tables that other pages include: none is in git."""
    made = {
        REFERENCE / "steps.md": steps(),
        REFERENCE / "answers.md": answers(),
        REFERENCE / "metrics.md": metrics(),
        DOCS / "evidence/coverage.md": coverage.page(),
        **{REFERENCE / name: text for name, text in command_page.pages().items()},
        **{REFERENCE / name: text for name, text in error_codes.error_pages().items()},
    }
    tables = (
        error_codes.tables() | token_tables.tables() | requirement_tables.tables() | health_tables.tables()
    )
    return {path: f"{NOTE}\n{text.rstrip()}\n" for path, text in made.items()} | {
        REFERENCE / f"tables/{name}.md": text for name, text in tables.items()
    }


def steps() -> str:
    """The steps in order, from `steps.ORDER` and what their modules say of themselves."""
    intro = (
        "# Steps\n\n"
        "An installation runs these steps in order. `mstunnel-setup step NAME` runs one of them, and before\n"
        "it those that it needs; `--skip NAME` leaves one out.\n"
    )
    return "\n".join([intro, *(_step(number, step) for number, step in enumerate(ORDER, 1)), _rootless()])


def _rootless() -> str:
    """The steps of an installation without root; those that are the same are only named."""
    known = {id(step) for step in ORDER}
    intro = (
        "# Steps without root\n\n"
        "With `--rootless` root and the service account run their parts one after the other, each with a\n"
        "separate journal. Steps that are not described here are those of the same name above.\n"
    )
    parts = [intro]
    for scope, title in ((Scope.HOST, "The part of root"), (Scope.ACCOUNT, "The part of the account")):
        names = ", ".join(f"`{step.name}`" for step in ROOTLESS[scope])
        parts.append(f"## {title}\n\n{names}.\n")
        parts += [_step(0, step) for step in ROOTLESS[scope] if id(step) not in known]
    return "\n".join(parts)


def _step(number: int, step: Any) -> str:
    about = inspect.getdoc(importlib.import_module(step.gather.__module__)) or ""
    own = [each for each in about.split("\n\n") if each.startswith(f"`{step.name}`: ")]
    sentence = (own[0] if own else about).partition(": ")[2]
    needs = f"Needs: {', '.join(f'`{name}`' for name in step.needs)}.\n" if step.needs else ""
    heading = f"## {number}." if number else "###"
    title = f"{heading} `{step.name}`: {step.title!s}\n"
    return "\n".join([title, f"{sentence[:1].upper()}{sentence[1:]}\n", *([needs] if needs else [])])


def answers() -> str:
    """Every setting of the answer file with its option and variable, and a commented file."""
    head = (
        "# Answer file\n\n"
        "YAML in UTF-8, strict: an unknown key is an error with line and column.\n"
        "`mstunnel-setup answers new` writes a commented file, `answers check` checks one,\n"
        "`answers schema` prints its JSON Schema, and `answers show` lists every value with its origin.\n\n"
        "Precedence: option, variable, file, earlier answers. A setting without a default that the file\n"
        "gives as `null` is withdrawn: an earlier answer to it no longer counts. Of settings that exclude\n"
        "each other, such as a PFX and a chain with its key, those of the strongest source count.\n\n"
        "Secrets are never written into the file, only a reference to them: `file:PATH`, `env:NAME` or\n"
        "`credential:NAME` (systemd).\n\n"
        "| Setting | Values, default | Option | Variable | Meaning |\n| --- | --- | --- | --- | --- |\n"
    )
    rows = "".join(_setting(path, info) for path, info in settings(AnswerFile) if path in BY_PATH)
    return f"{head}{rows}\n## A commented file\n\n```yaml\n{describe.new_file().strip()}\n```\n"


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting of the answer file with its declaration, by its path (`tenant.ca_file`)."""
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from settings(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", info


def _setting(path: str, info: FieldInfo) -> str:
    setting = BY_PATH[path]
    cells = (
        f"`{path}`",
        values(info),
        f"`{setting.option}`" if setting.option else "",
        f"`{setting.variable}`" if not setting.section else "",
        info.description or "",
    )
    return f"| {' | '.join(cells)} |\n"


def values(info: FieldInfo) -> str:
    """What a setting may be, the default in bold; empty for any text."""
    literals = [value for value in flat(info.annotation) if isinstance(value, str)]
    if not literals:
        return f"default `{info.default}`" if isinstance(info.default, str) else ""
    return ", ".join(f"**`{value}`**" if value == info.default else f"`{value}`" for value in literals)


def metrics() -> str:
    """Every metric, from the table by which the agent writes them."""
    head = (
        "# Metrics\n\n"
        "The agent writes them for Prometheus once a minute, to `/var/lib/mstunnel-agent/metrics.prom`;\n"
        "[watch with Prometheus](../how-to/prometheus.md) describes how to collect them. Names and units\n"
        "follow the conventions of Prometheus: seconds, bytes, ratios from 0 to 1, times as Unix time\n"
        "(`time() - NAME` is how long ago). An unknown value is omitted. No metric contains the name of a\n"
        "user, device or network; a gateway has fewer than 50 time series.\n\n"
        "| Metric | Type | Unit | Source | Meaning |\n| --- | --- | --- | --- | --- |\n"
    )
    return head + "".join(_metric(item) for item in METRICS)


def _metric(item: AgentMetric) -> str:
    name = f'{item.name}{{{item.label}="…"}}' if item.label else item.name
    return f"| `{name}` | {item.kind} | {item.unit} | {item.source} | {item.about} |\n"


def main() -> None:
    """Write all of them and the JSON schemas, which are in git; print what changed."""
    for path, text in (pages() | schemas()).items():
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
