"""The decisions as a table: `decisions/STEP/CASE.json` has facts and the resulting actions.

`says` lists the actions as an administrator reads them, followed by the actions as the journal keeps them.
`python -m tests.unit.install.test_decisions` writes both again, from the facts: review the diff.
The step `certificate` has no cases here: its facts hold a private key, so test_certificate.py decides them.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.containers import StartServices
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.containers.choice import EngineChoice, RunMethod
from mstunnel_setup.containers.container_spec import CONFIGURATION_LABEL, Network
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.options import Authentication, GatewayOptions
from mstunnel_setup.install import our_containers
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.install.steps import (
    bridge,
    configure,
    environment,
    eula,
    host_part,
    images,
    kernel,
    launch,
    program,
    proxy,
    register,
    site,
    verify,
)
from mstunnel_setup.readiness.facts.host import KernelFacts, RootlessFacts
from mstunnel_setup.readiness.sysctls import FORWARD
from mstunnel_setup.tenant.clouds import CLOUDS
from mstunnel_setup.tenant.wire import DeploymentMode
from mstunnel_setup.transaction.step import Step
from tests.cases import every

DIRECTORY = Path(__file__).parent / "decisions"
CASES = {
    str(path.relative_to(DIRECTORY).with_suffix("")): path for path in sorted(DIRECTORY.glob("*/*.json"))
}
STEPS: dict[str, Step[Any, Any]] = {
    step.name: step for scope in (Scope.HOST, Scope.ACCOUNT, Scope.ALL) for step in steps_of(scope)
}
del STEPS["certificate"]


def checked_decision(step: Step[Any, Any], facts: Any) -> tuple[list[str], list[Any]]:
    """Return the described and the journaled actions; check that both are reproducible and complete."""
    actions = list(step.decide(facts))
    assert list(step.decide(facts)) == actions
    kept = [CODEC.dump(action) for action in actions]
    journaled = json.loads(json.dumps(kept))
    assert [CODEC.load(data) for data in journaled] == actions
    assert [CODEC.dump(CODEC.load(data)) for data in journaled] == kept
    says = [action.describe() for action in actions]
    assert all(text and "\n" not in text for text in says)
    assert len({action.key for action in actions}) == len(actions)
    return says, kept


def test_every_step_has_cases() -> None:
    assert {case.partition("/")[0] for case in CASES} == set(STEPS)


def decided(case: str) -> dict[str, Any]:
    """Return the case with the actions that follow from its facts."""
    given = json.loads(CASES[case].read_text())["facts"]
    step = STEPS[case.partition("/")[0]]
    # The decision of `verify` is a lambda, which declares no type.
    hints: dict[str, Any] = get_type_hints(step.decide) or {"expected": verify.ExpectedGateway}
    facts = next(iter(hints.values()))
    # The facts of `site` may contain a certificate, which has no JSON form.
    built = (
        site.ChosenSite(**given) if facts is site.ChosenSite else TypeAdapter(facts).validate_python(given)
    )
    says, kept = checked_decision(step, built)
    return {"facts": given, "says": says, "actions": kept}


@every("case", CASES)
def test_facts_lead_to_actions(case: str) -> None:
    assert decided(case) == json.loads(CASES[case].read_text())


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS: st.SearchStrategy[Any] = st.dictionaries(TEXT, JSON_VALUES, max_size=4)
DIGESTS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
REFERENCES = st.builds("registry.example.com/{}@sha256:{}".format, st.sampled_from(["a", "b/c"]), DIGESTS)
GUIDS = st.uuids().map(str)
ENGINES: st.SearchStrategy[Any] = st.sampled_from(["podman", "docker"])
CHOSEN = st.builds(EngineChoice, ENGINES, st.just("26.1.5"), TEXT)
PORTS = st.integers(1, 65535)
WATCHED = st.lists(st.sampled_from(["/etc/mstunnel", "/var/lib/mstunnel"]), unique=True).map(tuple)


@st.composite
def _images(draw: st.DrawFn) -> images.GatewayImages:
    server, agent = draw(st.lists(REFERENCES, min_size=2, max_size=2, unique=True))
    archives = draw(st.dictionaries(st.sampled_from([server, agent]), st.just("/root/images.tar")))
    return images.GatewayImages(draw(CHOSEN), server, agent, archives)


@st.composite
def _launch(draw: st.DrawFn) -> launch.Launch:
    setting = our_containers.ContainerHost(
        configuration="/srv/etc/mstunnel",
        server_state="/srv/server",
        agent_state="/srv/agent",
        environment=draw(st.binary()),
        limits_processes=draw(st.booleans()),
        network=draw(st.sampled_from(get_args(Network))),
    )
    containers = (
        our_containers.server(draw(REFERENCES), setting, draw(PORTS)),
        our_containers.agent(draw(REFERENCES), setting),
    )
    return launch.Launch(containers, draw(ENGINES), draw(st.sampled_from(RunMethod)), draw(st.booleans()))


@st.composite
def _configuration(draw: st.DrawFn) -> configure.Configuration:
    wire = {
        "id": draw(GUIDS),
        "displayName": draw(TEXT),
        "description": draw(TEXT),
        "network": draw(st.sampled_from(["169.254.0.0/16", "10.8.0.0/24"])),
        "listenPort": draw(PORTS),
        "disableUdpConnections": draw(st.booleans()),
        "routeIncludes": draw(
            st.lists(st.integers(0, 255).map("10.{}.0.0/16".format), max_size=3, unique=True)
        ),
        "splitDNS": draw(st.lists(st.just("corp.example.com"), max_size=1)),
    }
    server = ServerConfiguration.from_wire(wire)
    options = GatewayOptions(authentication=draw(st.sampled_from(Authentication)))
    return configure.Configuration(server, draw(REFERENCES), options, draw(st.integers(0, 4)), draw(OBJECTS))


MODULES = st.sets(st.sampled_from(["tun", "ip_tables"])).map(frozenset)
SWITCHES = st.sampled_from(["", "0", "1"])
KERNELS = st.builds(
    KernelFacts,
    modules=MODULES,
    built_in=MODULES,
    loadable=MODULES,
    module_files=st.dictionaries(st.sampled_from(["tun", "ip_tables"]), st.just("/etc/modules"), max_size=2),
    sysctls=SWITCHES.map(lambda value: {FORWARD: value} if value else {}),
    sysctl_files=SWITCHES.map(lambda value: {FORWARD: ("/etc/sysctl.d/a.conf", value)} if value else {}),
)
PLAIN = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="!'"), min_size=1)

FACTS: dict[str, st.SearchStrategy[Any]] = {
    "kernel": st.builds(
        kernel.Kernel,
        KERNELS,
        st.booleans(),
        st.none() | PORTS,
        uplink=st.booleans(),
        limited=st.sampled_from([(), ("ipv4",), ("ipv6",), ("ipv4", "ipv6")]),
        systemd=st.booleans(),
    ),
    "account": st.builds(
        host_part.ServiceAccount,
        st.builds(
            RootlessFacts,
            account=st.just("mstunnel"),
            uid=st.none() | st.just(1001),
            subuids=st.sampled_from([0, 65536]),
            subgids=st.sampled_from([0, 65536]),
            linger=st.booleans(),
            directory_owner=st.none() | st.sampled_from([0, 1001]),
        ),
        st.none() | st.booleans(),
    ),
    "boot": st.booleans(),
    "audit": st.builds(program.Audit, st.booleans(), WATCHED, st.booleans()),
    "uplink": st.builds(
        host_part.Uplink,
        st.sampled_from(["mstunnel", "gate.way"]),
        PORTS,
        st.just("/usr/sbin/mstunnel_uplink"),
        st.sampled_from(["", "nft is not installed"]),
    ),
    "proxy": st.builds(
        proxy.Proxy,
        st.dictionaries(st.sampled_from(["http_proxy", "https_proxy", "no_proxy"]), PLAIN),
        ENGINES,
        st.dictionaries(st.sampled_from([proxy.PROFILE, proxy.ENVIRONMENT]), st.text()),
        st.lists(PORTS, max_size=2, unique=True).map(tuple),
        st.booleans(),
        st.booleans(),
    ),
    "bridge": st.builds(
        bridge.Move,
        st.sampled_from(["", "192.168.240.0/24", "10.9.0.0/16"]),
        ENGINES,
        st.dictionaries(st.sampled_from([bridge.DAEMON, bridge.NETAVARK]), OBJECTS.map(json.dumps)),
    ),
    "eula": st.builds(eula.Acceptance, OBJECTS, st.none() | OBJECTS),
    "environment": st.builds(
        environment.Environment,
        st.text(st.characters(exclude_categories=["Cs"])),
        st.dictionaries(TEXT, TEXT, max_size=3),
        st.none() | st.just("/root/ca.pem"),
        DIGESTS,
    ),
    "images": _images(),
    "sign-in": st.just("") | GUIDS,
    "site": st.builds(site.ChosenSite, GUIDS, TEXT, st.just("") | TEXT, OBJECTS),
    "register": st.builds(
        register.Registration,
        GUIDS,
        TEXT,
        TEXT,
        st.sampled_from(list(CLOUDS.values())),
        st.sampled_from(["oidc", "certificate"]),
        st.sampled_from([DeploymentMode.STANDALONE_ROOTFUL, DeploymentMode.STANDALONE_ROOTLESS]),
    ),
    "configure": _configuration(),
    "launch": _launch(),
    "monitor": st.builds(
        program.MonitorService,
        st.just("/usr/sbin/mstunnel_monitor"),
        st.booleans(),
        ENGINES,
        st.booleans(),
    ),
    "verify": st.builds(verify.ExpectedGateway, PORTS, GUIDS, GUIDS),
}


@pytest.mark.parametrize("name", FACTS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_journal_keeps_the_actions_of_any_facts(name: str, data: st.DataObject) -> None:
    checked_decision(STEPS[name], data.draw(FACTS[name]))


@given(facts=_launch())
def test_systemd_and_the_engine_run_the_same_configuration(facts: launch.Launch) -> None:
    """The label that decides about a restart is the container's label with every run method."""
    run = [item.labels[CONFIGURATION_LABEL] for item in facts.specifications]
    for run_method in (RunMethod.QUADLET, RunMethod.UNIT):
        units = launch.STEP.decide(replace(facts, run_method=run_method))
        (start,) = (action for action in units if isinstance(action, StartServices))
        assert [service.label_digest for service in start.services] == run
    plain = launch.STEP.decide(replace(facts, run_method=RunMethod.ENGINE))
    containers = [action.key for action in plain if action.kind == "run-container"]
    assert containers == ["container:mstunnel-server", "container:mstunnel-agent"]


if __name__ == "__main__":
    for name, path in CASES.items():
        path.write_text(json.dumps(decided(name), indent=2, ensure_ascii=False) + "\n")
