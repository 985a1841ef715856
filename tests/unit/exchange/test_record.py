"""The history of upgrades: unfinished and failed upgrades, and its file."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.exchange.release_catalogue import Digests
from mstunnel_setup.exchange.upgrade_history import (
    HISTORY,
    History,
    ImagePair,
    Upgrade,
    UpgradeOutcome,
    UpgradePhase,
    read_history,
    write_history,
)
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.present import present


def images(letter: str) -> ImagePair:
    reference = f"registry.test/{{}}@sha256:{letter * 64}"
    return ImagePair(server=reference.format("server"), agent=reference.format("agent"))


def upgrade(
    source: str, target: str, outcome: UpgradeOutcome | None = UpgradeOutcome.DONE, **changes: Any
) -> Upgrade:
    phase = UpgradePhase.ENDED if outcome else UpgradePhase.SWITCH
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    fields = {"release": target, "asked_by": "agent", "begun": begun, "phase": phase, "outcome": outcome}
    return Upgrade(**{**fields, "source": images(source), "target": images(target), **changes})


def history(*upgrades: Upgrade) -> History:
    return History(upgrades=upgrades)


def test_images_keep_their_names_with_other_digests() -> None:
    moved = images("a").moved_to(Digests(f"sha256:{'b' * 64}", f"sha256:{'c' * 64}"))
    assert moved.server == f"registry.test/server@sha256:{'b' * 64}"
    assert moved.agent == f"registry.test/agent@sha256:{'c' * 64}"


def test_unfinished_upgrade_is_replaced_and_a_new_one_added() -> None:
    begun = history().with_last(upgrade("a", "b", None))
    assert begun.unfinished is not None
    ended = begun.with_last(upgrade("a", "b"))
    assert [item.outcome for item in ended.upgrades] == [UpgradeOutcome.DONE]
    assert ended.unfinished is None
    assert len(ended.with_last(upgrade("b", "c", None)).upgrades) == 2


def test_failed_releases_are_those_whose_last_upgrade_failed() -> None:
    went_back = upgrade("a", "b", UpgradeOutcome.WENT_BACK)
    assert history(went_back).failed == {images("b").digests}
    assert history(went_back, upgrade("a", "b")).failed == frozenset()
    assert history(upgrade("a", "b", UpgradeOutcome.NOT_BEGUN)).failed == {images("b").digests}


LEFT = upgrade("b", "a", rejects_source=True)
PASSED_OVER = upgrade("b", "a", passes_over=images("c").digests)


@pytest.mark.parametrize(
    ("upgrades", "held"),
    [
        ([LEFT], "b"),
        ([PASSED_OVER], "c"),
        ([LEFT, upgrade("a", "b")], ""),
        ([PASSED_OVER, upgrade("a", "c")], ""),
        # Only a completed rollback counts, and only an upgrade to the release itself ends it.
        ([upgrade("b", "a", UpgradeOutcome.WENT_BACK, rejects_source=True)], ""),
        ([PASSED_OVER, upgrade("a", "c", UpgradeOutcome.WENT_BACK)], "c"),
        ([PASSED_OVER, upgrade("a", "d")], "c"),
    ],
)
def test_abandoned_release_is_held_until_an_upgrade_to_it(upgrades: list[Upgrade], held: str) -> None:
    assert history(*upgrades).held == {images(name).digests for name in held}


def test_rollback_cannot_be_rolled_back() -> None:
    """Check a rollback of a rollback, which would install the release that an administrator abandoned."""
    new = upgrade("a", "b")
    assert history(new).to_roll_back == new
    assert history(new, upgrade("b", "c", UpgradeOutcome.WENT_BACK)).to_roll_back == new
    assert history(new, LEFT).to_roll_back is None
    assert history().to_roll_back is None


def test_history_is_saved_in_a_private_file(files: Files) -> None:
    kept = history(upgrade("a", "b"))
    write_history(files, kept)
    assert read_history(files) == kept
    assert present(files.state(HISTORY)).mode == 0o600


@pytest.mark.parametrize("content", [b"", b"{}x", b'{"version": 2, "upgrades": []}'])
def test_a_damaged_or_newer_history_is_refused(files: Files, content: bytes) -> None:
    files.write(HISTORY, content)
    with refused(StepError, "upgrades-unreadable"):
        read_history(files)
