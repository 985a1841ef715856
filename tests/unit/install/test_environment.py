"""Step `environment`: env.sh gets proxies and answers, and keeps the administrator's lines."""

from typing import Any

import pytest

from mstunnel_setup.actions.files import CopyFile, WriteFile
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import ExitCode, UsageError, WaitingError
from mstunnel_setup.gateway import env_file
from mstunnel_setup.gateway.env_file import EnvironmentFileError
from mstunnel_setup.install.steps import environment
from mstunnel_setup.transaction.step import Step
from tests.refusals import refused
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.install.scenes import Scene

_PROFILE = "/etc/profile.d/http_proxy.sh"


@pytest.fixture(autouse=True)
def directory(scene: Scene) -> None:
    """Create the directory that the step `eula` creates."""
    scene.files.make_directory(paths.CONFIGURATION)
    scene.prompter.interactive = False


def _install(scene: Scene, **answers: Any) -> dict[str, str]:
    scene.run(environment.STEP, scene.opened(**answers))
    return _settings(scene)


def _settings(scene: Scene) -> dict[str, str]:
    return env_file.parse((scene.files.read(paths.ENVIRONMENT) or b"").decode(), "env.sh")


def _edit(scene: Scene, old: str, new: str) -> None:
    """Edit `env.sh` as an administrator does."""
    text = (scene.files.read(paths.ENVIRONMENT) or b"").decode()
    assert old in text
    scene.files.write(paths.ENVIRONMENT, text.replace(old, new).encode(), 0o640)


