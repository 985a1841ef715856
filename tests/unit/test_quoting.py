"""The quoting rules of templates: what each parser reads is the value, and no value is more than one."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mstunnel_setup.base import rendering
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.readiness.facts.parse import unit_environment
from tests.cases import every
from tests.refusals import refused
from tests.unit.base.test_rendering import sh
from tests.unit.containers.systemd_words import words
from tests.unit.hostile import HOSTILE

Rule = Callable[[str], str]

# No shell reads it differently from another one.
TEXT = st.text(st.characters(exclude_categories=["C"], exclude_characters="\u2028\u2029"), max_size=20)
BREAKS = ("a\nb", "a\r", "\0", "\x1b[1m", "a\udc80")


UNQUOTED = (rendering.plain, rendering.systemd_text, rendering.quadlet, rendering.ocserv)
QUOTED = (
    *(rendering.systemd, rendering.systemd_command, rendering.quadlet_word, rendering.shell),
    rendering.yaml,
)


@every("rule", [*UNQUOTED, *QUOTED])
@every("value", BREAKS)
def test_no_rule_lets_a_line_end_pass(rule: Rule, value: str) -> None:
    with refused(StepError, "value-unquotable"):
        rule(value)


@pytest.mark.parametrize("rule", UNQUOTED)
@pytest.mark.parametrize("value", [" a", "a "])
def test_blanks_that_a_parser_would_drop_are_refused(rule: Rule, value: str) -> None:
    with pytest.raises(StepError, match="blank"):
        rule(value)


@pytest.mark.parametrize("rule", [rendering.systemd_text, rendering.quadlet])
def test_no_value_joins_the_next_line(rule: Rule) -> None:
    with pytest.raises(StepError, match="backslash"):
        rule("a\\")


@pytest.mark.parametrize("value", BREAKS)
def test_what_a_template_prints_without_a_rule_is_one_line(value: str) -> None:
    with pytest.raises(StepError, match="control characters"):
        rendering._environment().from_string("{{ name }}").render(name=value)


@given(TEXT)
@example(HOSTILE)
def test_a_command_line_of_a_unit_has_the_word(value: str) -> None:
    assert words(f"/bin/a {rendering.systemd_command(value)} b") == ["/bin/a", value, "b"]


@given(TEXT)
@example(HOSTILE)
def test_a_unit_has_the_variable(value: str) -> None:
    assert unit_environment(f"[Service]\nEnvironment={rendering.systemd(f'X={value}')}\n") == {"X": value}


@settings(max_examples=50, deadline=None)
@given(TEXT.filter(lambda text: not {"'", "!"} <= set(text)))
@example(HOSTILE)
@example("")
@example("it's")
def test_a_shell_reads_the_word(value: str) -> None:
    assert sh("-c", f"printf %s {rendering.shell(value)}") == value


@given(TEXT)
@example(HOSTILE)
@example("yes")
def test_yaml_has_the_text(value: str) -> None:
    assert YAML(typ="safe").load(f"a: {rendering.yaml(value)}\n") == {"a": value}


def test_shells_differ_about_one_pair_of_characters() -> None:
    with pytest.raises(StepError, match="differently"):
        rendering.shell("it's!")
