"""Write what follows from the code: reference pages, and the journal's catalogue.

`python -m scripts.docs` writes them; tests/unit/test_docs.py fails when a committed page is out of date.
"""

import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mstunnel_setup.actions.host import Scope
from mstunnel_setup.agent.metrics import METRICS, AgentMetric
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.base.log_line import LogLine
from mstunnel_setup.install.step_list import ORDER, ROOTLESS
from scripts import command_page, coverage, error_codes, token_tables
from scripts.command_tree import flat
from scripts.error_codes import written_findings
from scripts.schemas import schemas

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs/reference"
CATALOGUE = ROOT / "mstunnel_setup/data/mstunnel.catalog"
CHECK_FINDINGS = ROOT / "mstunnel_setup/data/check-findings.json"
AGENT_HINTS = ROOT / "mstunnel_setup/data/agent-hints.json"
# The packages whose errors an agent can report.
_OF_AGENT = ("agent", "base", "certificates", "exchange", "gateway", "io", "tenant")
NOTE = "<!-- Written by `make docs` from the code. Do not edit. -->\n"


def pages() -> dict[Path, str]:
    """The pages, by path."""
    made = {
        "steps.md": steps(),
        **command_page.pages(),
        "answers.md": answers(),
        "coverage.md": coverage.page(),
        **error_codes.error_pages(),
        "metrics.md": metrics(),
    }
    tables = error_codes.tables() | token_tables.tables()
    with_tables = {
        PAGES / name: error_codes.with_tables((PAGES / name).read_text(), tables)
        for name in ("certificates.md", "logs.md", "mst-admin.md", "readiness.md", "tokens.md")
    }
    generated = {PAGES / name: f"{NOTE}\n{text.rstrip()}\n" for name, text in made.items()}
    return {
        **generated,
        **with_tables,
        **schemas(),
        CATALOGUE: error_codes.journal_catalogue(),
        AGENT_HINTS: f"{json.dumps(agent_hints(), indent=1, ensure_ascii=False)}\n",
        CHECK_FINDINGS: f"{json.dumps(check_findings(), indent=1, ensure_ascii=False)}\n",
    }


def agent_hints() -> dict[str, str]:
    """What to do about each error that an agent can report, by code; empty where it needs values."""
    prefixes = tuple(f"mstunnel_setup.{name}." for name in _OF_AGENT)
    declared = error_codes.declarations().items()
    found = {
        item.code: item.hint
        for name, item in declared
        if name.startswith(prefixes) and item.kind is not LogLine and "*" not in item.code
    }
    return {code: "" if "{" in hint else hint for code, hint in sorted(found.items())}


def check_findings() -> dict[str, list[dict[str, str]]]:
    """What checks may find, by their ids, with hints that say enough without the values of a host."""
    made: dict[str, list[dict[str, str]]] = {}
    for name, declared in written_findings().items():
        found = [item.example() for item in declared]
        if known := [{"seen": item.seen, "hint": item.hint} for item in found if "…" not in item.hint]:
            made[name] = known
    return made


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
    title = f"{heading} `{step.name}`: {step.title}\n"
    return "\n".join([title, f"{sentence[:1].upper()}{sentence[1:]}\n", *([needs] if needs else [])])


def answers() -> str:
    """Every setting of the answer file with its option and variable, and a commented file."""
    head = (
        "# Answer file\n\n"
        "YAML in UTF-8, strict: an unknown key is an error with line and column.\n"
        "`mstunnel-setup answers new` writes a commented file, `answers check` checks one,\n"
        "`answers schema` prints its JSON Schema, and `answers show` lists every value with its origin.\n\n"
        "Precedence: option, variable, file, earlier answers. A setting without a default that the file\n"
        "gives as `null` is withdrawn: an earlier answer to it no longer counts.\n\n"
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
    """Write the pages."""
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
