"""The mailbox is read strictly: what is not a request for two digests is refused."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.exchange.mailbox import LONGEST, Answer, parse, read_answer, render
from mstunnel_setup.exchange.releases import Digests

ASKED = Digests(f"sha256:{'a' * 64}", f"sha256:{'b' * 64}")
GOOD = json.loads(render(ASKED))


def test_what_the_agent_writes_the_monitor_reads() -> None:
    assert parse(render(ASKED)) == ASKED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        json.dumps({**GOOD, "command": "rm"}).encode(),
        json.dumps({**GOOD, "serverImageDigest": "latest"}).encode(),
        json.dumps({**GOOD, "serverImageDigest": f"evil.test/x@sha256:{'a' * 64}"}).encode(),
        json.dumps({**GOOD, "agentImageDigest": GOOD["agentImageDigest"] + "\n"}).encode(),
        json.dumps({**GOOD, "mst_use_custom_image": 2}).encode(),
        json.dumps({"serverImageDigest": GOOD["serverImageDigest"]}).encode(),
        render(ASKED) + b" " * LONGEST,
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(StepError) as refused:
        parse(content)
    assert refused.value.code == "upgrade-request-invalid"


@given(st.binary(max_size=300))
def test_no_bytes_bring_more_than_a_refusal(content: bytes) -> None:
    with pytest.raises(StepError):
        parse(content)


def test_an_answer_that_cannot_be_read_is_none() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    answer = Answer(state="done", server=ASKED.server, agent=ASKED.agent, at=moment)
    assert read_answer(answer.model_dump_json().encode()) == answer
    assert read_answer(None) is None
    assert read_answer(b'{"version": 2}') is None
