"""The documentation site in a real browser, without a network: diagrams are drawn, its search finds pages."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from scripts.site.links import links
from tests.browser.chromium import PHONE, WIDE, Browser, chromium

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
# Every name fails to resolve: what the pages need is in the site.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
DIAGRAMS = (
    "ARCHITECTURE",
    "docs/explanation/pictures",
    "docs/how-to/runbook",
    "docs/how-to/troubleshoot-networks",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does: a warning of Sphinx or a dead link ends it with 1."""
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "scripts.site", str(directory)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return directory


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile"), None, OFFLINE) as started:
        yield started


def test_every_page_of_the_documentation_is_in_it(site: Path) -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    built = {site / page.relative_to(ROOT).with_suffix(".html") for page in pages}
    assert {page for page in built if not page.is_file()} == set()
    assert links(site).dead == []


def test_the_front_page_shows_the_version_and_the_four_kinds(site: Path, browser: Browser) -> None:
    browser.size(WIDE)
    browser.open((site / "index.html").as_uri())
    browser.wait_for_heading("mstunnel-setup")
    shown = browser.driver.execute_script("return document.querySelector('.sidebar-container').textContent")
    assert f"mstunnel-setup {__version__}" in shown
    for kind in ("Tutorials", "How-to guides", "Reference", "Explanation"):
        assert kind in shown


@pytest.mark.parametrize("page", DIAGRAMS)
def test_every_diagram_is_drawn(site: Path, browser: Browser, page: str) -> None:
    browser.open((site / f"{page}.html").as_uri())
    diagrams = (ROOT / f"{page}.md").read_text().count("```mermaid")
    drawn = "pre.mermaid svg:not([aria-roledescription=error])"
    browser.wait_for_script(f"return document.querySelectorAll('{drawn}').length === {diagrams}")


def test_pages_with_diagrams_are_all_looked_at() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    with_diagrams = {
        str(page.relative_to(ROOT).with_suffix("")) for page in pages if "```mermaid" in page.read_text()
    }
    assert with_diagrams == {*DIAGRAMS}


def test_the_search_finds_a_page(site: Path, browser: Browser) -> None:
    browser.open(f"{(site / 'search.html').as_uri()}?q=pool+exhausted")
    browser.wait_for_text("Troubleshoot networks")


def test_a_page_fits_a_phone(site: Path, browser: Browser) -> None:
    browser.size(PHONE)
    browser.open((site / "docs/how-to/runbook.html").as_uri())
    assert not browser.overflows()
