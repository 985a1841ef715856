"""The screens of an installation, of later commands and of frequent errors, in both languages.

Each file in `screens/` shows a screen in English and in Japanese, to be read by a person: a change of a text
is a change of a file. `python -m tests.unit.cli.test_screens` writes them again.
"""

import io
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.options import OutputFormat
from mstunnel_setup.cli.framework.render import Renderer, run_app
from mstunnel_setup.cli.framework.translation import use
from mstunnel_setup.cli.readiness import app as readiness
from mstunnel_setup.containers.engine import ENGINE_MISSING, ENGINE_NOT_RUNNING
from mstunnel_setup.operations.readiness_report import lines
from mstunnel_setup.readiness.checks import CHECKS, judge
from scripts.bundle import package_data
from tests.crash import kernel
from tests.crash.arena import Arena, Ended
from tests.testbed.certificates import Authority
from tests.unit.readiness.known import BROKEN, facts

SCREENS = Path(__file__).with_name("screens")
LANGUAGES = {"en": "English", "ja": "日本語"}
Screens = Mapping[str, str]
# These values differ from run to run.
_VOLATILE = (
    (re.compile(re.escape(__version__)), "1.2.3"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d+\.\d (s|秒)\b"), r"0.0 \1"),
    (re.compile(r"(ポート|[Pp]ort|ListenPort:) +\d{5}"), r"\1 PORT"),
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "LAB"),
    (re.compile(r"[0-9a-f]{32,}(-[0-9a-f]{16})?"), "DIGEST"),
    (re.compile(r"gw1 [0-9a-f]{8}"), "gw1 DIGEST"),
    # The licence terms and the files of a plan are the same in every language.
    (re.compile(r"LICENCE AND TERMS.*?of the project\.\n", re.DOTALL), "(the terms)\n"),
    (re.compile(r"^      [-+@].*\n", re.MULTILINE), ""),
)


class Stage(Arena):
    """A terminal session: programs with text output, in a language, with typed input."""

    def request(self, program: str, *arguments: str, **options: Any) -> dict[str, Any]:
        made = super().request(program, *arguments, **options)
        # The simulated host has no systemd, even if this machine does.
        host = {"manner": "engine", "live": True, "host_name": "gw1"}
        return {**host, **made, "arguments": [*arguments, "--root", str(self.root)]}

    def reset(self) -> None:
        super().reset()
        kernel.lay_down(self.root)

    def shown(self, ended: Ended) -> str:
        """Return the text on the terminal: messages, then the result."""
        both = f"{ended.stderr}{ended.stdout}".replace(str(self.root), "").replace(
            str(self.directory), "/home"
        )
        return neutral(both)


def neutral(text: str) -> str:
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def installed(stage: Stage, language: str) -> Iterator[tuple[str, str]]:
    """Return the screens of an installation and of commands that show the gateway."""
    stage.reset()
    stage.write_answers({"eula": None, "site": None, "certificate": None, "server_name": None})
    place = stage.directory
    typed = f"maybe\nyes\n\n{place}/nothing.pem\n{place}/chain.pem\n{place}/key.pem\n7\n1\n"
    given = ("--answers", str(stage.answers))
    yield (
        "plan",
        stage.shown(stage.run("mstunnel-setup", "plan", *given, typed=typed, language=language, live=False)),
    )
    yield "installation", stage.shown(stage.run("mstunnel-setup", *given, typed=typed, language=language))
    for name, words in {
        "status": ("status",),
        "health": ("health",),
        "version": ("version",),
        "configuration": ("config", "show"),
        "certificate": ("cert", "check"),
        "server": ("server", "status"),
        "no-session": ("server", "disconnect", "user", "ada"),
        "explain": ("explain", "0b4a3b1c-7a5e-4b6e-9d2f-2f1f6c1d9e10"),
        "environment": ("env", "check"),
        "restart": ("server", "restart"),
    }.items():
        yield name, stage.shown(stage.run("mst-cli", *words, language=language))
    yield (
        "uninstallation",
        stage.shown(stage.run("mst-cli", "uninstall", *given, typed="perhaps\nyes\n", language=language)),
    )


def _another_site(stage: Stage, language: str) -> str:
    """Return the menu after a certificate that does not name the site."""
    stage.write_answers({"site": "Crash", "certificate": None})
    chain, private = Authority().issue("vpn.other.test", days=90)
    for name, content in (("foreign.pem", chain), ("foreign-key.pem", private)):
        (stage.directory / name).write_bytes(content)
        (stage.directory / name).chmod(0o600)
    given = ("--answers", str(stage.answers), "--cert", f"{stage.directory}/foreign.pem")
    key = ("--key", f"{stage.directory}/foreign-key.pem")
    return stage.shown(stage.run("mstunnel-setup", *given, *key, typed="\n9\nStop\n", language=language))


