"""Entries of the journal, as journald receives them: datagrams of fields at a Unix socket."""

import os
import socket
from pathlib import Path

from mstunnel_setup.io.systemd import SystemJournal


def fields_of(datagram: bytes) -> dict[str, str]:
    """The fields of an entry; each has its length before its value."""
    found = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        size = int.from_bytes(rest[:8], "little")
        found[name.decode()] = rest[8 : 8 + size].decode()
        assert rest[8 + size : 9 + size] == b"\n"
        datagram = rest[9 + size :]
    return found


def test_an_entry_has_its_fields_and_no_value_adds_one(tmp_path: Path) -> None:
    fields = {"MESSAGE": "first\nMESSAGE_ID=1", "PRIORITY": "4", "MSTUNNEL_CODE": "ä"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(5)
        assert SystemJournal(str(tmp_path / "socket")).send(fields)
        assert fields_of(receiver.recv(4096)) == fields


def test_a_journal_that_is_away_takes_nothing(tmp_path: Path) -> None:
    assert not SystemJournal(str(tmp_path / "socket")).send({"MESSAGE": "x"})


def test_the_journal_is_used_where_the_stream_leads_to_it(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        state = os.fstat(stream.fileno())
        here = {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino}"}
        assert SystemJournal.of(here, stream.fileno()) is not None
        # A shell or a file in between: what it gets is what a person wants to see there.
        for elsewhere in ({}, {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino + 1}"}):
            assert SystemJournal.of(elsewhere, stream.fileno()) is None
