"""Secrets: parse references, and read secrets so that they are redacted in all output."""

from pathlib import Path

import pytest

from mstunnel_setup.answers.secret import SecretReference, reveal
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.io.files import Files
from tests.refusals import refused


def revealed(reference: SecretReference) -> str:
    """Return the secret after checking that it was registered for redaction."""
    protected: list[str] = []
    value = reveal(reference, Files(Path("/nowhere")), protected.append)
    assert protected == [value]
    return value


def _file(path: Path, content: bytes, mode: int = 0o600) -> SecretReference:
    path.write_bytes(content)
    path.chmod(mode)
    return SecretReference("file", str(path))


@pytest.mark.parametrize("text", ["file:/root/x", "env:NAME", "credential:graph.secret"])
def test_reference_is_formatted_as_it_was_parsed(text: str) -> None:
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
def test_invalid_reference_is_refused_and_not_repeated(text: object) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        SecretReference.parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"s3\n", "s3"), (b"s3\r\n", "s3"), (b"s3\n\n", "s3\n"), (b" s3 ", " s3 "), ("é".encode(), "é")],
)
def test_one_final_newline_is_removed_from_a_secret(tmp_path: Path, content: bytes, value: str) -> None:
    assert revealed(_file(tmp_path / "s", content)) == value


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_file_accessible_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    with refused(UsageError, "secret-exposed", "other users can read or change") as caught:
        revealed(_file(tmp_path / "s", b"s3cret", mode))
    assert "chmod 600" in caught.value.hint


def test_mode_of_a_link_target_is_checked(tmp_path: Path) -> None:
    _file(tmp_path / "s", b"s3cret", 0o644)
    (tmp_path / "link").symlink_to("s")
    with pytest.raises(UsageError, match="other users can read"):
        revealed(SecretReference("file", str(tmp_path / "link")))


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 70000])
def test_empty_binary_or_huge_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        revealed(_file(tmp_path / "s", content))
    assert caught.value.code in ("secret-missing", "secret-invalid")


def test_secret_is_read_from_environment_and_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(tmp_path / "graph", b"c3\n", 0o440)
    monkeypatch.setenv("NAME", "e3")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert revealed(SecretReference("env", "NAME")) == "e3"
    assert revealed(SecretReference("credential", "graph")) == "c3"


@pytest.mark.parametrize("text", ["env:GONE", "credential:gone", "file:/gone/away"])
def test_missing_secret_is_reported_with_location_and_hint(text: str) -> None:
    with refused(UsageError, "secret-missing", text) as caught:
        revealed(SecretReference.parse(text))
    assert caught.value.hint.endswith(".")
