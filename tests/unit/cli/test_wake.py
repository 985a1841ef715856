"""Commands that will ask Podman wake its service; others leave it alone."""

from pathlib import Path

import pytest

from mstunnel_setup.cli import component_commands, mst_cli, setup
from mstunnel_setup.cli.framework.render import run_app

WAKING = [
    ("mst-cli", "status"),
    ("mst-cli", "health"),
    ("mst-cli", "server status"),
    ("mst-cli", "agent restart"),
    ("mst-cli", "server show users"),
    ("mstunnel-setup", "plan --unattended"),
    ("mstunnel-setup", "--unattended"),
]
OTHERS = [("mst-cli", "version"), ("mst-cli", "help"), ("mstunnel-setup", "steps")]


@pytest.mark.parametrize(("program", "command"), [*WAKING, *OTHERS])
def test_only_what_asks_podman_wakes_it(
    program: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[str] = []
    for module in (component_commands, mst_cli, setup):
        monkeypatch.setattr(module, "wake_podman", lambda: woken.append(command))
    app = {"mst-cli": mst_cli.app, "mstunnel-setup": setup.app}[program]
    run_app(app, program, [*command.split(), "--root", str(tmp_path)])
    assert bool(woken) == ((program, command) in WAKING)
