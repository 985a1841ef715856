from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.agent.events import line, problem
from mstunnel_setup.errors import NetworkError


def test_an_error_in_one_line() -> None:
    error = NetworkError("network-timeout", "graph.example did not answer in time", "Check the proxy.")

    assert problem(error) == "network-timeout: graph.example did not answer in time. Check the proxy."


def test_a_token_never_reaches_the_log() -> None:
    assert (
        line("x", "refused: Bearer eyJhbGciOi.eyJvaWQi.c2ln-_g (expired)")
        == "x: refused: Bearer ******** (expired)"
    )


@given(st.text())
def test_one_line_and_no_control_characters(text: str) -> None:
    assert all(character.isprintable() or character.isspace() for character in line("x", text))
    assert len(line("x", text).splitlines()) == 1
