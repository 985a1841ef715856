"""Real kinds of hosts (readiness/hosts, one file each): what an installation would refuse there, and change.

`plan` is the part of the plan that depends on the host alone; folders that every Linux has are left out.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.engine.file_actions import MakeDirectory
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts import Facts
from mstunnel_setup.readiness.proxy_ports import unlabelled
from mstunnel_setup.steps import bridge, kernel, proxy
from mstunnel_setup.steps.order import ORDER
from mstunnel_setup.steps.preflight import refusals

HOSTS = Path(__file__).parents[1] / "readiness/hosts"
CASES = sorted(HOSTS.glob("*.json"))
STEPS = [step.name for step in ORDER]
USUAL = ("/etc", "/etc/profile.d", "/etc/modules-load.d", "/etc/sysctl.d", "/etc/docker", "/etc/cni/net.d")


def plan(facts: Facts, files: dict[str, str]) -> list[str]:
    """What the steps that know only the host would say they do, in their order."""
    assert facts.kernel is not None
    assert facts.engine is not None
    assert facts.proxies is not None
    assert facts.security is not None
    chosen = chosen_engine(facts.settings, facts.engine)
    assert chosen is not None
    wanted = {item.name: item.value for item in reversed(facts.proxies.places)}
    ports = unlabelled(facts.security, facts.proxies)
    move = bridge.Move(facts.settings.bridge, chosen.name, files)
    actions = [
        *kernel.STEP.decide(kernel.Kernel(facts.kernel)),
        *proxy.STEP.decide(proxy.Proxy(wanted, chosen.name, files, ports)),
        *bridge.STEP.decide(move),
    ]
    return [
        action.describe()
        for action in actions
        if not (isinstance(action, MakeDirectory) and action.path in USUAL)
    ]


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_a_host_gets_its_plan(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text())
    facts = Facts.model_validate(case["facts"])

    assert [item.id for item in refusals(facts, STEPS)] == case["refused"]
    assert plan(facts, case.get("files", {})) == case["plan"]


def test_what_steps_mend_is_refused_when_they_are_left_out() -> None:
    facts = Facts.model_validate(json.loads((HOSTS / "rhel-9.6.json").read_text())["facts"])

    assert [item.id for item in refusals(facts, STEPS)] == []
    assert [item.id for item in refusals(facts, [])] == ["ip-forward"]
