"""Programs run without a shell, in a clean environment, with a time limit."""

import json
import sys

import pytest

from mstunnel_setup.host.process import ProcessError, Processes

_SHOW_ENVIRONMENT = [sys.executable, "-c", "import json,os;print(json.dumps(dict(os.environ)))"]


def test_children_get_an_allow_listed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSTUNNEL_SECRET_CANARY", "canary")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    environment = json.loads(Processes().run(_SHOW_ENVIRONMENT, timeout=20).output)
    assert "MSTUNNEL_SECRET_CANARY" not in environment
    assert environment["https_proxy"] == "http://proxy:3128"
    assert environment["LC_ALL"] == "C.UTF-8"


def test_secrets_go_through_standard_input() -> None:
    assert Processes().run(["cat"], timeout=5, stdin=b"secret").output == "secret"


def test_a_shell_never_sees_arguments() -> None:
    assert Processes().run(["echo", "$HOME; `id`"], timeout=5).output == "$HOME; `id`\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no-such-program-anywhere"], "program-missing"),
        (["sleep", "5"], "program-timeout"),
        (["false"], "program-failed"),
        (["/etc/passwd"], "program-failed"),
    ],
)
def test_failures_are_named(arguments: list[str], code: str) -> None:
    with pytest.raises(ProcessError) as caught:
        Processes().run(arguments, timeout=0.3)
    assert caught.value.code == code


def test_exit_code_is_a_value_when_not_checked() -> None:
    assert Processes().run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=5, check=False) == (
        Processes().run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=5, check=False)
    )
    assert Processes().run(["sh", "-c", "exit 3"], timeout=5, check=False).code == 3
