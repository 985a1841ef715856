"""A journal that has grown is compacted: killed at any point of that, nothing of what it means is lost."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base import paths
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.journal import LARGE, Journal
from tests.crash.arena import Arena, differences
from tests.crash.kill import Scene, point
from tests.crash.test_commands import Command, Rehearsed, renewed
from tests.testbed.certificates import Authority
from tests.testbed.paths import JOURNAL

_AROUND = 8
_MONTHS = 120
_MEGABYTE = 1_000_000


@contextmanager
def opened(arena: Arena) -> Iterator[Journal]:
    """The journal of the arena's host."""
    journal = Journal(Files(arena.root), Clock(), paths.STATE)
    yield journal
    journal.close()


def worn(arena: Arena) -> Sequence[str]:
    """The server has run for years, and its journal is due for compaction."""
    with opened(arena) as journal:
        for number in range(LARGE // 2000):
            action = StoreAnswer(name="worn", value={"try": number, "text": "x" * 2000})
            journal.append("begin", step="test", key=action.key, action=CODEC.dump(action), before={})
            journal.append("done", key=action.key, outputs={"value": action.value})
    return ("env", "get")


def size(arena: Arena) -> int:
    """Bytes of the journal."""
    return arena.place(JOURNAL).stat().st_size


def chosen(points: Sequence[str], everything: bool) -> Sequence[int]:
    """Every point around the one at which the new journal takes the place of the old one."""
    at = point(points, "rename .journal")
    return range(1, len(points) + 1) if everything else range(max(1, at - _AROUND), at + _AROUND)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_kill_anywhere_around_a_compaction_is_survived(
    variant: Callable[[str], Scene], everything: bool
) -> None:
    rehearsed = Rehearsed(variant("systemd"), Command(renewed, worn)).rehearse()
    rehearsed.check_each("import that compacts the journal", chosen(rehearsed.points, everything))


def upgrade(arena: Arena, month: int) -> None:
    """A release appears and is taken."""
    server, agent = (f"sha256:{number:064x}" for number in (month + 10, month + 5000))
    published = f"{2027 + month // 12}-{month % 12 + 1:02}-01"
    arena.offer(f"{month + 10}.0", server, agent, published=published)
    arena.run("mst-cli", "upgrade", "apply").checked()


def renew(arena: Arena, authority: Authority) -> None:
    """A certificate is replaced."""
    chain, key = authority.issue("vpn.crash.test", days=400)
    (arena.directory / "renewed.pem").write_bytes(chain)
    (arena.directory / "renewed-key.pem").write_bytes(key)
    arena.renew().checked()


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_ten_years_of_upgrades_and_renewals_stay_small_and_quick(
    fresh: Scene, arena: Arena, everything: bool
) -> None:
    """An upgrade a month, a certificate every two: as much in the sample as brings two compactions."""
    before = arena.state()
    arena.install().checked()
    authority, sizes, loads = Authority(), [size(arena)], [0.0]
    months = _MONTHS if everything else 24
    for month in range(months):
        upgrade(arena, month)
        if month % 2:
            renew(arena, authority)
        started = time.perf_counter()
        with opened(arena) as journal:
            loads.append(time.perf_counter() - started)
            assert journal.receipt.entries
        sizes.append(size(arena))
    print(f"{months} months: at most {max(sizes)} bytes, read within {max(loads):.3f} s")
    arena.place(CATALOGUE).unlink()
    arena.place(CATALOGUE).parent.rmdir()
    arena.uninstall().checked()
    assert max(sizes) < _MEGABYTE
    assert max(loads) < 1
    assert sizes != sorted(sizes), "the journal was never compacted"
    assert not differences(before, arena.state())
