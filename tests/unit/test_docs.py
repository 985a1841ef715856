"""The reference pages that follow from the code are up to date."""

import re
from pathlib import Path

import pytest

from scripts import docs

PAGES = docs.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_committed_page_is_what_make_docs_writes(path: Path) -> None:
    assert path.read_text() == PAGES[path]


def test_no_help_is_wider_than_a_terminal() -> None:
    wide = [line for line in docs.commands().splitlines() if len(line) > 80]
    assert wide == []


def test_codes_are_found_wherever_they_are_made() -> None:
    page = docs.error_codes()
    for code in (
        "eula-declined",  # raised where it happens
        "environment-line-invalid",  # of a class of its own
        "answers-invalid",  # named by the class
        "disk-full",  # from the table of the operating system's errors
        "throttled",  # from the table of Graph's refusals
        "device-code-expired",  # from the table of Entra's refusals
        "key-mismatch",  # from the reader of certificates
        "self-signed",  # a finding about a certificate
    ):
        assert f"| `{code}` |" in page


def test_every_error_says_what_is_wrong() -> None:
    rows = [line for line in docs.error_codes().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if re.match(r"\| `[^`]+` \|\s*\|", row)] == []
