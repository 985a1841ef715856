"""Secrets: references, how they are resolved, and that they never show."""

import copy
import pickle
from pathlib import Path

import pytest

from mstunnel_setup.answers.secret import Secret, SecretReference, resolve
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.io.files import Files
from tests.refusals import refused


def _file(path: Path, content: bytes, mode: int = 0o600) -> SecretReference:
    path.write_bytes(content)
    path.chmod(mode)
    return SecretReference("file", str(path))


@pytest.mark.parametrize("text", ["file:/root/x", "env:NAME", "credential:graph.secret"])
def test_a_reference_is_written_as_it_is_read(text: str) -> None:
    assert str(SecretReference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "file:",
        "file:x",
        "file:/x/",
        "env:1X",
        "credential:../x",
        "credential:..",
        "FILE:/x",
        7,
        None,
    ],
)
def test_what_is_no_reference_is_refused_without_being_repeated(text: object) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        SecretReference.parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"s3\n", "s3"), (b"s3\r\n", "s3"), (b"s3\n\n", "s3\n"), (b" s3 ", " s3 "), ("é".encode(), "é")],
)
def test_one_newline_at_the_end_is_not_part_of_it(tmp_path: Path, content: bytes, value: str) -> None:
    assert resolve(_file(tmp_path / "s", content), Files(), {}).reveal() == value


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    with refused(UsageError, "secret-exposed", "other users can read or change") as caught:
        resolve(_file(tmp_path / "s", b"s3cret", mode), Files(), {})
    assert "chmod 600" in caught.value.hint


def test_what_a_link_leads_to_is_judged(tmp_path: Path) -> None:
    _file(tmp_path / "s", b"s3cret", 0o644)
    (tmp_path / "link").symlink_to("s")
    with pytest.raises(UsageError, match="other users can read"):
        resolve(SecretReference("file", str(tmp_path / "link")), Files(), {})


def test_files_are_below_the_root(tmp_path: Path) -> None:
    _file(tmp_path / "s", b"s3cret")
    assert resolve(SecretReference("file", "/s"), Files(tmp_path), {}).reveal() == "s3cret"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 70000])
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(_file(tmp_path / "s", content), Files(), {})
    assert caught.value.code in ("secret-missing", "secret-invalid")


def test_environment_and_credentials(tmp_path: Path) -> None:
    _file(tmp_path / "graph", b"c3\n", 0o440)
    environment = {"NAME": "e3", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert resolve(SecretReference("env", "NAME"), Files(), environment).reveal() == "e3"
    assert resolve(SecretReference("credential", "graph"), Files(), environment).reveal() == "c3"


@pytest.mark.parametrize("text", ["env:GONE", "credential:gone", "file:/gone/away"])
def test_a_missing_secret_names_its_place_and_the_way_out(text: str) -> None:
    with refused(UsageError, "secret-missing", text) as caught:
        resolve(SecretReference.parse(text), Files(), {})
    assert caught.value.hint.endswith(".")


def test_a_secret_shows_as_stars_and_is_not_written_anywhere() -> None:
    secret = Secret("hunter2")
    assert [repr(secret), str(secret), f"{secret}", str([secret])] == ["********"] * 3 + ["[********]"]
    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert secret != "hunter2"
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be serialized"):
            write(secret)
