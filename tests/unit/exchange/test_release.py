"""The release catalogue: names for pairs of digests, including several names for one pair."""

import os
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.exchange.release_catalogue import (
    Digests,
    Release,
    ReleaseCatalogue,
    parse,
    parse_host,
    published,
)
from tests.cases import every
from tests.refusals import refused
from tests.unit.present import present

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


def table(day: str, server: str, agent: str, label: str = "") -> str:
    named = f'label = "{label}"\n' if label else ""
    images = f'server = "{digest(server)}"\nagent = "{digest(agent)}"\n'
    return f"[[release]]\n{named}published = {day}\n{images}"


TIE = "".join(
    [
        table("2026-01-01", "a", "b", "20260101.1"),
        table("2026-02-01", "c", "d", "20260201.1"),
        table("2026-03-01", "a", "b", "20260301.1"),
    ]
)


def test_images_with_two_labels_count_as_the_newer_release() -> None:
    catalogue = parse(TIE, "releases.toml")
    both, mixed = Digests(digest("a"), digest("b")), Digests(digest("a"), digest("d"))
    assert [release.label for release in catalogue.named(both)] == ["20260301.1", "20260101.1"]
    assert catalogue.behind(both) == 0
    assert catalogue.behind(Digests(digest("c"), digest("d"))) == 1
    assert (catalogue.named(mixed), catalogue.behind(mixed)) == ([], None), "one of two is no release"


def test_release_without_a_label_is_named_after_its_day() -> None:
    catalogue = parse(table("2025-07-21", "a", "b"), "releases.toml")
    assert catalogue.with_name("2025-07-21") == catalogue.newest
    assert catalogue.newest is not None
    assert catalogue.newest.published == date(2025, 7, 21)


def test_release_for_another_architecture_is_left_out() -> None:
    here = os.uname().machine
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[here]
    ours, theirs = table("2026-01-01", "a", "b", "1"), table("2026-02-01", "c", "d", "2")
    text = f'{ours}architecture = "{here}"\n{theirs}architecture = "{other}"\n'
    assert [release.name for release in parse(text, "releases.toml").releases] == ["1"]


@pytest.mark.parametrize("label", ["", "20260101.1"])
def test_agent_reads_the_release_of_the_monitor(label: str) -> None:
    newest = present(parse(table("2026-01-01", "a", "b", label), "releases.toml").newest)
    assert Release.model_validate_json(newest.model_dump_json()) == newest


def test_list_of_the_vendor_has_two_labels_for_one_release() -> None:
    catalogue = published()
    assert catalogue.newest is not None
    names = [release.label for release in catalogue.named(catalogue.newest.digests)]
    assert names == ["20260407.1", "20251028.1"]


def test_larger_share_of_sites_includes_the_smaller_one() -> None:
    sites = [f"site {number}" for number in range(2000)]
    reached = {}
    for share in (0, 10, 50, 100):
        (found,) = parse(f"{table('2026-01-01', 'a', 'b')}percent = {share}\n", "x").releases
        reached[share] = {site for site in sites if found.reaches(site)}
    assert reached[0] == set()
    assert 120 < len(reached[10]) < 280
    assert 880 < len(reached[50]) < 1120
    assert reached[100] == set(sites)
    assert reached[10] < reached[50]


def test_held_release_is_not_offered_and_none_is_downgraded() -> None:
    first, held = table("2026-01-01", "a", "b"), f"{table('2026-01-02', 'c', 'd')}percent = 0\n"
    catalogue = parse(first + held, "x")
    newest, older = catalogue.releases
    assert catalogue.offer("any", None, NOW) == older
    assert catalogue.offer("any", newest.digests, NOW) == newest
    assert catalogue.offer("any", Digests("sha256:x", "sha256:y"), NOW) == older


def offered(listed: str, present: str = "a", now: datetime = NOW) -> str | None:
    """Return the name of the release that a host with these images is offered."""
    catalogue = parse_host(listed, "x", lambda: ReleaseCatalogue(()))
    found = catalogue.offer("any", Digests(digest(present), digest(present)), now)
    return found.name if found else None


def ring(day: str, images: str, number: int | None) -> str:
    more = "" if number is None else f"ring = {number}\n"
    return f"{table(day, images, images, images)}{more}"


OWN = ring("2026-01-01", "a", None)


@pytest.mark.parametrize(
    ("host", "reaches", "expected"),
    [("", None, "b"), ("", 1, "b"), ("ring = 2", None, "b"), ("ring = 2", 1, "a"), ("ring = 2", 2, "b"),
     ("ring = 2", 9, "b"), ("ring = 9", 8, "a"), ("ring = 9", 9, "b")],
)  # fmt: skip
def test_release_is_offered_to_rings_up_to_its_own(host: str, reaches: int | None, expected: str) -> None:
    listed = f"{host}\n{OWN}{ring('2026-01-02', 'b', reaches)}"
    assert offered(listed) == expected
    catalogue = parse_host(listed, "x", lambda: ReleaseCatalogue(()))
    present_images = Digests(digest("a"), digest("a"))
    assert present(catalogue.newest_from(present_images)).name == expected
    assert catalogue.behind(present_images) == (expected == "b")


def test_release_beyond_its_ring_that_runs_is_not_downgraded() -> None:
    listed = f"ring = 2\n{OWN}{ring('2026-01-02', 'b', 1)}"
    assert offered(listed, present="b") == "b"
    catalogue = parse_host(listed, "x", lambda: ReleaseCatalogue(()))
    assert present(catalogue.newest_from(Digests(digest("b"), digest("b")))).name == "b"


