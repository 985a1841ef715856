"""Paths depend on the user of the process: root, or the account of a rootless gateway."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from mstunnel_setup.base import paths
from tests.unit.present import present


def seen_by(uid: int, monkeypatch: pytest.MonkeyPatch, **variables: str) -> ModuleType:
    """Return a fresh copy of the module, as loaded by a process of the account `uid`."""
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


def test_root_uses_system_directories_and_ignores_xdg_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    of_root = seen_by(0, monkeypatch, XDG_STATE_HOME="/elsewhere", XDG_RUNTIME_DIR="/run/user/1000")
    assert (of_root.STATE, of_root.SETUP_LOG) == ("/var/lib/mstunnel", "/var/log/mstunnel/setup.log")
    assert (of_root.LOCK, of_root.UNITS) == ("/run/mstunnel-setup.lock", "/etc/systemd/system")
    assert of_root.PODMAN_SOCKET == "/run/podman/podman.sock"


def test_an_account_uses_directories_in_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    # An account that is not in the list of accounts has the home that $HOME names.
    own = seen_by(4242424, monkeypatch)
    assert own.STATE == "/home/gateway/.local/state/mstunnel"
    assert own.SETUP_LOG == "/home/gateway/.local/state/mstunnel/log/setup.log"
    assert own.QUADLETS == "/home/gateway/.config/containers/systemd"
    assert own.UNITS == "/home/gateway/.config/systemd/user"
    assert own.UNPACKED == ("/home/gateway/.cache/mstunnel-setup",)
    assert own.LOCK == "/run/user/4242424/mstunnel-setup.lock"
    assert own.PODMAN_SOCKET == "/run/user/4242424/podman/podman.sock"
    assert own.AGENT_STATE == "/home/gateway/.local/state/mstunnel-agent"


def test_account_without_a_home_uses_the_root_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """With DynamicUser= of systemd, accounts are in no list and $HOME is empty."""
    assert seen_by(4242424, monkeypatch, HOME="").STATE == "/.local/state/mstunnel"


def test_an_account_follows_absolute_xdg_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    own = seen_by(4242424, monkeypatch, XDG_STATE_HOME="/srv/state", XDG_CONFIG_HOME="relative")
    assert own.STATE == "/srv/state/mstunnel"
    assert own.UNITS == "/home/gateway/.config/systemd/user"


def test_shared_directories_are_the_same_for_root_and_account(monkeypatch: pytest.MonkeyPatch) -> None:
    own = seen_by(4242424, monkeypatch)
    for name in ("CONFIGURATION", "HOST_STATE", "AGENT_STATE_INSIDE", "SERVER_STATE_INSIDE", "PROGRAMS"):
        assert getattr(own, name) == getattr(paths, name)
