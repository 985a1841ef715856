"""Files of the package that follow from its source: made when it is built, and not in git.

`python -m scripts.bundle.package_data` writes them into the checkout; build_hook.py does so for
each wheel.
"""

import json
from pathlib import Path

from mstunnel_setup.base.log_line import LogLine
from scripts import ROOT
from scripts.bundle.wheels import PACKAGE_DATA, PACKAGES
from scripts.develop import texts
from scripts.docs import error_codes

# The packages whose errors an agent can report.
_OF_AGENT = ("agent", "base", "certificates", "exchange", "gateway", "io", "tenant")


def write() -> None:
    """Write all of them."""
    made = {"agent-hints.json": _json(agent_hints()), "check-findings.json": _json(check_findings())}
    for path in PACKAGE_DATA:
        content = made[path.name] if path.name in made else texts.compiled(path.with_suffix(".po"))
        path.write_bytes(content)


def refresh() -> None:
    """Write all of them if one is missing, or older than a source of the packages."""
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.p[yo]")]
    newest = max(path.stat().st_mtime for path in (*sources, Path(__file__)))
    if not all(path.is_file() and path.stat().st_mtime > newest for path in PACKAGE_DATA):
        write()


def agent_hints() -> dict[str, str]:
    """Return the hint of each error that an agent can report, by code; empty where it needs values."""
    prefixes = tuple(f"mstunnel_setup.{name}." for name in _OF_AGENT)
    found = {
        item.code: item.hint
        for name, item in error_codes.declarations().items()
        if name.startswith(prefixes) and item.kind is not LogLine and "*" not in item.code
    }
    return {code: "" if "{" in hint else hint for code, hint in sorted(found.items())}


def check_findings() -> dict[str, list[dict[str, str]]]:
    """Return what each check may find, by its id, where the hint says enough without the values of a host."""
    made: dict[str, list[dict[str, str]]] = {}
    for name, declared in error_codes.written_findings().items():
        found = [item.example() for item in declared]
        if known := [{"seen": item.seen, "hint": item.hint} for item in found if "…" not in item.hint]:
            made[name] = known
    return made


def _json(value: object) -> bytes:
    return f"{json.dumps(value, indent=1, ensure_ascii=False)}\n".encode()


if __name__ == "__main__":
    write()
