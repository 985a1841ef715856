"""Step `register` with an application created in advance, against a running lab tenant."""

import json
from dataclasses import replace

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.install.steps import register, sign_in
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from tests.unit.install.scenes import Scene
from tests.unit.tenant import test_against_lab as against_lab
from tests.unit.tenant.credentials import write_pfx
from tests.unit.tenant.test_against_lab import Lab

running = against_lab.lab


def test_existing_application_registers_the_server(
    running: Lab, scene: Scene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("beforehand")
    write_pfx(directory / "agent.p12")
    made = against_lab.identity("made in advance").apply(
        against_lab.Ports(Files(directory), running.graph()), {}
    )
    site = running.graph().sites()[0]
    scene.remember("joined-site", {"id": site.id, "name": site.display_name, "public_address": ""})
    for place in (paths.PRIVATE, paths.AGENT_DIRECTORY):
        scene.files.make_directories(place)
    run = scene.opened(
        identity__client_id=made["app_id"],
        identity__pfx=str(directory / "agent.p12"),
        tenant__cloud="custom",
        tenant__authority=running.facts["authority"],
        tenant__graph=running.facts["graph"],
        tenant__ca_file=running.facts["ca_file"],
    )
    run.graph = running.graph("intune")
    ports = replace(run.host, clock=Clock())  # the lab compares times with the real clock
    run = replace(run, host=ports)

    scene.run(register.STEP, run)

    assert json.loads(scene.files.read(paths.AGENT_INFO) or b"")["AgentId"] == made["app_id"]
    agent = sign_in.own_identity(run)
    assert [server.display_name for server in agent.servers(site.id)] == ["gw1"]
    assert scene.run(register.STEP, run) == ()
