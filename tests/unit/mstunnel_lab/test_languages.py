"""The languages of the pages: which one is shown; no text lacks a translation, and none is unused."""

import ast
import html
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes

from mst_admin.metrics import METRICS
from mst_admin.objects.app import AppPlatform
from mst_admin.objects.configuration import INVALID
from mst_admin.objects.profile import ProfilePlatform
from mstunnel_lab.admin_center import apps, profiles
from mstunnel_lab.admin_center.forms import FieldGroup, Form, groups_of
from mstunnel_lab.admin_center.render import LANGUAGES, PageLanguage, table
from mstunnel_lab.errors import REFUSALS
from mstunnel_setup.answers.finding import Finding
from scripts.error_codes import declarations
from tests.cases import every
from tests.unit.mstunnel_lab.pages import Pages

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "mstunnel_setup"
TEMPLATES = ROOT / "templates" / "lab"
OTHERS = sorted(set(LANGUAGES) - {"en"})
SPOKEN = (ROOT / "mstunnel_lab", ROOT / "mst_admin", PACKAGE / "gateway", PACKAGE / "answers")
GROUPS: tuple[FieldGroup, ...] = (
    *groups_of("configuration"),
    *groups_of("site"),
    *(group for kind in ProfilePlatform for group in groups_of("profile", kind)),
    *groups_of("rule"),
    *(group for kind in AppPlatform for group in groups_of("app", kind)),
    *(group for kind in apps.POLICY_KINDS for group in groups_of("app_configuration", kind)),
    *groups_of("assignments", "app-ios"),
)
FIELDS = [field for group in GROUPS for field in group.fields]

# Findings about what no form of the admin center has, or about objects that are read from files.
ELSEWHERE = {
    *("trusted-root-name", "not-a-tunnel-profile", "site-missing", "server-address-differs"),
    *("eu-data-boundary", "profile-not-declarable", "app-config-not-declarable", "app-config-platform"),
    *("per-app-without-app", "mam-apps-missing", "mam-apps-without-edge", "mam-bypassed-host"),
    *("mam-proxy-without-pac", "mam-twice", "mam-beside-profile", "corporate-network-invalid"),
    *("setting-malformed", "network-overlap", "public-address-unresolved", "utc-offset-invalid"),
    *("name-ambiguous", "metric-not-known"),
}


def findings() -> dict[str, Any]:
    """What a form may say, by its code."""
    declared = ((name, item) for name, item in declarations().items() if item.code not in ELSEWHERE)
    return {
        item.code: item
        for name, item in declared
        if name.startswith("mst_admin.") and isinstance(item.example(), Finding)
    }


def template_texts() -> Iterator[tuple[str, bool]]:
    """Every text in the expressions of the templates, and whether it is surely one of the page."""
    for path in sorted(TEMPLATES.glob("*.html.j2")):
        tree = Environment(autoescape=True).parse(path.read_text())
        calls = [call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)]
        said = [call.args[0] for call in calls if call.node.name == "_" and call.args]  # type: ignore[attr-defined]
        sure = {id(item) for item in said}
        for item in tree.find_all(nodes.Const):
            if isinstance(item.value, str):
                yield item.value, id(item) in sure


def form_texts() -> Iterator[str]:
    yield from (group.title for group in GROUPS)
    yield from (label for group in GROUPS for _, label in group.actions)
    yield from (text for field in FIELDS for text in (field.label, field.hint))
    yield from (word for field in FIELDS if field.kind == "choice" for _, word in field.choices)
    for kinds in (profiles.KINDS, apps.KINDS, apps.INTENTS, apps.POLICY_KINDS):
        yield from kinds.values()


