"""Texts for people in Japanese: which language is shown, and that no text lacks a translation."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from hatchling.builders.wheel import WheelBuilder

from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.text import WIDTH, Line, fold, verbatim, width
from mstunnel_setup.cli.dispatch import MODULES
from mstunnel_setup.cli.framework import translation
from mstunnel_setup.cli.framework.help import examples
from mstunnel_setup.cli.framework.translation import (
    PARAMETER,
    SPOKEN,
    catalogue,
    filled,
    language,
    template,
    texts,
    translated,
    translated_lines,
)
from mstunnel_setup.install.step_list import ORDER
from scripts import texts as catalogues
from scripts.command_tree import PROGRAMS, program
from scripts.error_codes import declarations
from scripts.spoken import spoken

DECLARED = declarations()
JAPANESE = {"LANG": "ja_JP.UTF-8"}
COMMANDS = [command.path for name in PROGRAMS for command in program(name).walk()]
ROOT = Path(__file__).parents[3]
STARTED = (
    "import sys; sys.argv = sys.argv[1:]; from mstunnel_setup.cli.dispatch import main; sys.exit(main())"
)
# Texts that still lack a translation: there may only be fewer.
UNTRANSLATED: frozenset[str] = frozenset()
# English, and what the vendor's Japanese documentation calls it.
TERMS = {
    "admin center": "管理センター",
    "answer file": "応答ファイル",
    "certificate": "証明書",
    "check-in": "チェックイン",
    "conditional access": "条件付きアクセス",
    "container": "コンテナー",
    "dns server": "DNS サーバー",
    "gateway": "ゲートウェイ",
    "passphrase": "パスフレーズ",
    "private key": "秘密キー",
    "server configuration": "サーバーの構成",
    "site": "サイト",
    "split tunnelling": "分割トンネリング",
    "tenant": "テナント",
    "work profile": "仕事用プロファイル",
}
# Names of products, in which a term is part of the name.
NAMES = re.compile(r"Tunnel Gateway|`[^`]*`|--?[a-z][\w-]*|[\w./]*[_./-][\w./-]+|site \{|\{\w+\}|IANA|Entra")


@pytest.fixture
def japanese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "_selected", "ja")


def started(words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", STARTED, *words.split()],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_CTYPE": "en_US.UTF-8"}, "ja"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "ja"}, "ja"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "fr:ja:en"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LANGUAGE": "en:ja"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LANGUAGE": ""}, "ja"),
        ({"LANG": "C", "LANGUAGE": "ja"}, "en"),
        ({"LANGUAGE": "ja"}, "en"),
    ],
)
def test_the_locale_chooses_the_language(environment: Mapping[str, str], shown: str) -> None:
    assert language(environment) == shown


@pytest.mark.parametrize("name", ["mstunnel-agent", "mstunnel_monitor", "mstunnel_uplink"])
def test_a_service_writes_its_log_in_english(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "_selected", "ja")
    translation.select(name, JAPANESE)
    assert translated("error") == "error"


def test_the_catalogues_have_every_text_and_no_other() -> None:
    """`python -m scripts.texts` would change nothing."""
    for path, content in catalogues.catalogues().items():
        assert path.read_bytes() == content, f"run `python -m scripts.texts` for {path.name}"
    assert {path.name for path in catalogues.LOCALE.rglob("*.po")} == {
        f"{name}.po" for name in catalogues.texts()
    }


@pytest.mark.parametrize("language", SPOKEN)
def test_every_text_has_a_translation(language: str) -> None:
    assert set(untranslated(texts(language))) == UNTRANSLATED


def untranslated(present: Mapping[str, str]) -> list[str]:
    return [text for found in catalogues.texts().values() for text in found if not present.get(text)]


def test_a_new_text_is_found_to_lack_a_translation_and_a_removed_one_to_be_unused() -> None:
    present = texts("ja")
    some = next(iter(DECLARED.values())).message
    lost = untranslated({text: said for text, said in present.items() if text != some})
    assert set(lost) - UNTRANSLATED == {some}
    made = catalogues.updated({**present, "no longer used": "未使用"}, [some, "a new text"], "ja").decode()
    assert 'msgid "a new text"\nmsgstr ""' in made
    assert "no longer used" not in made


def test_a_text_that_is_put_into_a_variable_first_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "def show(minutes: int) -> None:\n"
        '    valid = f"The code is valid for {minutes} minutes."\n'
        '    path = "not shown to anyone"\n'
        "    say(translated(valid))\n"
    )
    assert [*spoken(module)] == ["The code is valid for {minutes} minutes."]


def test_the_reader_of_the_catalogues_finds_what_a_gettext_library_finds() -> None:
    for name in SPOKEN:
        files = (catalogues.LOCALE / name).iterdir()
        items = (item for file in files for item in catalogues.read(file) if item.id and item.string)
        read = {str(item.id): str(item.string) for item in items}
        assert texts(name) == read


def test_a_translation_keeps_parameters_commands_and_options() -> None:
    wrong = []
    for text, said in texts("ja").items():
        typed = {*text.split("`")[1::2], *re.findall(r"(?<![\w-])--[a-z][\w-]+|[A-Z]{2}[A-Z_]+=", text)}
        if not all(item in said for item in typed):
            wrong.append(text)
        if not set(PARAMETER.findall(said)) <= set(PARAMETER.findall(text)):
            wrong.append(text)
    assert wrong == []


@pytest.mark.parametrize("name", DECLARED)
def test_a_message_with_values_is_said_by_its_own_translation(name: str) -> None:
    """No other template takes it apart, and its values are found again."""
    item = DECLARED[name]
    values = {key: f"<{number}>" for number, key in enumerate(sorted(item.parameters))}
    # What follows another value is a remark on it.
    values |= {key: f" ({key})" for key in re.findall(r"\}\{(\w+)\}", f"{item.message} {item.hint}")}
    for text in filter(None, (item.message, item.hint)):
        shown = PARAMETER.sub(lambda found: values[found[1]], text)
        if text in texts("ja"):
            assert catalogue("ja")(shown) == filled(texts("ja")[text], values), text


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_that_of_the_vendors_documentation(term: str) -> None:
    word = re.compile(rf"\b{term}s?\b", re.IGNORECASE)
    wrong = [
        text
        for text, said in texts("ja").items()
        if word.search(NAMES.sub("", text)) and TERMS[term] not in said
    ]
    assert wrong == []


def test_phrases_among_the_values_are_translated_and_names_are_not(japanese: None) -> None:
    found = declare(UsageError, "x", "cannot pull {image}: {reason}")(image="site", reason="no such host")
    assert translated(found.message) == "site をプルできません: ホストがありません"


def test_a_sentence_that_is_a_value_is_translated_with_the_blank_before_it(japanese: None) -> None:
    where = " The authority offers it at http://ca.example/a.cer."
    said = translated(f"Add the certificate of Issuer to the chain.{where}")
    assert said == (
        "Issuer の証明書をチェーンに追加してください。 認証局は http://ca.example/a.cer で提供しています。"
    )


def test_three_dots_are_no_full_stop(japanese: None) -> None:
    waiting = translated("The code is valid for 15 minutes. Waiting ...")
    assert waiting == "コードの有効期間は 15 分です。待機しています ..."


def test_what_is_in_brackets_at_the_end_stays_together(japanese: None) -> None:
    said = translated("No such option: --nonsense (Possible options: --answers)")
    assert said.startswith("オプション --nonsense はありません ")
    assert "Possible" not in said


def test_sentences_that_were_joined_are_translated_one_by_one(japanese: None) -> None:
    joined = "Correct the path. Run `mst-cli cert check`."
    assert translated(joined) == "パスを修正してください。`mst-cli cert check` を実行してください。"


def test_lines_and_columns_of_a_text_are_translated_one_by_one(japanese: None) -> None:
    assert translated("no such host\nno host") == "ホストがありません\nホストなし"
    assert translated("  none  12 days left") == "  なし  残り 12 日"


def test_a_title_before_a_message_is_no_part_of_it(japanese: None) -> None:
    """As a whole this would be made of the template that ends with "at boot"."""
    shown = translated("Module tun at boot: no file loads tun at boot")
    assert shown == "起動時のモジュール tun: 起動時に tun を読み込むファイルがありません"


def test_what_programs_read_is_never_translated(japanese: None) -> None:
    lines = verbatim("# Usage:\nerror: no such host")
    assert list(translated_lines(lines)) == lines


def test_a_text_of_others_stays_as_it_is(japanese: None) -> None:
    for text in (
        "dial tcp 192.0.2.1:443: i/o timeout",
        "Use of this endpoint is not permitted.",
    ):
        assert translated(text) == text


def test_columns_line_up_by_the_width_of_the_characters(japanese: None) -> None:
    rows = [("Site", "testbed"), ("Certificate", "12 days left"), ("Version", "1.0")]
    shown = list(translated_lines(Line(f"{name:12} {value}", name, value) for name, value in rows))
    assert shown == ["サイト      testbed", "証明書      残り 12 日", "バージョン  1.0"]


def test_full_width_text_is_folded_at_eighty_columns() -> None:
    text = "ゲートウェイの構成をテストし、" * 12 + "`mst-cli status` を実行してください。"
    parts = fold(text)
    assert "".join(part.strip() for part in parts) == text.replace("。 ", "。")
    assert max(map(width, parts)) <= WIDTH
    assert all(not part.strip().startswith(("、", "。", "ー")) for part in parts)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_is_in_japanese_and_fits_eighty_columns(command: str, japanese: None) -> None:
    typed = {f"  {line}" for line in examples(command)}
    lines = [line for line in help_of(command).splitlines() if line not in typed]
    assert [line for line in lines if width(line) > WIDTH] == []
    assert [line for line in lines if re.search(r"(?<![-\w])(the|of|and|to)\b", line)] == []


def help_of(path: str) -> str:
    """The help of a command by its path."""
    name, *words = path.split()
    command: Any = typer.main.get_command(importlib.import_module(MODULES[name]).app)
    context = command.context_class(command, info_name=name)
    for word in words:
        command = command.get_command(context, word)
        context = command.context_class(command, info_name=word, parent=context)
    return str(command.get_help(context))


def test_the_help_of_steps_is_the_same_table(japanese: None) -> None:
    shown = started("mstunnel-setup steps", **JAPANESE).stdout.decode().splitlines()
    assert shown[0] == "eula         ライセンスと使用条件"
    assert [line.split()[0] for line in shown[: len(ORDER)]] == [step.name for step in ORDER]


@pytest.mark.parametrize(
    "words",
    [
        "mstunnel-setup steps",
        "mst-cli status",
        "mst-cli help",
        "mst-cli eula",
        "mst-cli no-such-command",
        "mst-cli upgrade check",
        "mst-readiness explain tun-device",
        "mst-readiness explain no-such-check",
        "mst-admin apply /nowhere --unattended",
        "mstunnel-setup answers check /nowhere",
    ],
)
def test_json_does_not_change_with_the_language(words: str, tmp_path: Path) -> None:
    """Nor does the exit code."""
    options = f"--output json --root {tmp_path}"
    english, japanese = (started(f"{words} {options}", LANG=name) for name in ("C.UTF-8", "ja_JP.UTF-8"))
    assert json.loads(english.stdout)
    assert (english.stdout, english.returncode) == (japanese.stdout, japanese.returncode)


def test_a_missing_locale_of_the_host_is_no_obstacle() -> None:
    """Python writes UTF-8 where the locale is not installed; another encoding gets escapes, no error."""
    shown = started("mst-cli status --root /nowhere", **JAPANESE)
    assert "エラー" in shown.stderr.decode()
    ascii_only = started("mst-cli status --root /nowhere", **JAPANESE, PYTHONIOENCODING="ascii")
    assert b"\\u30a8\\u30e9\\u30fc" in ascii_only.stderr
    assert ascii_only.returncode == shown.returncode


def test_the_wheel_takes_the_catalogues_along() -> None:
    """What the self-contained program unpacks is the wheel."""
    included = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    files = {str(path.relative_to(ROOT)) for path in catalogues.LOCALE.rglob("*.po")}
    assert len(files) == len(catalogues.texts())
    assert files <= included


def test_each_template_has_words_to_recognize_it_by() -> None:
    parts = [template(text) for text in texts("ja") if PARAMETER.search(text)]
    assert [item for item in parts if not translation.tells(item)] == []
