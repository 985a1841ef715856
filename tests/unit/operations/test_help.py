"""`mst-cli help TOPIC` and `mst-readiness explain ID`: help on a server without documentation."""

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import WIDTH
from mstunnel_setup.operations import help_topics
from mstunnel_setup.operations.readiness_report import explain
from mstunnel_setup.readiness.checks import CHECKS
from tests.cases import every
from tests.unit.results import lines_of
from tests.unit.test_doc_commands import calls, wrong

CHECK_IDS = [item.id for item in CHECKS]
TOPICS = help_topics.names()


def test_expected_help_topics_exist() -> None:
    assert {"certificates", "sign-in", "images", "upgrades", "recovery"} <= set(TOPICS)
    assert {line.split()[0] for line in lines_of(help_topics.topics())[1:-2]} == set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_topic_fits_a_terminal_and_names_real_commands(topic: str) -> None:
    text = lines_of(help_topics.topic(topic))
    assert max(map(len, text)) <= WIDTH
    found = {
        f"{program} {' '.join(words)}": wrong(program, words) for program, words in calls("\n".join(text))
    }
    assert found
    assert {call: word for call, word in found.items() if word} == {}


def test_unknown_topic_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no help topic certificate; did you mean certificates") as refused:
        help_topics.topic("certificate")
    assert refused.value.hint == f"Use one of: {', '.join(TOPICS)}."


@every("name", CHECK_IDS)
def test_explanation_names_check_reason_and_fix(name: str) -> None:
    text = lines_of(explain(name))
    assert max(map(len, text)) <= WIDTH
    headings = ["Passes when", "Why it matters", "How to fix it"]
    at = [text.index(heading) for heading in headings]
    assert at == sorted(at)
    # Each heading is followed by a complete sentence, without placeholders for values of a run.
    for place in at:
        assert text[place + 1].startswith("  ")
    assert not any("…" in line for line in text[at[1] :])
    assert text[-1].endswith(".")


def test_explanation_lists_each_problem_with_its_fix() -> None:
    text = " ".join(" ".join(lines_of(explain("account-licence"))).split())
    assert "the account has no Intune licence: Assign one" in text


def test_unknown_check_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no check called clok; did you mean clock"):
        explain("clok")