@pytest.mark.parametrize(
    ("days", "published", "expected"),
    [
        (0, ["2026-03-01"], "b"),
        (3, ["2026-02-26"], "b"),
        # All soak: the first that is ready is the one that the host waits for.
        (3, ["2026-02-27", "2026-02-28"], "b"),
        # An earlier one that has soaked is taken while a newer one soaks.
        (3, ["2026-02-20", "2026-02-28"], "b"),
        (3, ["2026-02-20", "2026-02-21", "2026-02-28"], "c"),
    ],
)
def test_newest_release_that_has_soaked_is_offered(days: int, published: list[str], expected: str) -> None:
    releases = [ring(day, name, None) for day, name in zip(published, "bcd", strict=False)]
    assert offered(f"soak_days = {days}\n{OWN}{''.join(releases)}") == expected


def test_no_earlier_release_replaces_images_that_are_not_listed() -> None:
    listed = f"soak_days = 3\n{OWN}{ring('2026-02-28', 'b', None)}"
    assert offered(listed, present="f") == "b"


@given(st.integers(0, 90), st.integers(0, 10**10), st.integers(-(10**7), 10**7))
def test_release_soaks_for_whole_days_from_its_first_offer(days: int, at: int, after: int) -> None:
    first = datetime.fromtimestamp(at, UTC)
    (release,) = parse(OWN, "x").releases
    catalogue = ReleaseCatalogue((release,), soak_days=days, first_offered={release.digests: first})
    until = catalogue.soaking_until(release, first + timedelta(seconds=after))
    assert until == (None if not days or after >= days * 86400 else first + timedelta(days=days))


def test_publication_counts_without_a_first_offer() -> None:
    catalogue = parse_host(f"soak_days = 3\n{OWN}", "x", lambda: ReleaseCatalogue(()))
    (release,) = catalogue.releases
    until = datetime(2026, 1, 4, tzinfo=UTC)
    assert catalogue.soaking_until(release, until - timedelta(seconds=1)) == until
    assert catalogue.soaking_until(release, until) is None


def test_host_without_releases_takes_those_it_follows() -> None:
    feed = parse(f'drain_minutes = 5\ntime_zone = "Europe/Berlin"\n{OWN}', "feed")
    ours = parse_host("soak_days = 3\nring = 2\ndrain_minutes = 0\n", "x", lambda: feed)
    assert (ours.releases, ours.soak_days, ours.ring) == (feed.releases, 3, 2)
    assert (ours.drain_minutes, ours.time_zone) == (0, "Europe/Berlin")
    assert parse_host("", "x", lambda: feed) == feed
    assert parse_host("release = []\n", "x", lambda: feed).releases == ()


@every(
    "text, words",
    [
        ("ring = 0\n", "ring: must be 1 or more"),
        ("ring = 10\n", "ring: must be 9 or less"),
        ("soak_days = 91\n", "soak_days: must be 90 or less"),
        ("soak_days = -1\n", "soak_days: must be 0 or more"),
    ],
)
def test_invalid_host_settings_are_refused(text: str, words: str) -> None:
    with refused(UsageError, "releases-invalid") as caught:
        parse_host(text, "x", lambda: ReleaseCatalogue(()))
    assert words in caught.value.message


@every("text", ["ring = 2\n", "soak_days = 3\n"])
def test_publisher_sets_nothing_for_a_host(text: str) -> None:
    with refused(UsageError, "releases-invalid"):
        parse(text, "x")


@every(
    "text, words",
    [
        ("[[release]\n", "line 1"),
        ("release = 1\n", "release: must be a list"),
        ("releases = []\n", "releases: is not known"),
        ("drain_minutes = 1441\n", "drain_minutes: must be 1440 or less"),
        ('time_zone = "Europe/Berln"\n', "time_zone: there is no time zone 'Europe/Berln'"),
        ('time_zone = "../passwd"\n', "time_zone: there is no time zone"),
        ('time_zone = ""\n', "time_zone: there is no time zone"),
        ("[[release]]\npublished = 2026-01-01\n", "server: is missing"),
        (table("2026-01-01", "a", "b").replace("sha256", "md5"), "server: must match"),
        (table("2026-01-01", "a", "b").replace("a" * 64, "a" * 64 + "x"), "server: must match"),
        (table("2026-01-01", "a", "b").replace("a" * 64, "a" * 65), "server: must match"),
        (table("2026-01-01", "a", "b").replace("sha256:a", "x-sha256:a"), "server: must match"),
        (table("2026-01-01", "a", "b") + 'color = "red"\n', "color: is not known"),
        (table("2026-01-01", "a", "b") + "ring = 10\n", "ring: must be 9 or less"),
        (table("9999-12-31", "a", "b"), "published: must be"),
        (
            table("2026-01-01", "a", "b") + 'architecture = "arm"\n',
            "architecture: must be `x86_64` or",
        ),
        (table("2026-01-01", "a", "b", "x y"), "label: must match"),
    ],
)
def test_invalid_catalogue_is_refused_with_its_place(text: str, words: str) -> None:
    with refused(UsageError, "releases-invalid") as caught:
        parse(text, "/etc/mstunnel-setup/releases.toml")
    assert words in caught.value.message
    assert caught.value.message.startswith("/etc/mstunnel-setup/releases.toml: ")
