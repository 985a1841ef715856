"""Real kinds of hosts, one file each: their facts and all findings."""

import json
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.readiness.checks import judge, of
from mstunnel_setup.readiness.model import Group, Outcome, ReadinessFacts

CASES = sorted((Path(__file__).parent / "hosts").glob("*.json"))
GROUPS = frozenset({Group.UTILS, Group.HOST, Group.ROOTLESS})


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_host_has_its_findings(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text())

    # `mst-readiness` judges the bridge's present address, an installation its future one (test_host_plans).
    case["facts"].setdefault("settings", {}).pop("bridge", None)
    found = judge(of(GROUPS), ReadinessFacts.model_validate(case["facts"]))

    quiet = (Outcome.PASS, Outcome.SKIPPED)
    assert {item.id: [item.result, item.seen] for item in found if item.result not in quiet} == case[
        "findings"
    ]
    skipped = [
        item.id for item in found if item.result is Outcome.SKIPPED and item.check.group is not Group.ROOTLESS
    ]
    assert sorted(skipped) == case["skipped"]


def test_rootless_checks_are_skipped_on_rootful_hosts() -> None:
    cases = {
        path.stem: ReadinessFacts.model_validate(json.loads(path.read_text())["facts"]) for path in CASES
    }

    for facts in cases.values():
        results = {item.result for item in judge(of(frozenset({Group.ROOTLESS})), facts)}
        assert (results == {Outcome.SKIPPED}) == (facts.settings.mode == "rootful")
