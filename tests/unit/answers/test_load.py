"""The answer file: valid files are parsed, and all problems of others are reported."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstunnel_setup.answers.load import load, parse
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.base.errors import ExitCode, UsageError
from tests.cases import every
from tests.refusals import refused

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))


@every("path", BAD)
def test_all_problems_of_a_bad_file_are_reported_with_position(path: Path) -> None:
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    with pytest.raises(UsageError) as caught:
        parse(path.read_bytes(), "answers.yaml")
    assert (caught.value.code, caught.value.exit_code) == ("answers-invalid", ExitCode.USAGE)
    problems = caught.value.message.splitlines()
    assert len(problems) == len(expected)
    for problem, part in zip(problems, expected, strict=True):
        assert problem.startswith("answers.yaml:")
        assert part in problem
    assert "hunter2secret" not in caught.value.message + caught.value.hint


def test_full_example_file_is_parsed() -> None:
    loaded = parse((HERE / "good" / "full.yaml").read_bytes(), "answers.yaml")
    answers = loaded.answers
    assert answers.eula == "accept"
    assert answers.tenant.authority == "https://login.lab.example:8443"
    assert answers.tenant.issuer == "https://login.lab.example:8443/tenant/"
    assert answers.sign_in.client_secret == SecretReference("file", "/root/secret")
    assert answers.sign_in.client_id == "11111111-2222-3333-4444-55555555555a"
    assert answers.site == "München"
    assert answers.images.archive == ("/root/images.tar",)
    assert loaded.positions["tenant", "cloud"] == (7, 10)
    token = answers.token
    assert (token.version, token.scope, token.maximum_lifetime) == ("1", "Tunnel.Use", 7200)
    assert token.clients == ("22222222-2222-3333-4444-55555555555b",)
    assert token.required_claims == {"acct": 0, "xms_cc": "1"}
    # The values of variables keep their spelling in the file.
    assert answers.environment == {
        "https_proxy": "http://proxy:3128",
        "no_proxy": "localhost,10.0.0.0/8",
        "TRACE_SESSIONS": "1",
        "A": "true",
        "B": "010",
        "C": "1.50",
        "D": "yes",
    }


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\n",
        "\ufeffversion: 1\n",
        "version: 1\r\nsite: x\r\n",
        "version: 1\ntenant:\nenvironment:\n",
        "version: 1\nsite: 4711\n",
        "version: 1\nenvironment: &e {A: 1}\n",
        '{"version": 1, "site": "JSON is YAML"}',
        "version: 1\nimages: {archive: [/a.tar, /b.tar]}\n",
    ],
)
def test_minimal_files_are_valid(text: str) -> None:
    assert parse(text.encode(), "x").answers.version == 1


def test_error_names_missing_file(tmp_path: Path) -> None:
    with refused(UsageError, "answers-unreadable", r"nothing\.yaml cannot be read: No such file"):
        load(tmp_path / "nothing.yaml")


def test_device_directory_and_huge_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"#" * ((1 << 20) + 1))
    for path in (Path("/dev/zero"), tmp_path, tmp_path / "big.yaml"):
        with pytest.raises(UsageError, match="at most 1 MiB"):
            load(path)


def test_loaded_answers_have_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("version: 1\nsite: 4711\n")
    loaded = load(path)
    assert (loaded.name, loaded.answers.site) == (str(path), "4711")


_KEYS = st.sampled_from(
    ["version", "site", "tenant", "cloud", "sign_in", "method", "certificate", "pfx", "images"]
)
_SCALARS = st.sampled_from(
    ["1", "", "~", "true", "custom", "/a", "file:/x", "*a", "&a 1", "!!int x", "'q", "[", "{}"]
)
_LINES = st.builds(
    lambda indent, key, value: f"{' ' * indent}{key}: {value}", st.integers(0, 6), _KEYS, _SCALARS
)


ANY_BYTES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")),
    st.text("[]{}:,&*!|>'\"%@`#?-\n\t a1\\", max_size=80).map(str.encode),
    st.lists(_LINES, max_size=12).map(lambda lines: "\n".join(["version: 1", *lines]).encode()),
)


@settings(max_examples=300)
@given(ANY_BYTES)
def test_any_bytes_are_parsed_or_raise_a_usage_error(content: bytes) -> None:
    try:
        loaded = parse(content, "fuzz.yaml")
    except UsageError as error:
        assert error.message.startswith("fuzz.yaml:")  # noqa: PT017 (not raising is fine too)
    else:
        assert loaded.answers.version == 1


@pytest.mark.parametrize(
    "section", sorted({setting.path.partition(".")[0] for setting in SETTINGS if "." in setting.path})
)
def test_section_may_be_empty(section: str) -> None:
    assert parse(f"version: 1\n{section}:\n".encode(), "gw1.yaml").answers == AnswerFile(version=1)
