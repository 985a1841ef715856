"""Microsoft's own gateway is recognised by its programs, units and containers, never by a directory."""

from pathlib import Path

import pytest

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.rendering import render
from mstunnel_setup.containers.container_spec import MANAGED_LABEL
from mstunnel_setup.containers.vendor import inspect, vendor_containers
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed
from mstunnel_setup.readiness.facts.vendor import vendor
from tests.unit.readiness.test_read_programs import FakeProcesses
from tests.unit.vendor import VendorEngine, described, engine, lay_down

NONE = VendorEngine()


def test_programs_and_units_are_signs(tmp_path: Path) -> None:
    lay_down(tmp_path)

    assert vendor(Files(tmp_path), NONE).signs == (
        "/usr/sbin/mst-cli",
        "/usr/sbin/mstunnel_monitor",
        "/etc/systemd/system/mstunnel_monitor.service",
    )


def test_directory_alone_is_not_a_sign(tmp_path: Path) -> None:
    """Check files of scripts that set up auditing: they create the directory before any installation."""
    (tmp_path / "etc/mstunnel/messages/in").mkdir(parents=True)
    (tmp_path / "etc/mstunnel/private").mkdir()
    (tmp_path / "etc/mstunnel/images_configured").write_text("{}\n")
    (tmp_path / "etc/mstunnel/AgentSettings.json").write_text("{}\n")

    assert vendor(Files(tmp_path), NONE).signs == ()


@pytest.mark.parametrize("name", ["mstunnel-server", "mstunnel-agent"])
@pytest.mark.parametrize("running", [True, False])
def test_container_is_a_sign_even_if_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, running: bool
) -> None:
    monkeypatch.setattr(Files, "live", True)

    found = vendor(Files(tmp_path), VendorEngine({name: described(name, running=running)}))

    assert found.signs == (f"container podman {name}",)


def test_engines_are_not_asked_below_another_root(tmp_path: Path) -> None:
    assert vendor(Files(tmp_path), engine()).signs == ()


def test_our_own_objects_are_not_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the program with its links, the unit of the monitor, and a container with our label."""
    monkeypatch.setattr(Files, "live", True)
    (tmp_path / "usr/sbin").mkdir(parents=True)
    for name in ("mst-cli", "mstunnel_monitor"):
        (tmp_path / "usr/sbin" / name).symlink_to("mstunnel-setup")
    unit = render("systemd/mstunnel_monitor.service", program="/a", engine="podman", rootless=False)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/mstunnel_monitor.service").write_text(unit)
    ours = described("mstunnel-server", labels={MANAGED_LABEL: "1"})

    assert vendor(Files(tmp_path), VendorEngine({"mstunnel-server": ours})).signs == ()


@pytest.mark.parametrize(
    "script",
    [
        "#!/usr/bin/python3\nfrom mstunnel_setup.cli.dispatch import main\nmain()\n",
        "#!/bin/sh\nfolder=/usr/libexec/mstunnel-setup\nexec $folder/start\n",
    ],
)
def test_start_script_of_our_packages_is_not_a_sign(tmp_path: Path, script: str) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/mst-cli").write_text(script)

    assert vendor(Files(tmp_path), NONE).signs == ()


@pytest.mark.parametrize(
    "told", [Completed(1, "", "Cannot connect to the Docker daemon"), Completed(0, "?", "")]
)
def test_silent_engine_is_no_proof_of_absence(told: Completed) -> None:
    """Check a silent engine: to recognise a host it is no sign, but a switch back must not ignore it."""
    silent = FakeProcesses({"docker": told})

    with pytest.raises(EngineError):
        inspect(silent, "docker", "mstunnel-server")
    assert vendor_containers(silent) == ()
