"""Lists of the admin center: search, order, pages and breadcrumbs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.mstunnel_lab.pages import Pages

CONFIGURATIONS = "/deviceManagement/microsoftTunnelConfigurations"
ROW = re.compile(r'<th scope="row"><a href="[^"]*">([^<]*)</a>')
LISTS = ("servers", "sites", "configurations", "health", "profiles", "apps", "app-configurations")


@pytest.fixture
def numbered(lab: Any) -> Iterator[None]:
    """Sixty server configurations, the newest first in no order but their numbers'."""
    made = []
    for number in range(60, 0, -1):
        body = {"displayName": f"Range {number}", "network": f"10.{number}.0.0/16", "listenPort": 443}
        made.append(lab.graph("admin", "POST", CONFIGURATIONS, body).json()["id"])
    yield
    for identifier in made:
        lab.graph("admin", "DELETE", f"{CONFIGURATIONS}/{identifier}")


def rows(pages: Pages, query: str) -> list[str]:
    return ROW.findall(pages.open(f"/admin/configurations{query}").source)


@pytest.mark.usefixtures("numbered")
def test_a_search_finds_in_every_column(administrator: Pages) -> None:
    assert rows(administrator, "?q=range+7") == ["Range 7"]
    assert rows(administrator, "?q=10.9.0") == ["Range 9"]
    assert rows(administrator, "?q=no+such") == []
    assert "Nothing was found." in administrator.page.text
    assert administrator.page.fields["q"] == "no such"


@pytest.mark.usefixtures("numbered")
def test_numbers_are_sorted_as_numbers_in_both_directions(administrator: Pages) -> None:
    up = rows(administrator, "?q=range&sort=name")
    assert up[:3] == ["Range 1", "Range 2", "Range 3"]
    assert 'aria-sort="ascending"' in administrator.page.source
    down = rows(administrator, "?q=range&sort=network&order=down")
    assert down[:2] == ["Range 60", "Range 59"]
    assert 'aria-sort="descending"' in administrator.page.source


@pytest.mark.usefixtures("numbered")
def test_a_page_keeps_search_and_order(administrator: Pages) -> None:
    rows(administrator, "?q=range&sort=name&order=down")
    following = re.search(r'href="(\?[^"]*page=2[^"]*)"', administrator.page.source)
    assert following
    assert rows(administrator, following[1].replace("&amp;", "&"))[-1] == "Range 1"
    assert rows(administrator, "?q=range&page=99") == rows(administrator, "?q=range&page=2")


def test_an_unknown_column_changes_nothing(administrator: Pages) -> None:
    assert rows(administrator, "?sort=secret") == rows(administrator, "")


def test_a_search_is_shown_as_text(administrator: Pages) -> None:
    assert "<b>" not in administrator.open("/admin/sites?q=<b>").source


@pytest.mark.parametrize("tab", LISTS)
def test_every_list_can_be_searched_and_says_where_it_is(administrator: Pages, tab: str) -> None:
    page = administrator.open(f"/admin/{tab}")
    assert 'role="search"' in page.source
    assert 'class="crumbs"' in page.source
    assert "q" in page.labelled


def test_breadcrumbs_lead_back_to_the_list(administrator: Pages, lab: Any) -> None:
    page = administrator.open(f"/admin/sites/{lab.site_id()}")
    crumbs = " ".join(page.source.partition('class="crumbs"')[2].partition("</ol>")[0].split())
    assert [text for text in re.findall(r">([^<>]+)<", crumbs) if text.strip()] == [
        "Tenant administration",
        "Microsoft Tunnel Gateway",
        "Sites",
        "Berlin",
    ]
    assert 'href="/admin/sites"' in crumbs


def test_a_word_is_searched_in_the_language_of_the_page(administrator: Pages) -> None:
    administrator.session.headers["Accept-Language"] = "ja"
    assert "Berlin" in administrator.open("/admin/sites?q=手動").text
    assert "Berlin" not in administrator.open("/admin/sites?q=Manual").text
