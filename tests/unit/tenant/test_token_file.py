"""A token file is read for every use, and checked before its content is sent to Graph."""

from pathlib import Path

import pytest

from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.token_sources import TokenSource, claims, token_file
from tests.refusals import refused
from tests.unit.clocks import START, FakeClock
from tests.unit.tenant.fakes import jwt

NOW = int(START.timestamp())


@pytest.fixture
def file(tmp_path: Path) -> TokenSource:
    return token_file(Files(), str(tmp_path / "token"), FakeClock())


def test_token_file_is_read_for_every_use(file: TokenSource, tmp_path: Path) -> None:
    tmp_path.joinpath("token").write_text("first\n")
    assert file() == "first"

    tmp_path.joinpath("token").write_text(jwt(exp=NOW + 1))
    assert claims(file()) == {"exp": NOW + 1}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "token-missing"),
        (b"", "token-malformed"),
        (b"two words", "token-malformed"),
        (b'{"accessToken":\n"x"}', "token-malformed"),
        (b"\xff\xfe", "token-malformed"),
        (jwt(exp=NOW).encode(), "token-expired"),
    ],
)
def test_invalid_token_file_is_refused(
    file: TokenSource, tmp_path: Path, content: bytes | None, code: str
) -> None:
    if content is not None:
        tmp_path.joinpath("token").write_bytes(content)

    with refused(SignInError, code) as caught:
        file()
    assert "accessToken" not in caught.value.message


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.!!.c", "a.bnVsbA.c", "a.W10.c", "a.\u00e4.c", "a.b.c.d"]
)
def test_token_that_is_not_a_jwt_has_no_claims(token: str) -> None:
    assert claims(token) == {}
