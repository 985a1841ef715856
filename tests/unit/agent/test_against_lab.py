"""The agent, its certificate and the real MSAL against a running lab tenant."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from mstunnel_lab import remote
from mstunnel_setup.actions.tenant_objects import CreateAppIdentity
from mstunnel_setup.agent.health_watch import HealthWatch
from mstunnel_setup.agent.loop import Agent, requests_in_log
from mstunnel_setup.agent.tenant import enrol
from mstunnel_setup.base import paths
from mstunnel_setup.exchange.health_observation import SyncState
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.sign_in import SignIn
from mstunnel_setup.tenant.wire import DeploymentMode
from tests.unit.agent.fakes import Ended, with_host
from tests.unit.present import present
from tests.unit.running_lab import running_lab
from tests.unit.tenant.credentials import write_pfx


@dataclass
class Installed(Any):
    """A completed installation: files on the host, an application and a server in the tenant."""

    files: Files
    graph: AdminGraph
    lab: Path
    site_id: str
    server_id: str
    object_id: str = ""
    state_directory: str = "/state"
    clock: Clock = Clock()  # noqa: RUF009 (it has no state)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    directory = tmp_path_factory.mktemp("lab")
    with running_lab(directory) as facts:
        yield install(Files(tmp_path_factory.mktemp("root")), directory, facts)


def install(files: Files, directory: Path, facts: dict[str, Any]) -> Installed:
    """Register a server in a running lab and write the files of a set-up."""
    clock, where = Clock(), cloud("custom", facts["authority"], facts["graph"])
    http = HttpSession(clock, facts["ca_file"])
    person = SignIn(http, clock, where, "organizations", facts["client_id"])
    token = person.device_code(lambda code: remote.approve(directory, code.code, "admin@contoso.example"))
    graph = AdminGraph(http, where, token, clock)
    files.make_directories(paths.AGENT_DIRECTORY)
    files.make_directories(paths.CA_TRUST)
    files.write(f"{paths.CA_TRUST}/lab.crt", Path(facts["ca_file"]).read_bytes())
    write_pfx(files.locate(paths.AGENT_CREDENTIAL))
    site = graph.sites()[0]
    server = graph.create_server(site.id, "gw1", DeploymentMode.STANDALONE_ROOTFUL)
    installed = Installed(files, graph, directory, site.id, server.id)
    application = CreateAppIdentity(display_name="agent of gw1", credential_path=paths.AGENT_CREDENTIAL)
    made = application.apply(installed, {})
    installed.object_id = str(made["application_object_id"])
    info = {"AgentId": made["app_id"], "AADTenantId": made["tenant_id"], "Cloud": "custom"}
    info["ApplicationObjectId"] = made["application_object_id"]
    addresses = {"Authority": where.authority, "Graph": where.graph}
    files.write(paths.AGENT_INFO, json.dumps({**info, **addresses}).encode())
    files.write(paths.AGENT_SETTINGS, json.dumps({"SiteId": site.id, "ServerId": server.id}).encode())
    return installed


def agent_of(installed: Installed, tell: Callable[[str], None]) -> Agent:
    files, clock = installed.files, installed.clock
    return Agent(lambda: enrol(files, clock), files, clock, tell)


def test_round_checks_in_and_writes_the_gateways_files(installed: Installed) -> None:
    log: list[str] = []
    before = installed.graph.server(installed.site_id, installed.server_id)
    agent = with_host(agent_of(installed, log.append))

    assert agent.round() is None

    after = installed.graph.server(installed.site_id, installed.server_id)
    assert before is not None
    assert after is not None
    assert (before.last_checkin_date_time, after.display_name) == (None, "gw1")
    assert after.last_checkin_date_time is not None
    assert after.deployment_mode is DeploymentMode.STANDALONE_ROOTFUL
    configuration = (installed.files.read(paths.OCSERV_CONF) or b"").decode()
    assert "ipv4-network = 169.254.0.0\n" in configuration
    assert "dns = 10.99.0.53\n" in configuration
    settings = json.loads(installed.files.read(paths.ADMIN_SETTINGS) or b"")
    wanted = present(installed.graph.configuration_of(installed.site_id))
    assert (settings["PolicyName"], settings["ListenPort"]) == (wanted.id, 443)
    assert [line.partition(":")[0] for line in log] == [
        "checked-in",
        "configuration-handed-over",
        "configuration-applied",
    ]

    assert agent.round() is None
    assert len(log) == 3


class Observed(HealthWatch):
    """A watch that takes what the agent has learnt, and ends it."""

    known = SyncState()

    @override
    def look(self, known: SyncState) -> None:
        self.known = known
        raise Ended


def test_the_agent_learns_every_fact_of_the_tenant(installed: Installed) -> None:
    """A row of the health table whose fact the loop forgets would stay unknown on every server."""
    files, clock = installed.files, installed.clock
    agent = with_host(agent_of(installed, lambda _line: None))
    watch = Observed(files, clock, lambda _line: None, agent.counters, lambda _address: None)
    agent.watch = watch
    with pytest.raises(Ended):
        agent.run()
    unknown = {item.name for item in fields(SyncState) if getattr(watch.known, item.name) == item.default}
    # Nothing is wrong here.
    assert unknown == {"probe_problem", "refusal", "last_error"}


def test_added_root_is_trusted_after_a_restart(installed: Installed) -> None:
    root = f"{paths.CA_TRUST}/lab.crt"
    content = installed.files.read(root) or b""
    installed.files.remove(root)
    error = agent_of(installed, lambda _line: None).round()
    assert error is not None
    assert "certificate" in error.message

    installed.files.write(root, content)
    assert with_host(agent_of(installed, lambda _line: None)).round() is None


def test_requests_are_logged_while_env_sh_asks_for_it(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check that the setting applies at once, in both spellings, and that an invalid one is ignored."""
    lines: dict[str, list[str]] = {}
    for setting in ('mst_verbose_log="true"', "mst_log_verbose=0", "mst_verbose_log=$(id)"):
        installed.files.write(paths.ENVIRONMENT, f"{setting}\n".encode())
        with requests_in_log(installed.files.root):
            agent_of(installed, lambda _line: None).round()
        lines[setting] = capsys.readouterr().out.splitlines()
    installed.files.remove(paths.ENVIRONMENT)
    verbose, *others = lines.values()
    assert others == [[], []]
    place = rf"/beta/deviceManagement/microsoftTunnelSites/{installed.site_id}/microsoftTunnelServers"
    written = rf"request: PATCH [\w.]+{place}/{installed.server_id}: \d+ ms, 20\d, request [0-9a-f-]{{36}}"
    assert [line for line in verbose if re.fullmatch(written, line)]
    assert [line for line in verbose if re.match(r"request: POST \S+/oauth2/v2\.0/token: \d+ ms, 200", line)]
    assert not any("eyJ" in line for line in verbose), "no token"


