"""The check of a built site sees every link that leads nowhere."""

from pathlib import Path

import pytest

from scripts.site.links import links


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "guide").mkdir()
    (tmp_path / "picture.svg").write_text("<svg/>")
    (tmp_path / "index.html").write_text('<h1 id="top">Home</h1><a href="guide/first.html#step-1">First</a>')
    page = '<p id="step-1">One</p><a href="../index.html#top">Home</a><img src="../picture.svg">'
    (tmp_path / "guide/first.html").write_text(page)
    return tmp_path


def test_a_sound_site_has_no_dead_link(site: Path) -> None:
    assert links(site).dead == []


@pytest.mark.parametrize(
    "element",
    [
        '<a href="missing.html">x</a>',
        '<a href="first.html#step-2">x</a>',
        '<a href="#step-2">x</a>',
        '<a href="..">x</a>',
        '<img src="missing.png">',
        '<script src="https://cdn.example/library.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/style.css">',
    ],
)
def test_a_link_that_leads_nowhere_is_found(site: Path, element: str) -> None:
    page = site / "guide/first.html"
    page.write_text(page.read_text() + element)
    (dead,) = links(site).dead
    assert dead.startswith("guide/first.html: ")
    assert dead.removeprefix("guide/first.html: ") in element


def test_addresses_of_others_are_listed_once_and_not_opened(site: Path) -> None:
    for page in site.rglob("*.html"):
        page.write_text(page.read_text() + '<a href="https://contoso.example/">x</a>')
    assert links(site).external == ["https://contoso.example/"]
