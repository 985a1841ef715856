"""The documentation site in a real browser, without a network: diagrams are drawn, its search finds pages."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from scripts.docs import error_codes
from tests import pages
from tests.browser.chromium import PHONE, WIDE, Browser, chromium

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
# Every name fails to resolve: what the pages need is in the site.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
PAGES = [
    page.relative_to(ROOT) for page in pages.PAGES if page.parent == ROOT or ROOT / "docs" in page.parents
]
SHOWN = (
    *("index", "docs/tutorial/first-gateway", "docs/tutorial/real-server", "docs/how-to/runbook"),
    *("docs/explanation/choices", "docs/reference/commands/mst-cli", "docs/reference/errors/usage"),
)
PICTURES = ROOT / "build/screenshots/site"
DESKTOP = (1440, 900)
DIAGRAMS = {page: count for page in PAGES if (count := pages.content(ROOT / page).count("```mermaid"))}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does: a warning of Sphinx or a dead link ends it with 1."""
    directory = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, "-m", "scripts.docs.site", str(directory)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return directory


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile"), None, OFFLINE) as started:
        yield started


def test_every_page_of_the_documentation_is_in_it(site: Path) -> None:
    assert {page for page in PAGES if not (site / page).with_suffix(".html").is_file()} == set()


def test_the_front_page_shows_the_version_and_the_four_kinds(site: Path, browser: Browser) -> None:
    browser.size(WIDE)
    browser.open((site / "index.html").as_uri())
    browser.wait_for_heading("mstunnel-setup")
    shown = browser.driver.execute_script("return document.querySelector('.sidebar-container').textContent")
    assert f"mstunnel-setup {__version__}" in shown
    for kind in ("Tutorials", "How-to guides", "Reference", "Explanation"):
        assert kind in shown


@pytest.mark.parametrize("page", DIAGRAMS, ids=str)
def test_every_diagram_is_drawn(site: Path, browser: Browser, page: Path) -> None:
    """For a mistake in a diagram, Mermaid draws an error."""
    browser.open((site / page).with_suffix(".html").as_uri())
    drawn = "document.querySelectorAll('pre.mermaid svg:not([aria-roledescription=error])')"
    browser.wait_for_script(f"return {drawn}.length === {DIAGRAMS[page]}")


def test_the_search_finds_a_page(site: Path, browser: Browser) -> None:
    browser.open(f"{(site / 'search.html').as_uri()}?q=pool+exhausted")
    found = """document.querySelector('#search-results a[href*="troubleshoot-networks.html"]')"""
    browser.wait_for_script(f"return {found} !== null")


@pytest.mark.parametrize(
    "code", ["throttled", "environment-line-invalid", "disk-full", "export-exists", "self-signed"]
)
def test_a_typed_code_finds_its_row_first(site: Path, browser: Browser, code: str) -> None:
    """The pages are opened as files, from which a browser fetches nothing."""
    browser.console()
    browser.open(f"{(site / 'search.html').as_uri()}?q={code}")
    first = "document.querySelector('#search-results li')"
    browser.wait_for_script(f"return ({first}?.querySelector('.context')?.textContent ?? '') !== ''")
    address, excerpt = browser.driver.execute_script(
        f"return [{first}.querySelector('a').href, {first}.querySelector('.context').textContent]"
    )
    assert address.partition("#")[2] == code
    assert excerpt.startswith(f"{code} · ")
    assert browser.console() == []


def test_every_code_of_the_errors_is_an_entry_of_the_search(site: Path) -> None:
    index = (site / "searchindex.js").read_text().removeprefix("Search.setIndex(").rstrip(")\n;")
    entries = json.loads(index)["indexentries"]
    assert {item.code for item in error_codes.declarations().values()} - set(entries) == set()


def test_the_side_bar_is_short_and_names_each_page_once(site: Path, browser: Browser) -> None:
    """Before a group is opened, it shows no more than fits two windows."""
    browser.size(DESKTOP)
    browser.open((site / "docs/index.html").as_uri())
    browser.wait_for_heading("mstunnel-setup")
    links = "[...document.querySelectorAll('.sidebar-tree a.reference')]"
    names = browser.driver.execute_script(f"return {links}.map(link => link.textContent.trim())")
    shown = browser.driver.execute_script(f"return {links}.filter(link => link.checkVisibility()).length")
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert shown <= 50


def test_old_address_of_an_error_redirects(site: Path, browser: Browser) -> None:
    browser.open(f"{(site / 'docs/reference/errors.html').as_uri()}#throttled")
    browser.wait_for_heading("Errors: tenant")


@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("page", SHOWN)
def test_a_page_fits_its_window(site: Path, browser: Browser, page: str, width: tuple[int, int]) -> None:
    """Its picture is kept in `build/screenshots/site`, to be looked at."""
    browser.size(width)
    browser.open((site / f"{page}.html").as_uri())
    browser.wait_for_script("return document.querySelector('h1')?.getBoundingClientRect().height > 0")
    assert not browser.overflows()
    broken = "return [...document.images].filter(image => image.complete && !image.naturalWidth).length"
    assert browser.driver.execute_script(broken) == 0
    browser.screenshot(PICTURES / f"{page.replace('/', '-')}-{width[0]}.png")
