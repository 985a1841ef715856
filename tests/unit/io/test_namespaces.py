"""The owner of a network namespace, read by the kernel of this machine for real namespaces."""

import ctypes
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest

from mstunnel_setup.io.namespaces import offers, owner

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")

ACCOUNT, OTHER = 65534, 65533
_USERS, _NETWORK, _UTS = 0x10000000, 0x40000000, 0x04000000


def is_root_inside(uid: int) -> None:
    for name, text in (("uid_map", f"0 {uid} 1"), ("setgroups", "deny"), ("gid_map", f"0 {uid} 1")):
        Path(f"/proc/self/{name}").write_text(text)


def unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def become(uid: int) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    # After a change of user, a process may not write to its /proc files (PR_SET_DUMPABLE, prctl(2)).
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)


@contextmanager
def descriptor_of(make: Callable[[], int]) -> Iterator[int]:
    """Yield the descriptor that `make` opens in a separate process, which has ended by then."""
    ours, theirs = socket.socketpair()

    def run() -> None:
        socket.send_fds(theirs, [b"x"], [make()])

    process = get_context("fork").Process(target=run)
    process.start()
    process.join(20)
    ours.settimeout(5)
    _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        ours.close()
        theirs.close()


def network_of(uid: int) -> int:
    become(uid)
    unshare(_USERS | _NETWORK)
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def nested() -> int:
    """Open a namespace of a user namespace inside that of the account, which the account also owns."""
    become(ACCOUNT)
    unshare(_USERS)
    is_root_inside(ACCOUNT)
    unshare(_USERS | _NETWORK)
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def of_root() -> int:
    unshare(_NETWORK)
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def other_kind() -> int:
    become(ACCOUNT)
    unshare(_USERS | _UTS)
    return os.open("/proc/self/ns/uts", os.O_RDONLY)


def users() -> int:
    become(ACCOUNT)
    unshare(_USERS)
    return os.open("/proc/self/ns/user", os.O_RDONLY)


@pytest.mark.parametrize("uid", [ACCOUNT, OTHER])
def test_network_namespace_has_its_owner(uid: int) -> None:
    with descriptor_of(lambda: network_of(uid)) as descriptor:
        assert owner(descriptor) == uid


@pytest.mark.parametrize(
    "make",
    [
        lambda: os.open("/proc/self/ns/net", os.O_RDONLY),
        of_root,
        nested,
        other_kind,
        users,
        lambda: os.open("/dev/null", os.O_RDWR),
        lambda: os.open("/etc/passwd", os.O_RDONLY),
        lambda: os.pipe()[0],
    ],
    ids=["host", "root", "nested", "uts", "user", "device", "file", "pipe"],
)
def test_other_descriptors_have_no_owner(make: Callable[[], int]) -> None:
    with descriptor_of(make) as descriptor:
        assert owner(descriptor) is None


def test_file_with_a_too_long_path_has_no_owner(tmp_path: Path) -> None:
    """Check that a long path does not end root's service, which asks for the owner."""
    name = "x" * 250

    def deep() -> int:
        os.chdir(tmp_path)
        for _ in range(20):
            Path(name).mkdir()
            os.chdir(name)
        return os.open(".", os.O_RDONLY)

    with descriptor_of(deep) as descriptor:
        assert owner(descriptor) is None
    shutil.rmtree(tmp_path / name)


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a listening socket, and a client that has connected to it."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        client.connect(str(tmp_path / "socket"))
        yield listener, client


def test_only_one_descriptor_is_taken_and_it_is_closed(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    listener, client = connected
    null = os.open("/dev/null", os.O_RDONLY)
    socket.send_fds(client, [b"x"], [null, null, null])
    before = set(Path("/proc/self/fd").iterdir())
    (offer,) = [(offer.user, offer.descriptor) for offer in offers(0.2, listener.detach())]
    assert offer[0] == 0
    assert offer[1] is not None
    assert len(set(Path("/proc/self/fd").iterdir())) <= len(before)
    os.close(null)


def test_silent_client_times_out_after_two_seconds(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    listener, _silent = connected
    assert [offer.descriptor for offer in offers(0.1, listener.detach())] == [None]