def spoken() -> set[str]:
    """Every text in the code that a page may show: literals, and f-strings with {} for their values."""
    found: set[str] = set()
    for path in (file for directory in SPOKEN for file in directory.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            if isinstance(node, ast.JoinedStr):
                parts = (str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
                found.add("".join(parts))
    return found


def plain(text: str) -> str:
    return re.sub(r"\{\w*\}", "{}", text).casefold().rstrip(".")


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_has_a_translation(language: str) -> None:
    """Those of the pages, and the findings."""
    wanted = {text for text, is_sure in template_texts() if is_sure} | set(form_texts())
    wanted |= {metric.title for metric in METRICS} | {message for _, message in REFUSALS.values()}
    wanted |= {text for found in findings().values() for text in (found.message, found.hint)} - {"{advice}"}
    assert sorted(wanted - table(language).keys()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_unused(language: str) -> None:
    texts = {*spoken(), *form_texts(), *Form(GROUPS, {}).labels.values()}
    said = {plain(text) for text in texts} | {plain(text) for text, _ in template_texts()}
    # What a form says about the type of a value.
    foreign = {text for text in table(language) if text.startswith("Must be ")}
    assert [text for text in table(language) if plain(text) not in said and text not in foreign] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_are_consistent(language: str) -> None:
    """A translation uses no parameter that its text does not have; no text is in two tables."""
    names = re.compile(r"\{(\w+)\}")
    texts = table(language).items()
    assert [text for text, said in texts if not set(names.findall(said)) <= set(names.findall(text))] == []
    file = ROOT / "mstunnel_lab" / "admin_center" / "texts" / f"{language}.toml"
    keys = [key for found in tomllib.loads(file.read_text()).values() for key in found]
    assert sorted({key for key in keys if keys.count(key) > 1}) == []


def test_a_finding_speaks_of_fields_by_their_labels() -> None:
    """No key of a file is in what the English page says; an example of an id may be."""
    labels, page = Form(GROUPS, {}).labels, PageLanguage("en")
    examples = {code: item.example() for code, item in findings().items()}
    assert len(examples) > 50
    said = {code: page.problem((item.message, item.hint), labels) for code, item in examples.items()}
    keys = re.compile(r"\b[a-z]+_[a-z_]+\b|: true\b")
    assert {code: text for code, text in said.items() if keys.search(text)} == {}


def test_every_field_has_help() -> None:
    assert [field.name for field in FIELDS if not field.hint] == []


def test_a_finding_is_said_in_the_language_of_the_page() -> None:
    found = INVALID["listen_port"](
        key="listen_port",
        value="0",
        reason="it is not a port",
        advice="Write a number from 1 to 65535, usually 443.",
    )
    said = PageLanguage("ja").problem((found.message, found.hint), {"listen_port": "Server port"})
    assert said == (
        "「サーバー ポート」 の値 0 は使用できません: ポートではありません。"
        "1 から 65535 の数値を入力してください (通常は 443)。"
    )


def test_names_are_not_translated() -> None:
    assert PageLanguage("ja")("The server configuration is used by the site 'Sites'.").count("Sites") == 1


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("ja", "ja"),
        ("ja-JP,en;q=0.5", "ja"),
        ("fr, ja;q=0.3, en;q=0.2", "ja"),
        ("en-GB,ja;q=0.9", "en"),
        ("ja;q=0,fr", "en"),
        ("ja;q=high", "ja"),
        (";;,,q=1", "en"),
    ],
)
def test_the_browser_asks_for_a_language(browser: Pages, asked: str, language: str) -> None:
    browser.session.headers["Accept-Language"] = asked
    assert f'<html lang="{language}">' in browser.open("/admin/sign-in").source


def test_a_language_is_chosen_and_remembered(administrator: Pages) -> None:
    page = administrator.open("/language?to=ja&next=/admin/sites")
    assert page.address.endswith("/admin/sites")
    assert "サイト" in page.text
    assert "サーバーの作成" in administrator.open("/admin/servers/new").text
    assert "Sites" in administrator.open("/language?to=en&next=/admin/sites").text


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", ""])
def test_the_choice_of_a_language_leads_nowhere_else(administrator: Pages, elsewhere: str) -> None:
    page = administrator.open(f"/language?to=xx&next={elsewhere}")
    assert page.address == f"{administrator.base}/admin/servers"
    assert '<html lang="en">' in page.source


PAGES = (
    *("/admin/servers", "/admin/servers/new", "/admin/sites", "/admin/sites/new", "/admin/configurations"),
    *("/admin/configurations/new", "/admin/health", "/admin/health/thresholds", "/admin/profiles"),
    *("/admin/profiles/new", "/admin/profiles/new/ios", "/admin/profiles/new/android-work-profile"),
    *("/admin/apps", "/admin/apps/new", "/admin/apps/new/ios", "/admin/app-configurations"),
    *("/admin/app-configurations/new", "/admin/app-configurations/new/apps-android", "/admin/sign-in"),
    "/devicelogin",
)


@every("path", PAGES)
def test_no_english_text_is_on_a_japanese_page(administrator: Pages, path: str) -> None:
    administrator.session.headers["Accept-Language"] = "ja"
    shown = re.split(r"<[^>]*>", administrator.open(path).source)
    english = {text for text, said in table("ja").items() if text != said}
    assert sorted(english.intersection(" ".join(html.unescape(part).split()) for part in shown)) == []
