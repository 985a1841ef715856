"""A year in one machine: its clock goes forward by weeks, and what is due after such a time takes place."""

import base64
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from mstunnel_setup.base import paths
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.journal import LARGE, Journal
from tests.machines import clock, record
from tests.machines.booted import booted_in_user_mode
from tests.machines.clock import MachineClock
from tests.machines.installation import MachineInstallation
from tests.machines.rehearsal import Command, offer
from tests.machines.serving import lasting_failures
from tests.machines.usage import grown, measured
from tests.testbed.certificates import Authority
from tests.testbed.installation import LAB
from tests.testbed.paths import JOURNAL
from tests.testbed.process import TestbedError, progress
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.machine, pytest.mark.timeout(2400)]

_JUMPS = 13
_WEEKS = timedelta(weeks=4)
_WHAT = f"A year in {_JUMPS} jumps of four weeks"
# The agent goes round once a minute, and waits four after failures.
_CHECK_IN_SECONDS = 300
# What the timer of the rotation spreads over an hour comes at once.
_PROMPT = "[Timer]\nRandomizedDelaySec=0\nAccuracySec=1s\n"
_ROTATIONS = 12
# What one import adds to the journal, at most.
_IMPORT_BYTES = 6 * 1024
# What the journal adds to what a record says.
_HEAD = ("version", "sequence", "time", "type")
_SEEN = """\
import json, sqlite3, sys
found = sqlite3.connect(sys.argv[1]).execute("SELECT body FROM entity WHERE kind = 'ServerRecord'")
print(json.loads(found.fetchone()[0])["lastCheckinDateTime"])
"""


