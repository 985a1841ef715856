"""The refusals and changes of an installation on recorded hosts (readiness/hosts, one file each).

`plan` is the part of the plan that depends only on the host, without the directories of every Linux system.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.firewall import Family
from mstunnel_setup.base import paths
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.containers import choice, quadlet
from mstunnel_setup.install import our_containers
from mstunnel_setup.install.preflight import remaining
from mstunnel_setup.install.step_list import ORDER, ROOTLESS
from mstunnel_setup.install.steps import bridge, host_part, kernel, launch, proxy
from mstunnel_setup.io.process import Processes
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts.host import KernelFacts
from mstunnel_setup.readiness.facts.programs import Engine
from mstunnel_setup.readiness.model import Outcome, ReadinessFacts
from mstunnel_setup.readiness.sysctls import FORWARD
from mstunnel_setup.transaction.action import Action
from tests.unit.install.scenes import AGENT_IMAGE, SERVER_IMAGE

HOSTS = Path(__file__).parents[1] / "readiness/hosts"
CASES = sorted(HOSTS.glob("*.json"))
STEPS = [step.name for step in ORDER]
OF_ROOT = [step.name for step in ROOTLESS[Scope.HOST]]
USUAL = (
    "/etc/cni",
    "/etc/containers",
    "/etc/containers/systemd",
    "/etc/systemd",
    "/etc/systemd/system",
    "/etc/systemd/system/multi-user.target.wants",
    "/etc",
    "/etc/profile.d",
    "/etc/modules-load.d",
    "/etc/sysctl.d",
    "/etc/docker",
    "/etc/cni/net.d",
    paths.SERVER_DIRECTORY,
    paths.SERVER_STATE,
    paths.AGENT_STATE,
)


SETTING = our_containers.ContainerHost(
    configuration="/etc/mstunnel",
    server_state=paths.SERVER_STATE,
    agent_state=paths.AGENT_STATE,
    environment=b"",
    limits_processes=True,
    local_names={},
)
SPECIFICATIONS = (
    our_containers.server(SERVER_IMAGE, SETTING, 443),
    our_containers.agent(AGENT_IMAGE, SETTING),
)


class Installed(Processes):
    """A fake on which every program is installed, including Podman's generator."""

    def find(self, program: str) -> str | None:
        return program


def way(facts: ReadinessFacts, engine: Engine) -> choice.RunMethod:
    """Return the run method of containers on the host."""
    assert facts.system is not None
    generator = engine.name == "podman" and quadlet.available(Installed(), engine.version)
    return choice.choose_run_method(
        engine.name,
        systemd=facts.system.systemd,
        cgroup_v2=facts.system.cgroup == 2,
        generator=generator,
    )


def rootless(facts: ReadinessFacts) -> bool:
    return facts.settings.mode == "rootless"


def refused(facts: ReadinessFacts) -> list[str]:
    """Return the checks that refuse the host before the first change, for root's part if rootless."""
    return failures(facts, OF_ROOT if rootless(facts) else STEPS)


def failures(facts: ReadinessFacts, steps: list[str]) -> list[str]:
    """Return the required checks that fail and that none of the steps fixes."""
    return [item.id for item in remaining(facts, steps) if item.result is Outcome.FAIL]


def _uplink(facts: ReadinessFacts) -> host_part.Uplink:
    assert facts.rootless is not None
    program = "/usr/sbin/mstunnel_uplink"
    return host_part.Uplink("mstunnel", facts.settings.port, program, facts.rootless.uplink_obstacle)


def _limited(facts: KernelFacts) -> tuple[Family, ...]:
    """Return the limited address families of a host without an earlier installation."""
    return () if facts.sysctls.get(FORWARD) == "1" or FORWARD in facts.sysctl_files else ("ipv4",)


def _of_root(facts: ReadinessFacts) -> list[Action]:
    """Return the actions of root that prepare the host, the account, and each boot."""
    assert facts.kernel is not None
    if not rootless(facts):
        return [*kernel.STEP.decide(kernel.Kernel(facts.kernel, limited=_limited(facts.kernel)))]
    assert facts.rootless is not None
    return [
        *host_part.ACCOUNT.decide(host_part.ServiceAccount(facts.rootless, reads_journal=False)),
        *kernel.STEP.decide(
            kernel.Kernel(
                facts.kernel,
                rootless_port=facts.settings.port,
                uplink=not facts.rootless.uplink_obstacle,
                limited=_limited(facts.kernel),
            )
        ),
        *host_part.UPLINK.decide(_uplink(facts)),
        *host_part.BOOT.decide(True),  # noqa: FBT003,
    ]


def plan(facts: ReadinessFacts, files: dict[str, str]) -> list[str]:
    """Return the described actions of the steps that need only the host; empty if it is refused."""
    if refused(facts):
        return []
    assert facts.engine is not None
    assert facts.proxies is not None
    assert facts.security is not None
    chosen = chosen_engine(facts.settings, facts.engine)
    assert chosen is not None
    wanted: dict[str, str] = {item.name: item.value for item in reversed(facts.proxies.places)}
    ports = facts.security.unlabelled(facts.proxies.ports)
    move = bridge.Move(facts.settings.bridge, chosen.name, files)
    actions = [
        *_of_root(facts),
        *proxy.STEP.decide(proxy.Proxy(wanted, chosen.name, files, ports)),
        *bridge.STEP.decide(move),
        *launch.STEP.decide(launch.Launch(SPECIFICATIONS, chosen.name, way(facts, chosen), rootless(facts))),
    ]
    return [
        action.describe()
        for action in actions
        if not (isinstance(action, MakeDirectory) and action.path in USUAL)
    ]


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_a_host_gets_its_plan(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text())
    facts = ReadinessFacts.model_validate(case["facts"])

    assert refused(facts) == case["refused"]
    assert plan(facts, case.get("files", {})) == case["plan"]


def test_problems_are_refused_if_the_step_that_fixes_is_skipped() -> None:
    facts = ReadinessFacts.model_validate(json.loads((HOSTS / "rhel-9.6.json").read_text())["facts"])

    assert failures(facts, STEPS) == []
    assert failures(facts, []) == ["module-tun", "ip-forward"]
