"""The commands accept the examples of the how-to pages."""

import re
from pathlib import Path

import pytest

from mst_admin.apply import parse_declarations
from mst_admin.objects.profile import ProfileFile
from mst_admin.objects.profile_rules import judge_profile
from mstunnel_setup.answers.document import parse_as
from mstunnel_setup.answers.load import parse

PAGES = Path(__file__).parents[4] / "docs/how-to"


def _examples(page: str) -> list[str]:
    found = re.findall(r"^( *)```yaml\n(.*?)^ *```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


# The app on the page is an excerpt of declarations.
@pytest.mark.parametrize("example", [text for text in _examples("vpn-profiles.md") if "version: 1" in text])
def test_a_profile(example: str) -> None:
    _, profile = parse_as(ProfileFile, example.replace("{pac_url: …}", "").encode(), "example", "profiles")
    assert [finding.code for finding in judge_profile(profile) if finding.fatal] == []


@pytest.mark.parametrize("example", _examples("declare-a-tenant.md"))
def test_declarations(example: str) -> None:
    declared = parse_declarations([("example.yaml", example.encode())]).objects
    assert (len(declared.configurations), len(declared.sites), len(declared.profiles)) == (1, 1, 1)
    assert (len(declared.apps), len(declared.app_configurations), len(declared.mam)) == (1, 1, 1)


@pytest.mark.parametrize("example", _examples("sign-in.md"))
def test_answers(example: str) -> None:
    assert "identity" in parse(f"version: 1\n{example}".encode(), "answers.yaml").answers.model_fields_set


@pytest.mark.parametrize("example", _examples("unattended.md"))
def test_a_whole_answer_file(example: str) -> None:
    assert parse(example.encode(), "answers.yaml").answers.site == "Berlin"
