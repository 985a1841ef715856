"""A command that will ask Podman has systemd start its service at once."""

import socket
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.io.wake import wake_podman


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """Podman's socket, as systemd holds it."""
    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    monkeypatch.setattr(paths, "PODMAN_SOCKET", str(tmp_path / "podman.sock"))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(paths.PODMAN_SOCKET)
    listening.settimeout(0)
    return listening


def test_it_is_connected_to_and_nothing_is_asked(listening: socket.socket) -> None:
    with listening:
        listening.listen()
        wake_podman()
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(1) == b""


def test_with_an_address_of_its_own_it_is_left_alone(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_HOST", "unix:///elsewhere")
    with listening:
        listening.listen()
        wake_podman()
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_a_socket_that_nobody_holds_is_no_error(listening: socket.socket) -> None:
    with listening:
        wake_podman()
    Path(paths.PODMAN_SOCKET).unlink()
    wake_podman()


def test_a_service_that_is_overrun_is_not_waited_for(listening: socket.socket) -> None:
    with listening:
        listening.listen(0)
        for _ in range(5):
            wake_podman()
