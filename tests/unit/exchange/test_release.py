"""The release catalogue: names for pairs of digests, including several names for one pair."""

import os
from datetime import date

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.exchange.release_catalogue import Digests, Release, parse, published
from tests.cases import every
from tests.refusals import refused
from tests.unit.present import present


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
    assert catalogue.newest_for("any", None) == older
    assert catalogue.newest_for("any", newest.digests) == newest
    assert catalogue.newest_for("any", Digests("sha256:x", "sha256:y")) == older


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
