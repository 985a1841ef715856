"""`mst-cli ca-trust add|remove`: which containers are reloaded or restarted."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed
from mstunnel_setup.operations.certificate import ca_trust
from tests.unit.certificates.pki import Pki
from tests.unit.fakes import FakeEngine
from tests.unit.install.scenes import Scene, container
from tests.unit.operators import operator_of


@pytest.mark.parametrize("agent", ["running", "exited"])
@pytest.mark.parametrize("server", ["running", "exited"])
def test_running_containers_reload_changed_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, agent: str
) -> None:
    """A running agent must not keep a removed root; a stopped container stays stopped."""
    reloaded: list[str] = []

    def answer(_arguments: object) -> Completed:
        reloaded.append(paths.SERVER)
        return Completed(0, "", "")

    known = {paths.SERVER: container(server), paths.AGENT: container(agent)}
    engine = FakeEngine(known, answer=answer)
    scene = Scene(tmp_path, engine=engine)
    scene.files.make_directories(paths.CA_TRUST)
    scene.write(paths.OCSERV_CONF, "tcp-port = 443\n")
    (tmp_path / "root.pem").write_bytes(Pki().pem("root"))
    monkeypatch.setattr(ca_trust, "installed_run", lambda *_given: nullcontext(scene.opened()))
    monkeypatch.setattr(Files, "live", True)
    operator = operator_of(tmp_path)
    added = ca_trust.add(operator, tmp_path / "root.pem")
    assert added.report is not None
    ca_trust.remove(operator, added.report.added[0].name)
    assert len(reloaded) == 2 * (server == "running")
    assert engine.restarts == 2 * [paths.AGENT] * (agent == "running")
