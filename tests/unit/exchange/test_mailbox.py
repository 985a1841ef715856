"""The mailbox is read strictly; agent and host of different releases understand each other."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, StepError
from mstunnel_setup.exchange.mailbox import (
    CONFIGURATION,
    KINDS,
    UPGRADE,
    AgentRequest,
    Reply,
    ReplyState,
    RequestKind,
    last_reply,
    receive,
    reply_to,
    send,
    write_reply,
)
from mstunnel_setup.exchange.release_catalogue import Digests
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.present import present

IMAGES = Digests(f"sha256:{'a' * 64}", f"sha256:{'b' * 64}")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = json.loads(AgentRequest.to_upgrade(IMAGES).payload)
CONFIGURE = AgentRequest.to_configure({"id": "c1", "network": "10.0.0.0/8"}, "https://intranet.test/")


def test_monitor_reads_the_requests_of_the_agent(files: Files) -> None:
    for request in (AgentRequest.to_upgrade(IMAGES), CONFIGURE):
        assert send(files, request)
        assert not send(files, request), "it lies there already"
        found = present(receive(files, request.kind))
        assert (found.kind, found.payload, found.digest) == (request.kind, request.payload, request.digest)
        assert found.at == files.locate(request.kind.request).stat().st_mtime
        files.remove(request.kind.request)
        assert files.state(request.kind.request) is None
        assert receive(files, request.kind) is None
    assert AgentRequest.to_upgrade(IMAGES).images() == IMAGES
    configuration, probe_url = CONFIGURE.configuration()
    assert (str(configuration.network), probe_url) == ("10.0.0.0/8", "https://intranet.test/")


@pytest.mark.parametrize("kind", KINDS)
def test_request_above_the_limit_is_refused(files: Files, kind: RequestKind) -> None:
    files.write(kind.request, b" " * (kind.largest + 1))
    with pytest.raises(SetupError):
        receive(files, kind)


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
        AgentRequest.to_upgrade(IMAGES).payload + b" " * UPGRADE.largest,
    ],
)
def test_invalid_request_is_refused(content: bytes) -> None:
    with refused(StepError, "upgrade-request-invalid"):
        AgentRequest(UPGRADE, content).images()


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_an_error(content: bytes) -> None:
    with pytest.raises(StepError):
        AgentRequest(UPGRADE, content).images()
    with pytest.raises(SetupError):
        AgentRequest(CONFIGURATION, content).configuration()


STATES: list[tuple[ReplyState, str]] = [
    ("applying", "upgrading"),
    ("accepted", "done"),
    ("failed", "failed"),
    ("refused", "refused"),
]
CONFIGURED: list[tuple[tuple[Any, ...], dict[str, str]]] = [
    (("accepted",), {"state": "accepted", "reason": "", "hint": ""}),
    (
        ("refused", "line 3: bad", "Correct it."),
        {"state": "refused", "reason": "line 3: bad", "hint": "Correct it."},
    ),
]
UPGRADED = {
    "version": 1,
    "server": IMAGES.server,
    "agent": IMAGES.agent,
    "reason": "",
    "at": "2026-01-01T00:00:00Z",
}
REPLIES = [
    *(
        (Reply.to(CONFIGURE, *given), {"version": 1, "digest": CONFIGURE.digest, **written})
        for given, written in CONFIGURED
    ),
    *((Reply.about(IMAGES, state, "", NOW), {**UPGRADED, "state": word}) for state, word in STATES),
]
"""Replies, and how the files of every release so far have them."""


@pytest.mark.parametrize(("reply", "written"), REPLIES)
def test_replies_have_the_format_of_earlier_releases(
    files: Files, reply: Reply, written: dict[str, Any]
) -> None:
    write_reply(files, reply)
    assert json.loads(files.read(reply.kind.reply) or b"") == written
    files.write(reply.kind.reply, json.dumps(written).encode())
    assert last_reply(files, reply.kind) == reply


def test_reply_to_another_request_is_ignored(files: Files) -> None:
    write_reply(files, Reply.to(CONFIGURE, "accepted"))
    assert reply_to(files, CONFIGURE) is not None
    assert reply_to(files, AgentRequest.to_configure({"id": "c2"}, "")) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content",
    [
        *(None, b"", b"{", b"[" * 4000, b'{"version": 2}', b'{"version": 1, "state": "accepted"}'),
        *(b'{"state": []}', b'{"version": 1, "digest": "x", "state": "accepted"}'),
    ],
)
def test_unreadable_reply_is_ignored(files: Files, kind: RequestKind, content: bytes | None) -> None:
    if content is not None:
        files.write(kind.reply, content)
    assert last_reply(files, kind) is None


def test_nothing_is_written_without_a_mailbox(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert not send(files, CONFIGURE)
    write_reply(files, Reply.to(CONFIGURE, "accepted"))
    assert files.state(paths.MESSAGES) is None
