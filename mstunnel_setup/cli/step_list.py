"""`mstunnel-setup steps`: the steps in order, also those of an installation without root."""

from collections.abc import Iterable
from typing import Any

from mstunnel_setup.actions.host import Scope
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, text
from mstunnel_setup.install.step_list import ORDER, ROOTLESS
from mstunnel_setup.transaction.step import Step


def step_list() -> Result:
    """Names and titles; `by` is who does a step of a gateway without root."""
    by = {Scope.HOST: "root", Scope.ACCOUNT: "account"}
    rootless = [{**item, "by": by[scope]} for scope, steps in ROOTLESS.items() for item in _named(steps)]
    data = {"steps": _named(ORDER), "rootless": rootless}
    lines: list[str] = [Line(f"{item.name:12} {item.title}", item.name, item.title) for item in ORDER]
    lines += ["", text("Without root (--rootless):")]
    for item in rootless:
        name, title = item["name"], f"{item['title']} ({item['by']})"
        lines.append(Line(f"{name:12} {title}", name, title))
    return Result(data=data, text=lines)


def _named(steps: Iterable[Step[Any, Any]]) -> list[dict[str, str]]:
    return [{"name": step.name, "title": step.title} for step in steps]
