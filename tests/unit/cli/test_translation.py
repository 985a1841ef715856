"""Texts for people in Japanese: which language is shown, and what is translated."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hatchling.builders.wheel import WheelBuilder

from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.text import WIDTH, Line, fold, joined, text, verbatim, width
from mstunnel_setup.cli.framework import translation
from mstunnel_setup.cli.framework.translation import (
    LANGUAGES,
    language,
    translated,
    translated_lines,
    use,
)
from mstunnel_setup.install.step_list import ORDER
from scripts.develop import texts as catalogues
from tests.cases import every
from tests.unit.cli.conftest import MAIN
from tests.unit.cli.help_pages import COMMANDS, help_of

JAPANESE = {"LANG": "ja_JP.UTF-8"}
ROOT = Path(__file__).parents[3]
PARAMETER = re.compile(r"(?<!\{)\{\w[^{}]*\}")
# These are English terms with those of the vendor's Japanese documentation.
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
# In these product names a term is not translated.
NAMES = re.compile(
    r"Tunnel Gateway|`[^`]*`|--?[a-z][\w-]*|[\w./]*[_./-][\w./-]+|site \{|\{[^{}]*\}|IANA|Entra"
)


@pytest.fixture
def japanese() -> Iterator[None]:
    use("ja")
    yield
    use("en")


def started(words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words.split()],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )


@every(
    "environment, shown",
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
    translation.use("ja")
    translation.select(name, JAPANESE)
    assert translated("error") == "error"


def translations(content: bytes) -> dict[str, str]:
    return {str(item.id): str(item.string) for item in read_po(io.BytesIO(content)) if item.id}


def test_texts_are_found_by_the_calls_that_they_stand_in() -> None:
    source = """
