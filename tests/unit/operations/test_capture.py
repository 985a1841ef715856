"""A capture goes to the disk while it lasts, and an interrupted one is kept."""

import stat
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations import sessions
from tests.unit.fakes import ports_of
from tests.unit.install.scenes import FakePrompter
from tests.unit.operators import operator_of

HEADER, PACKET = b"h" * 24, b"p" * 1000
OPERATOR = operator_of(Path("/"), FakePrompter())


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server with an interface, and files below a directory of our own."""
    monkeypatch.setattr(sessions, "open_gateway", lambda _operator: nullcontext(ports_of(tmp_path)))
    monkeypatch.setattr(sessions, "server_process", lambda _ports: 1)
    monkeypatch.setattr(sessions, "enter_network_of", lambda _process: None)
    monkeypatch.setattr(sessions, "interfaces", lambda: ["tun0"])
    monkeypatch.setattr(Files, "given", property(lambda _files: Files(tmp_path)))
    return tmp_path


def recording(monkeypatch: pytest.MonkeyPatch, *pieces: bytes | BaseException) -> None:
    def record(_device: str, _seconds: float, _size: int) -> Iterator[bytes]:
        for piece in pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    monkeypatch.setattr(sessions, "record", record)


def test_the_file_is_there_when_it_is_over_and_only_for_its_owner(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, int]] = []

    def record(_device: str, _seconds: float, _size: int) -> Iterator[bytes]:
        for piece in (HEADER, PACKET, PACKET):
            yield piece
            seen.append({path.name: path.stat().st_size for path in disk.iterdir()})

    monkeypatch.setattr(sessions, "record", record)
    result = sessions.capture(OPERATOR, "tun0", "/c.pcap", seconds=1, largest=10_000)
    assert [list(sizes.values()) for sizes in seen] == [[24], [1024], [2024]], "it grows on the disk"
    assert not any("c.pcap" in sizes for sizes in seen), "under another name until it is whole"
    assert (result.data["packets"], result.data["bytes"]) == (2, 2024)
    assert (disk / "c.pcap").read_bytes() == HEADER + PACKET + PACKET
    assert stat.S_IMODE((disk / "c.pcap").stat().st_mode) == 0o600
    assert [path.name for path in disk.iterdir()] == ["c.pcap"]


def test_a_large_one_is_not_in_memory(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording(monkeypatch, HEADER, *[bytes(1_000_000)] * 50)
    tracemalloc.start()
    sessions.capture(OPERATOR, "tun0", "/c.pcap", seconds=1, largest=100_000_000)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (disk / "c.pcap").stat().st_size == 50_000_024
    assert most < 5_000_000


def test_an_interruption_keeps_what_there_is(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording(monkeypatch, HEADER, PACKET, KeyboardInterrupt())
    assert sessions.capture(OPERATOR, "tun0", "/c.pcap", seconds=1, largest=10_000).data["packets"] == 1
    assert (disk / "c.pcap").read_bytes() == HEADER + PACKET


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), NetworkError("capture-failed", "cannot record tun0")]
)
def test_without_a_packet_or_after_a_failure_there_is_no_file(
    disk: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    before = () if isinstance(failure, KeyboardInterrupt) else (HEADER, PACKET)
    recording(monkeypatch, *before, failure)
    with pytest.raises(type(failure)):
        sessions.capture(OPERATOR, "tun0", "/c.pcap", seconds=1, largest=10_000)
    assert list(disk.iterdir()) == []