def failed(stage: Stage, language: str) -> Iterator[tuple[str, str]]:
    """Return the screens of the most frequent errors."""
    stage.reset()
    stage.write_answers({})
    nowhere = str(stage.directory / "nowhere.yaml")
    given = ("--answers", str(stage.answers), "--unattended")
    chain, key = f"{stage.directory}/chain.pem", f"{stage.directory}/renewed-key.pem"
    for name, program, words in (
        ("error-command", "mst-cli", ("stauts",)),
        ("error-option", "mst-cli", ("status", "--json")),
        ("error-not-installed", "mst-cli", ("server", "restart")),
        ("error-answer-file", "mstunnel-setup", ("--answers", nowhere)),
        ("error-answer-needed", "mstunnel-setup", ("--unattended",)),
        ("error-site", "mstunnel-setup", (*given, "--site", "Nowhere")),
        ("error-key", "mstunnel-setup", (*given, "--cert", chain, "--key", key)),
        ("error-check", "mst-readiness", ("explain", "no-such-check")),
        ("error-directory", "mstunnel-setup", (*given, "--cert", "/etc", "--key", key)),
        ("error-setting", "mst-cli", ("env", "set", "TRACE_SESSION", "1")),
    ):
        if program == "mst-readiness":
            yield name, readiness_shows(language, words)
        else:
            yield name, stage.shown(stage.run(program, *words, language=language))
    for error in (ENGINE_MISSING(engine="Docker"), ENGINE_NOT_RUNNING.example()):
        yield f"error-{error.code}", error_shown(error, language)
    stage.reset()
    yield "how-to-continue", _another_site(stage, language)


def judged(language: str) -> str:
    """Return the checks of a good host, then the findings of each on a bad one."""
    bad = [
        item
        for name, cases in BROKEN.items()
        for item in judge(CHECKS, facts(cases[0][0]))
        if item.id == name
    ]

    def show() -> None:
        for found in (judge(CHECKS, facts({})), bad):
            problems = tuple(Problem(item.id, item.seen, item.hint) for item in found if item.hint)
            result = Result(text=[*lines(found, verbose=True)], warnings=problems)
            Renderer("mst-readiness", OutputFormat.TEXT, Redactor()).show(result)

    return printed(show, language)


def error_shown(error: SetupError, language: str) -> str:
    def show() -> None:
        problems = (error.problem,)
        Renderer("mst-cli", OutputFormat.TEXT, Redactor()).show(Result("error", errors=problems))

    return printed(show, language)


def readiness_shows(language: str, words: tuple[str, ...]) -> str:
    with tempfile.TemporaryDirectory() as root:
        return printed(lambda: run_app(readiness, "mst-readiness", [*words, "--root", root]), language)


def printed(function: Callable[[], object], language: str) -> str:
    use(language)
    try:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
            function()
    finally:
        use("en")
    return neutral(out.getvalue())


@contextmanager
def screens() -> Iterator[Screens]:
    """Return all screens by name, with the content of their files."""
    with tempfile.TemporaryDirectory(prefix="screens-", dir="/tmp") as directory:
        stage = Stage(Path(directory))
        try:
            found: dict[str, list[str]] = {}
            for language, title in LANGUAGES.items():
                of_checks = {
                    "readiness": judged(language),
                    "readiness-explain": readiness_shows(language, ("explain", "ip-forward")),
                }
                every = (*installed(stage, language), *failed(stage, language), *of_checks.items())
                for name, text in every:
                    found.setdefault(name, []).append(f"== {title}\n\n{text}")
            yield {name: "\n".join(both) for name, both in found.items()}
        finally:
            stage.close()


@pytest.fixture(scope="module")
def shown() -> Iterator[Screens]:
    with screens() as found:
        yield found


@pytest.mark.parametrize("name", sorted(path.stem for path in SCREENS.glob("*.txt")))
def test_a_screen_is_as_it_was_reviewed(shown: Screens, name: str) -> None:
    wanted = (SCREENS / f"{name}.txt").read_text().splitlines()
    assert shown[name].splitlines() == wanted


def test_every_screen_has_a_file(shown: Screens) -> None:
    assert set(shown) == {path.stem for path in SCREENS.glob("*.txt")}


def main() -> None:
    """Write the files."""
    package_data.refresh()  # the Japanese screens need the compiled catalogue
    SCREENS.mkdir(exist_ok=True)
    with screens() as found:
        for path in SCREENS.glob("*.txt"):
            path.unlink()
        for name, text in found.items():
            (SCREENS / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