context.note("Nothing was changed.")
context.prompter.confirm(text("Remove {name}?", name=name))
lines = [text("Site"), "a value", response.text("ApiVersion")]
console.choose("Site to join", rows, ("Name", "Servers"))
"""
    assert set(catalogues.called(source)) == {
        "Nothing was changed.",
        "Remove {name}?",
        "Site",
        "Site to join",
        "Name",
        "Servers",
    }


def test_catalogue_follows_new_and_removed_texts() -> None:
    made = catalogues.updated({"Site": "サイト", "no longer used": "未使用"}, ["Site", "a new text"], "ja")
    assert translations(made) == {"Site": "サイト", "a new text": ""}


def test_a_translation_keeps_parameters_commands_and_options() -> None:
    wrong = []
    for english, said in catalogues.read(catalogues.catalogue("ja")).items():
        typed = {*english.split("`")[1::2], *re.findall(r"(?<![\w-])--[a-z][\w-]+|[A-Z]{2}[A-Z_]+=", english)}
        if not all(item in said for item in typed):
            wrong.append(english)
        # With its format: `{seconds:.1f}`.
        if not set(PARAMETER.findall(said)) <= set(PARAMETER.findall(english)):
            wrong.append(english)
    assert wrong == []


@every("term", TERMS)
def test_a_term_is_that_of_the_vendors_documentation(term: str) -> None:
    word = re.compile(rf"\b{term}s?\b", re.IGNORECASE)
    wrong = [
        english
        for english, said in catalogues.read(catalogues.catalogue("ja")).items()
        if word.search(NAMES.sub("", english)) and TERMS[term] not in said
    ]
    assert wrong == []


def test_texts_among_the_values_are_translated_and_names_are_not(japanese: None) -> None:
    reason = text("no answer in time")
    found = declare(UsageError, "x", "cannot pull {image}: {reason}")(image="Site", reason=reason)
    assert translated(found.message) == "Site をプルできません: 時間内に応答がありません"
    assert found.message == "cannot pull Site: no answer in time"


BOTH = joined((text("Correct the path."), text("Run `mst-cli cert check`.")))


@every(
    "english, said",
    [
        (text("a text that {who} wrote", who="nobody"), "a text that nobody wrote"),
        # The output of other programs is never translated.
        ("dial tcp 192.0.2.1:443: i/o timeout", "dial tcp 192.0.2.1:443: i/o timeout"),
        ("Use of this endpoint is not permitted.", "Use of this endpoint is not permitted."),
        # This value says that a program is not installed.
        (
            "neither Podman nor Docker is installed",
            "Podman も Docker もインストールされていません",
        ),
        (text("  done, {seconds:.1f} s", seconds=1.25), "  完了、1.2 秒"),
        (BOTH, "パスを修正してください。`mst-cli cert check` を実行してください。"),
    ],
)
def test_a_text_that_has_a_translation_is_shown_in_it(english: str, said: str, japanese: None) -> None:
    assert translated(english) == said


def test_several_texts_are_one_in_english() -> None:
    assert BOTH == "Correct the path. Run `mst-cli cert check`."


def test_what_programs_read_is_never_translated(japanese: None) -> None:
    lines = verbatim("# Usage:\nerror: no such host")
    assert list(translated_lines(lines)) == lines


def test_columns_line_up_by_the_width_of_the_characters(japanese: None) -> None:
    rows = [("Site", "testbed"), ("Certificate", text("{days} days left", days=12)), ("Version", "1.0")]
    shown = list(translated_lines(Line(f"{name:12} {value!s}", name, value) for name, value in rows))
    assert shown == ["サイト      testbed", "証明書      残り 12 日", "バージョン  1.0"]


def test_full_width_text_is_folded_at_eighty_columns() -> None:
    text = "ゲートウェイの構成をテストし、" * 12 + "`mst-cli status` を実行してください。"
    parts = fold(text)
    assert "".join(part.strip() for part in parts) == text.replace("。 ", "。")
    assert max(map(width, parts)) <= WIDTH
    assert all(not part.strip().startswith(("、", "。", "ー")) for part in parts)


@every("command", COMMANDS)
def test_help_in_japanese_fits_eighty_columns(command: str, japanese: None) -> None:
    assert [line for line in help_of(command) if width(line) > WIDTH] == []


def test_the_help_of_steps_is_the_same_table(japanese: None) -> None:
    shown = started("mstunnel-setup steps", **JAPANESE).stdout.decode().splitlines()
    assert shown[0] == "eula         ライセンスと使用条件"
    assert [line.split()[0] for line in shown[: len(ORDER)]] == [step.name for step in ORDER]


# Runs one command line after the other, and prints what each has shown with its exit code.
EACH = """
import json, os, sys, tempfile
from mstunnel_setup.cli.dispatch import main
found, terminal = [], os.dup(1)
for line in sys.argv[1:]:
    sys.argv = line.split()
    with tempfile.TemporaryFile() as shown:
        os.dup2(shown.fileno(), 1)
        try:
            code = main()
        except SystemExit as ended:
            code = ended.code
        sys.stdout.flush()
        shown.seek(0)
        found.append([line, shown.read().decode(), code])
os.dup2(terminal, 1)
print(json.dumps(found))
"""
LINES = (
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
)


def test_json_does_not_change_with_the_language(tmp_path: Path) -> None:
    """The exit code is the same, too."""
    lines = [f"{words} --output json --root {tmp_path}" for words in LINES]
    english, japanese = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", EACH, *lines],
                env={"PATH": os.defpath, "LANG": name},
                capture_output=True,
                check=True,
                timeout=120,
            ).stdout
        )
        for name in ("C.UTF-8", "ja_JP.UTF-8")
    )
    assert [line for line, shown, _ in english if not json.loads(shown)] == []
    assert english == japanese


def test_a_missing_locale_of_the_host_is_no_obstacle() -> None:
    """Python writes UTF-8 where the locale is not installed; another encoding gets escapes, no error."""
    shown = started("mst-cli status --root /nowhere", **JAPANESE)
    assert "エラー" in shown.stderr.decode()
    ascii_only = started("mst-cli status --root /nowhere", **JAPANESE, PYTHONIOENCODING="ascii")
    assert b"\\u30a8\\u30e9\\u30fc" in ascii_only.stderr
    assert ascii_only.returncode == shown.returncode


def test_the_wheel_takes_the_catalogues_along() -> None:
    """The self-contained program unpacks the wheel, so the catalogues must be in it."""
    included = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    compiled = {str(catalogues.catalogue(name).with_suffix(".mo").relative_to(ROOT)) for name in LANGUAGES}
    assert compiled <= included