def test_agent_signs_in_with_a_client_secret(installed: Installed) -> None:
    files, end = installed.files, datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    info = files.read(paths.AGENT_INFO) or b""
    made = installed.graph.add_password(installed.object_id, "agent", end)
    files.write(paths.AGENT_SECRET, (made.secret_text or "").encode(), 0o600)
    files.write(paths.AGENT_INFO, json.dumps({**json.loads(info), "RenewalDate": end.isoformat()}).encode())

    enrolment = enrol(files, installed.clock)

    assert (enrolment.credential, enrolment.credential_end) == (None, end)
    assert enrolment.tenant.server(installed.site_id, installed.server_id)
    enrolment.close()
    files.remove(paths.AGENT_SECRET)
    files.write(paths.AGENT_INFO, info)


def test_server_removed_in_the_admin_center_is_reported(installed: Installed) -> None:
    gone = installed.graph.create_server(installed.site_id, "gw2", DeploymentMode.STANDALONE_ROOTFUL)
    installed.graph.delete_server(installed.site_id, gone.id)
    settings = json.dumps({"SiteId": installed.site_id, "ServerId": gone.id}).encode()
    files = installed.files
    kept = files.read(paths.AGENT_SETTINGS) or b""
    files.write(paths.AGENT_SETTINGS, settings)

    error = agent_of(installed, print).round()

    files.write(paths.AGENT_SETTINGS, kept)
    assert error is not None
    assert error.code == "server-unknown"
