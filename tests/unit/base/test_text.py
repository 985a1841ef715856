"""Text from elsewhere, made safe to show: on several lines, on one line, and as an invalid value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.text import plain, printable, quoted


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x00b", "a\u202eb", "a\x9bb", "a\rb"])
def test_control_characters_are_removed(text: str) -> None:
    assert set(printable(text)) <= set("ab[31m")


def test_lines_tabs_and_letters_are_kept() -> None:
    assert printable("a\n\tü日本") == "a\n\tü日本"
    assert printable("a\x1b[31mb\r\nc\x00") == "a[31mb\nc"
    assert printable("\udcff") == "?"


@given(st.text())
def test_plain_text_is_one_printable_line(text: str) -> None:
    shown = plain(text, 50)

    assert len(shown) <= 50
    assert shown.isprintable()
    assert plain(shown, 50) == shown


@pytest.mark.parametrize("blank", ["\n", "\r\n", "\t", "\u2028", "\u00a0", " \x00 ", "\x85"])
def test_plain_text_has_single_spaces(blank: str) -> None:
    assert plain(f" a{blank}b ") == "a b"


def test_plain_text_has_no_invisible_characters() -> None:
    assert plain("a\u202eb\u200bc\x1b[31m\ud800") == "abc[31m"


def test_quoted_value_shows_invisible_characters() -> None:
    assert quoted("10.0.0.1\n10.0.0.2") == "“10.0.0.1�10.0.0.2”"
    assert quoted("x" * 81) == f"“{'x' * 80}…”"
    assert quoted(5) == "“5”"
