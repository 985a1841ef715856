"""Programs run without a shell, in a clean environment, with a time limit."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest

from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Completed, Processes
from tests.refusals import refused

_SHOW_ENVIRONMENT = [sys.executable, "-c", "import json,os;print(json.dumps(dict(os.environ)))"]


def test_children_get_an_allow_listed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSTUNNEL_SECRET_CANARY", "canary")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    environment = json.loads(Processes().run(_SHOW_ENVIRONMENT, timeout=20).output)
    assert "MSTUNNEL_SECRET_CANARY" not in environment
    assert environment["https_proxy"] == "http://proxy:3128"
    assert environment["LC_ALL"] == "C.UTF-8"


def test_lines_arrive_at_once_and_closing_ends_the_program() -> None:
    lines = Processes().lines(["sh", "-c", "echo one; echo two >&2; exec sleep 60"])
    started = time.monotonic()
    assert [next(lines), next(lines)] == ["one", "two"]
    cast("Generator[str]", lines).close()
    assert time.monotonic() - started < 20


def test_failure_of_a_program_follows_its_lines() -> None:
    lines = Processes().lines(["sh", "-c", "echo one; echo no such container >&2; exit 125"])
    assert [next(lines), next(lines)] == ["one", "no such container"]
    with pytest.raises(ProcessError) as caught:
        next(lines)
    assert caught.value.message.endswith("exited with code 125: no such container")
    with pytest.raises(ProcessError):
        list(Processes().lines(["no-such-program-anywhere"]))


def test_arguments_are_literal_and_standard_input_is_passed_on() -> None:
    assert Processes().run(["echo", "$HOME; `id`"], timeout=5).output == "$HOME; `id`\n"
    assert Processes().run(["cat"], timeout=5, stdin=b"secret").output == "secret"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no-such-program-anywhere"], "program-missing"),
        (["sleep", "5"], "program-timeout"),
        (["false"], "program-failed"),
        (["/etc/passwd"], "program-not-started"),
    ],
)
def test_failures_have_their_error_codes(arguments: list[str], code: str) -> None:
    with refused(ProcessError, code):
        Processes().run(arguments, timeout=0.3)


def test_exit_code_is_a_value_when_not_checked() -> None:
    done = Processes().run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=5, check=False)
    assert done == Completed(3, "out\n", "err\n")


def test_attend_captures_only_standard_output() -> None:
    command = ["sh", "-c", "echo kept; echo shown >&2; exit 3"]
    done = Processes().attend(command)
    assert (done.code, done.output, done.error) == (3, "kept\n", "")


def test_attended_program_gets_large_input() -> None:
    given = b"x" * 300_000
    assert Processes().attend(["wc", "-c"], given).output.strip() == "300000"


def test_attended_program_may_ignore_its_input() -> None:
    assert Processes().attend(["sh", "-c", "exit 1"], b"x" * 300_000).code == 1


def test_attended_program_keeps_the_users_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that only output for the program is in English."""
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    command = ["sh", "-c", "echo $LANG $LC_ALL"]
    assert Processes().attend(command).output == "ja_JP.UTF-8\n"
    assert Processes().run(command, timeout=10).output == "C.UTF-8\n"


def test_signal_ends_the_attended_program_first(tmp_path: Path) -> None:
    """Check that its end is awaited, so that no process is left running."""
    on_term = f"trap 'sleep 0.3; echo done >{tmp_path}/end; exit' TERM"
    script = f"{on_term}; echo >{tmp_path}/up; while :; do sleep 0.05; done"

    def interrupt() -> None:
        while not (tmp_path / "up").exists():
            time.sleep(0.02)
        # The child must have started, which cannot be seen; before that, Python loses the signal.
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        Processes().attend(["sh", "-c", script])
    assert (tmp_path / "end").read_text() == "done\n"


def test_missing_attended_program_is_reported() -> None:
    with refused(ProcessError, "program-not-started"):
        Processes().attend(["no-such-program-anywhere"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
def test_becoming_an_account_leaves_nothing_of_root(tmp_path: Path) -> None:
    """Check user ids, groups, environment, and a working directory that the account cannot enter."""
    numbers = "os.getresuid(), os.getresgid(), os.getgroups(), dict(os.environ)"
    pipe = "open(int(os.environ.pop('MSTUNNEL_VARIABLES_FD'))).read()"
    shown = f"import os, json; sent = {pipe}; print(json.dumps([{numbers}, sent]))"
    script = (
        "from mstunnel_setup.io.accounts import Account\n"
        "from mstunnel_setup.io.process import Completed, Processes\n"
        "account = Account('nobody', 65534, 65534, '/')\n"
        f"Processes().become(account, ['/usr/bin/python3', '-c', {shown!r}], {{'HOME': '/'}})\n"
    )
    (tmp_path / "closed").mkdir(mode=0o700)
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path / "closed",
        env={"PYTHONPATH": str(root), "SECRET": "canary"},
        capture_output=True,
        check=True,
    )
    uids, gids, groups, environment, sent = json.loads(done.stdout)
    assert (set(uids), set(gids), groups) == ({65534}, {65534}, [65534])
    assert environment.pop("LC_CTYPE", "C.UTF-8")
    assert (environment, sent) == ({}, "HOME=/\0")


def test_replaced_process_gets_a_clean_or_a_given_environment() -> None:
    script = (
        "import sys\n"
        "from mstunnel_setup.io.process import Completed, Processes\n"
        f"Processes().replace({_SHOW_ENVIRONMENT!r}, *map(eval, sys.argv[1:]))\n"
    )

    def environment(*given: str) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", script, *given],
            env={**os.environ, "NOTIFY_SOCKET": "/run/notify"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return dict(json.loads(done.stdout))

    assert "NOTIFY_SOCKET" not in environment()
    assert environment("{'NOTIFY_SOCKET': '/other'}").items() >= {("NOTIFY_SOCKET", "/other")}
    assert "PATH" not in environment("{'NOTIFY_SOCKET': '/other'}")


def test_held_input_is_empty_and_stays_open() -> None:
    script = (
        "from mstunnel_setup.io.process import Processes\n"
        "for line in Processes().lines(['sh', '-c', 'echo $$; exec cat'], held_input=True):\n"
        "    print(line, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        reader = Path("/proc", holder.stdout.readline().strip())
        time.sleep(0.2)
        assert (reader / "comm").read_text() == "cat\n"
        holder.kill()
        assert holder.stdout.read() == ""
    limit = time.monotonic() + 10
    while reader.exists() and time.monotonic() < limit:
        time.sleep(0.01)
    assert not reader.exists()