@dataclass
class Year:
    """A gateway that serves, and what was seen of it."""

    host: MachineInstallation
    clock: MachineClock
    complaints: list[str] = field(default_factory=list)
    usage: list[Mapping[str, int]] = field(default_factory=list)

    def live(self) -> None:
        """Go through it: more than a minute for each jump, in which the agent goes round once."""
        for number in range(1, _JUMPS + 1):
            begin = time.monotonic()
            self.clock.forward(_WEEKS)
            # The machine counts whole seconds.
            date = self.clock.now() - timedelta(minutes=1)
            try:
                wrong = list(self._wrong(number, date))
            except TestbedError as error:
                wrong = [str(error)]
            self.complaints += [f"{date:%Y-%m-%d}: {text}" for text in wrong]
            self.usage.append(measured(self.host))
            progress(f"{date:%Y-%m-%d}: {time.monotonic() - begin:.0f} s, {self.usage[-1]}")

    def _wrong(self, number: int, date: datetime) -> Iterator[str]:
        """What is wrong once all that is due after this jump is done. Raises TestbedError."""
        self.host.server.run(["systemctl", "start", "systemd-tmpfiles-clean"])
        self.import_certificate()
        for event in _DUE.get(number, ()):
            event(self)
        if not eventually(lambda: self._seen() >= date, _CHECK_IN_SECONDS):
            yield f"the agent checked in last at {self._seen()}"
        yield from self.host.serves()
        yield from lasting_failures(self.host)
        rotated = f"find /var/lib/logrotate/status -newermt @{date.timestamp():.0f}"
        if not eventually(lambda: self.host.server.shell(rotated, check=False).stdout):
            yield "logrotate did not run"

    def left(self) -> Iterator[str]:
        """What is wrong with what a year has left: logs and records."""
        logs = self.host.server.run(["ls", paths.LOG]).stdout.split()
        # This month's is not rotated yet; two jumps may be in the same month.
        if not _ROTATIONS - 1 <= len(logs) <= _ROTATIONS + 1:
            yield f"logs: {logs}"
        sizes = [usage["journal"] for usage in self.usage]
        if (
            max(sizes) * 1024 > LARGE + _IMPORT_BYTES
            or min(sizes[sizes.index(max(sizes)) :]) > max(sizes) / 2
        ):
            yield f"the journal has had these sizes in KiB: {sizes}"

    def _seen(self) -> datetime:
        """When the tenant saw the agent last."""
        lab = self.host.testbed.lab
        return datetime.fromisoformat(lab.run(["python", "-c", _SEEN, f"{LAB}/lab.sqlite"]).stdout.strip())

    def import_certificate(self) -> None:
        """Import a certificate of another authority, the only one that the client trusts then."""
        self.host.bring(Authority(self.clock.ahead))
        self.host.import_renewed()

    def age_journal(self) -> None:
        """Have the journal hold the records of an import so often that the next command compacts it."""
        earlier = len(self._journal("earlier").records)
        self.import_certificate()
        journal = self._journal("later")
        records = journal.records[earlier:]
        path = Path(journal.path)
        while path.stat().st_size <= LARGE:
            for each in records:
                fields = {name: value for name, value in each.items() if name not in _HEAD}
                journal.append(str(each["type"]), **fields)
        journal.close()
        self.host.server.write(JOURNAL, path.read_bytes(), 0o600)

    def _journal(self, name: str) -> Journal:
        """A copy of the journal as it is now."""
        directory = self.host.testbed.state / name
        directory.mkdir()
        (directory / "journal.jsonl").write_text(self.host.server.read(JOURNAL))
        return Journal(Files(), Clock(), str(directory))

    def upgrade(self, label: str) -> None:
        """Upgrade to a release of this day."""
        offer(self.host, label, self.clock.now().date())
        self._given("apply")

    def roll_back(self) -> None:
        """Go back to the release before."""
        self._given("rollback")

    def rotate_keys(self) -> None:
        """Have the tenant sign tokens with another key, and forget the one before."""
        self.host.testbed.lab.run(["mstunnel-lab", "rotate-keys", "--retire", "--dir", LAB])

    def _given(self, word: str) -> None:
        Command(word, lambda host: host.cli("upgrade", word, check=False)).given(self.host).checked()

    def credential_end(self) -> datetime:
        """When the agent's credential ends."""
        content = self.host.server.run(["base64", paths.AGENT_CREDENTIAL]).stdout
        _, certificate, _ = load_key_and_certificates(base64.b64decode(content), None)
        assert certificate is not None
        return certificate.not_valid_after_utc


# What is done after which jump, besides an import. The first half has each kind: the second takes no more.
_DUE: Mapping[int, Sequence[Callable[[Year], object]]] = {
    2: (lambda year: year.upgrade("spring"),),
    3: (Year.rotate_keys,),
    5: (Year.roll_back,),
    6: (Year.age_journal,),
    8: (lambda year: year.upgrade("autumn"),),
    9: (Year.rotate_keys,),
}


@pytest.fixture
def year() -> Iterator[Year]:
    """A machine that serves, at the beginning of its year."""
    if why := clock.missing():
        pytest.skip(why)
    with booted_in_user_mode("trixie-logrotate") as host:
        host.server.write("/etc/systemd/system/logrotate.timer.d/prompt.conf", _PROMPT)
        host.server.shell("systemctl daemon-reload && systemctl restart logrotate.timer")
        year = Year(host, MachineClock(host))
        host.setup()
        assert host.serves() == []
        host.server.run(["systemctl", "start", "logrotate"])
        yield year


def test_a_gateway_serves_and_takes_no_more_after_a_year(year: Year) -> None:
    begin, credential_end = time.monotonic(), year.credential_end()
    year.live()
    if year.credential_end() < credential_end + timedelta(days=300):
        year.complaints.append(f"the agent's credential ends on {year.credential_end()}")
    year.complaints += [*grown(year.usage), *year.left()]
    figures = {"seconds": round(time.monotonic() - begin), "usage": year.usage}
    record.add(year.host.bed, _WHAT, year.complaints, **figures)
    assert year.complaints == []
