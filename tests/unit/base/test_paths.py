"""Where things lie depends on who runs the process: root, or the account of a rootless gateway."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from mstunnel_setup.base import paths
from tests.unit.present import present


def seen_by(uid: int, monkeypatch: pytest.MonkeyPatch, **variables: str) -> ModuleType:
    """A fresh copy of the module, as a process of the account `uid` loads it."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/gateway", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert paths.__file__ is not None
    spec = present(importlib.util.spec_from_file_location("paths_again", Path(paths.__file__)))
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_root_uses_the_places_of_the_system_whatever_its_shell_says(monkeypatch: pytest.MonkeyPatch) -> None:
    of_root = seen_by(0, monkeypatch, XDG_STATE_HOME="/elsewhere", XDG_RUNTIME_DIR="/run/user/1000")
    assert (of_root.STATE, of_root.SETUP_LOG) == ("/var/lib/mstunnel", "/var/log/mstunnel/setup.log")
    assert (of_root.LOCK, of_root.UNITS) == ("/run/mstunnel-setup.lock", "/etc/systemd/system")
    assert of_root.PODMAN_SOCKET == "/run/podman/podman.sock"


def test_an_account_uses_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # An account that is in no list has the home that its shell says.
    own = seen_by(4242424, monkeypatch)
    assert own.STATE == "/home/gateway/.local/state/mstunnel"
    assert own.SETUP_LOG == "/home/gateway/.local/state/mstunnel/log/setup.log"
    assert own.QUADLETS == "/home/gateway/.config/containers/systemd"
    assert own.UNITS == "/home/gateway/.config/systemd/user"
    assert own.UNPACKED == ("/home/gateway/.cache/mstunnel-setup",)
    assert own.LOCK == "/run/user/4242424/mstunnel-setup.lock"
    assert own.PODMAN_SOCKET == "/run/user/4242424/podman/podman.sock"
    assert own.AGENT_STATE == "/home/gateway/.local/state/mstunnel-agent"


def test_an_account_without_any_home_has_the_root_as_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with DynamicUser= of systemd, whose accounts are in no list."""
    assert seen_by(4242424, monkeypatch, HOME="").STATE == "/.local/state/mstunnel"


def test_its_directories_follow_the_variables_but_not_relative_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    own = seen_by(4242424, monkeypatch, XDG_STATE_HOME="/srv/state", XDG_CONFIG_HOME="relative")
    assert own.STATE == "/srv/state/mstunnel"
    assert own.UNITS == "/home/gateway/.config/systemd/user"


def test_what_both_halves_and_the_containers_share_lies_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    own = seen_by(4242424, monkeypatch)
    for name in ("CONFIGURATION", "HOST_STATE", "AGENT_STATE_INSIDE", "SERVER_STATE_INSIDE", "PROGRAMS"):
        assert getattr(own, name) == getattr(paths, name)