def test_the_password_of_a_proxy_is_shown_nowhere(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:new%2Fpass@proxy:3128")
    scene.files.write(paths.ENVIRONMENT, b"http_proxy=http://user:old//pass:@proxy:3128\n", 0o640)
    _install(scene)
    assert {"old//pass:", "new%2Fpass", "new/pass"} <= set(scene.secrets)


def test_a_bare_host_gets_the_template(scene: Scene) -> None:
    assert _install(scene) == {}
    assert scene.files.read(paths.ENVIRONMENT) == rendering.render("gateway/env.sh", settings={}).encode()
    modes = {path: scene.files.state(path) for path in (paths.PRIVATE, paths.CERTIFICATES, paths.ENVIRONMENT)}
    assert [state.mode if state else None for state in modes.values()] == [0o710, 0o755, 0o640]


def test_proxies_of_the_shell_are_written_in_both_cases(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.example.org")
    proxy, none = "http://proxy:3128", "localhost,.example.org"
    assert _install(scene) == {
        "https_proxy": proxy,
        "HTTPS_PROXY": proxy,
        "no_proxy": none,
        "NO_PROXY": none,
    }


def test_only_proxy_lines_of_profile_d_are_read(scene: Scene) -> None:
    scene.write(_PROFILE, '# ours\nexport HTTP_PROXY="http://p:1"\nif true; then\n  id\nfi\nno_proxy=$X\n')
    assert _install(scene) == {"http_proxy": "http://p:1", "HTTP_PROXY": "http://p:1"}


def test_a_profile_that_cannot_be_read_names_no_proxy(scene: Scene) -> None:
    """A file that only root can read may exist when the account of a rootless gateway runs."""
    scene.files.make_directories(_PROFILE)
    assert _install(scene) == {}


def test_proxy_written_by_an_earlier_run_is_not_an_admin_setting(scene: Scene) -> None:
    text = "export http_proxy=http://gone:1\n"
    scene.files.make_directories("/etc/profile.d")
    writing: Step[Any, Any] = Step(
        "proxy", "", lambda _run: None, lambda _facts: [WriteFile(path=_PROFILE, text=text)]
    )
    scene.run(writing, scene.opened())
    assert "http_proxy" not in _install(scene)
    scene.write(_PROFILE, text.replace("gone", "theirs"))
    assert _install(scene)["http_proxy"] == "http://theirs:1"


def test_the_shell_wins_over_profile_d_and_the_answers_over_both(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(_PROFILE, "http_proxy=http://profile:1\nhttps_proxy=http://profile:1\n")
    monkeypatch.setenv("http_proxy", "http://shell:1")
    monkeypatch.setenv("no_proxy", "shell")
    found = _install(scene, environment={"no_proxy": "answer", "TRACE_SESSIONS": "1"})
    assert found["http_proxy"] == "http://shell:1"
    assert found["https_proxy"] == "http://profile:1"
    assert (found["no_proxy"], found["TRACE_SESSIONS"]) == ("answer", "1")


@pytest.mark.parametrize("earlier", ["shell", "profile.d"])
def test_proxy_of_the_shell_overrides_the_file_in_either_case(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, earlier: str
) -> None:
    if earlier == "shell":
        monkeypatch.setenv("https_proxy", "http://old:1")
    else:
        scene.write(_PROFILE, "https_proxy=http://old:1\n")
    old, new = ({"https_proxy": value, "HTTPS_PROXY": value} for value in ("http://old:1", "http://new:1"))
    assert _install(scene) == old

    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://new:1")
    assert _install(scene) == new


def test_a_second_run_changes_nothing_but_what_is_answered_anew(scene: Scene) -> None:
    both = {"TRACE_SESSIONS": "1", "DEBUG_LEVEL": "2"}
    _install(scene, environment=both)
    assert scene.run(environment.STEP, scene.opened(environment=both)) == ()
    assert _install(scene, environment={"TRACE_SESSIONS": "2"}) == {"TRACE_SESSIONS": "2"}


def test_devices_reach_each_other_only_while_that_is_answered(scene: Scene) -> None:
    assert _install(scene) == {}
    assert _install(scene, client_to_client=True) == {"CLIENT_TO_CLIENT": "true"}
    assert _install(scene, client_to_client=False) == {}


@pytest.mark.parametrize("first", [True, False], ids=["after a run", "before any run"])
def test_lines_of_an_administrator_survive_every_later_run(scene: Scene, *, first: bool) -> None:
    if first:
        _install(scene, environment={"A": "1"})
    scene.files.write(
        paths.ENVIRONMENT, (scene.files.read(paths.ENVIRONMENT) or b"") + b"# why\nMINE=9\n", 0o640
    )
    for value in ("1", "2", "2", "3"):
        assert _install(scene, environment={"A": value}) == {"A": value, "MINE": "9"}
    assert b"# why\n" in (scene.files.read(paths.ENVIRONMENT) or b"")


@pytest.mark.parametrize(("old", "new", "left"), [("A=1", "A=9", {"A": "9"}), ("A=1\n", "", {})])
def test_line_edited_or_removed_by_an_administrator_stays_so(
    scene: Scene, old: str, new: str, left: dict[str, str]
) -> None:
    _install(scene, environment={"A": "1", "B": "1"})
    _edit(scene, old, new)
    for value in ("1", "2", "3", "9", "4"):
        assert _install(scene, environment={"A": "1", "B": value}) == {**left, "B": value}


@pytest.mark.parametrize("edited", ["http_proxy", "HTTP_PROXY"])
def test_proxy_edited_in_one_case_applies_to_both_cases(scene: Scene, edited: str) -> None:
    _install(scene, environment={"http_proxy": "http://old:1"})
    _edit(scene, f"\n{edited}=http://old:1", f"\n{edited}=http://new:1")
    both = {"http_proxy": "http://new:1", "HTTP_PROXY": "http://new:1"}
    for _ in range(3):
        assert _install(scene, environment={"http_proxy": "http://old:1"}) == both


def test_run_killed_after_writing_still_recognizes_its_lines(scene: Scene) -> None:
    _install(scene, environment={"A": "1", "B": "1"})
    run = scene.opened(environment={"A": "2", "B": "2"})
    for action in environment.STEP.decide(environment.STEP.gather(run)):
        if isinstance(action, WriteFile):
            action.apply(run.host, {})
    assert _install(scene, environment={"A": "2", "B": "2"}) == {"A": "2", "B": "2"}
    assert _install(scene, environment={"A": "3"}) == {"A": "3"}


@pytest.mark.parametrize("content", [b"# Schl\xfcssel\nA=1\n", b"A=$(id)\n"], ids=["not UTF-8", "command"])
def test_undecodable_file_stops_the_run_before_any_write(scene: Scene, content: bytes) -> None:
    """A comment in another encoding must not be rewritten with replacement characters."""
    scene.write(paths.ENVIRONMENT, content)
    with pytest.raises(EnvironmentFileError, match="line 1") as caught:
        _install(scene)
    assert caught.value.exit_code is ExitCode.STEP
    assert scene.files.read(paths.ENVIRONMENT) == content
    assert scene.files.state(paths.PRIVATE) is None


def test_a_root_of_the_tenant_is_copied(scene: Scene) -> None:
    ca_file = scene.write("/root/ca.pem", "a root\n")
    facts = environment.STEP.gather(scene.opened(tenant__ca_file=str(ca_file)))
    copies = [action for action in environment.STEP.decide(facts) if isinstance(action, CopyFile)]
    assert [(copy.source, copy.path) for copy in copies] == [
        (str(ca_file), f"{paths.CA_TRUST}/tenant-ca.crt")
    ]


def test_person_may_stop_to_edit_the_file_and_is_asked_once(scene: Scene) -> None:
    scene.prompter.interactive, scene.prompter.typed = True, ["stop", ""]
    with refused(WaitingError, "environment-to-edit"):
        _install(scene)
    _install(scene)
    _install(scene)
    assert len(scene.prompter.asked) == 2


def test_person_sees_where_settings_are_and_what_each_is_for(scene: Scene) -> None:
    scene.prompter.interactive, scene.prompter.typed = True, [""]
    _install(scene, environment={"TRACE_SESSIONS": "1", "OWN": "2"})
    first, *rows = scene.prompter.said[0].splitlines()
    assert paths.ENVIRONMENT in first
    assert [row.split()[0] for row in rows] == [
        *("http_proxy", "https_proxy", "no_proxy", "TRACE_SESSIONS", "DEBUG_LEVEL", "CLIENT_TO_CLIENT"),
        "OWN",
    ]
    assert rows[3].split()[-1] == "1"
    assert "access log: 1, or 2 with DNS connections" in rows[3]
    assert rows[4].endswith("not set")
    assert max(map(len, rows)) <= 80


def test_edits_made_during_the_run_are_used(scene: Scene) -> None:
    run = scene.opened()
    scene.prompter.interactive = True
    scene.prompter.ask = lambda *_arguments, **_options: edit(scene, "TRACE_SESSIONS=2\n")  # type: ignore[method-assign]
    scene.run(environment.STEP, run)
    assert environment.settings(run) == {"TRACE_SESSIONS": "2"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("TRACE_SESSIONS=7", "TRACE_SESSIONS"),
        ("TRACE_SESSIONS", "line 1"),
        ("http_proxy=a", "http_proxy"),
    ],
)
def test_error_in_the_file_is_reported_before_it_is_used(scene: Scene, line: str, said: str) -> None:
    lines = [f"{line}\n", "DEBUG_LEVEL=1\n"]
    scene.prompter.interactive = True
    scene.prompter.ask = lambda *_arguments, **_options: edit(scene, lines.pop(0))  # type: ignore[method-assign]
    run = scene.opened()
    scene.run(environment.STEP, run)
    assert lines == []
    assert said in scene.prompter.said[1]
    assert scene.prompter.said[1].count(paths.ENVIRONMENT) == 1
    assert environment.settings(run) == {"DEBUG_LEVEL": "1"}


def edit(scene: Scene, text: str) -> str:
    """Change the file in another terminal, then press Enter."""
    scene.write(paths.ENVIRONMENT, text)
    return ""


def test_later_steps_of_a_plan_see_the_file_before_it_is_written(scene: Scene) -> None:
    run = scene.opened(environment={"A": "1"})
    facts = environment.STEP.gather(run)
    written = [action for action in environment.STEP.decide(facts) if isinstance(action, WriteFile)]
    assert environment.content(run) == written[0].text.encode()
    assert scene.files.state(paths.ENVIRONMENT) is None


@pytest.mark.parametrize("code", ["ca-file-missing", "ca-file-with-key"])
def test_missing_root_and_root_with_its_key_are_refused(scene: Scene, code: str) -> None:
    """All users can read the copy below ca-trust, so it must not contain a key."""
    ca_file = scene.write("/root/ca.pem", Pki().pem("root") + key_bytes("p256"))
    if code == "ca-file-missing":
        ca_file.unlink()
    with refused(UsageError, code):
        environment.STEP.gather(scene.opened(tenant__ca_file=str(ca_file)))


def test_roots_given_as_text_are_written_for_the_containers(scene: Scene) -> None:
    """`--lab` passes the roots as text, without a file."""
    pem = Pki().pem("root").decode()
    _install(scene, tenant__ca_pem=pem)
    assert scene.files.read(f"{paths.CA_TRUST}/tenant-ca.crt") == pem.encode()
    scene.undo()
    assert scene.files.state(f"{paths.CA_TRUST}/tenant-ca.crt") is None
