"""env.sh means the same to this program, to a shell, and to the gateway's entry point."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from mstunnel_setup.base import rendering
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.gateway.env_file import EnvironmentFileError, assign, merge, parse, render
from tests.cases import every
from tests.refusals import refused

ENTRYPOINT = Path(__file__).parents[3] / "images/gateway/entrypoint"
# Draw printable characters, often those with a meaning in a shell.
PRINTABLE = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
VALUES = st.text(st.one_of(st.sampled_from("'\"\\$`~#;&|<>()*?[]{}=: %,-"), PRINTABLE), max_size=30)
RENDERED = VALUES.filter(lambda value: not ("'" in value and "!" in value))
# Draw control characters, and the two that shells treat differently in combination.
ODD = st.text(st.sampled_from("'!a\n"), min_size=2)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


def _shell_reads(text: str, names: list[str], directory: Path, shell: str) -> list[str]:
    """Return the variables of a shell that sources the file."""
    file = directory / "env.sh"
    file.write_bytes(text.encode())
    script = '. "$0"\nfor name; do eval "printf \'%s\\0\' \\"\\$$name\\""; done'
    done = subprocess.run([shell, "-c", script, str(file), *names], capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(RENDERED, min_size=1, max_size=60))
def test_a_shell_reads_what_was_rendered(values: list[str], shell: str, tmp_path: Path) -> None:
    names = [f"NAME_{number}" for number in range(len(values))]
    text = "".join(f"{render(name, value)}\n" for name, value in zip(names, values, strict=True))
    assert _shell_reads(text, names, tmp_path, shell) == values


@pytest.mark.parametrize(
    "line",
    [
        "A=",
        "A=plain",
        "A=''",
        'A=""',
        "A='two words'",
        'A="two words"',
        r'A="a \"quoted\" word"',
        r'A="\$HOME \`id\` \\"',
        "A='$HOME `id` \\'",
        "export A=1",
        "export   A=1",
        "export\tA=1",
        "  A=1",
        "\tA=1",
        "A=1  ",
        "A=1\t",
        "A=http://user:pa%20ss@proxy:3128/,b",
        "A=a=b",
        "A=1\nA=2",
        "# A=1\nA=3",
        "\n   \nA=4",
        "A=5 ",
    ],
)
def test_a_shell_reads_accepted_lines_alike(line: str, tmp_path: Path) -> None:
    ours = parse(line, "env.sh")
    assert _shell_reads(line, ["A"], tmp_path, "sh") == [ours["A"]]


REFUSED = {
    "word": "hello",
    "command": "rm -rf /",
    "command after": "A=1; id",
    "second command": "A=1 id",
    "background": "A=1&",
    "substitution": "A=$(id)",
    "backquotes": "A=`id`",
    "variable": "A=$HOME",
    "variable in quotes": 'A="$HOME"',
    "substitution in quotes": 'A="$(id)"',
    "backquotes in quotes": 'A="`id`"',
    "history": 'A="hello!"',
    "escape": r"A=a\ b",
    "unknown escape": r'A="a\nb"',
    "escape at the end": 'A="a\\"',
    "open single quote": "A='a",
    "open double quote": 'A="a',
    "quote inside": "A=a'b'",
    "joined quotes": "A='a''b'",
    "comment behind": "A=1 # one",
    "home": "A=~/x",
    "glob": "A=*",
    "space before =": "A =1",
    "space after =": "A= 1",
    "append": "A+=1",
    "array": "A[0]=1",
    "list": "A=(1 2)",
    "digit first": "1A=1",
    "dash": "A-B=1",
    "no name": "=1",
    "letters of other scripts": "ÄB=1",
    "bare letters of other scripts": "A=ä",
    "two exports": "export A=1 B=2",
    "export alone": "export A",
    "option": "export -n A=1",
    "readonly": "readonly A=1",
    "include": ". /etc/other",
    "redirection": "A=1>x",
    "continued": "A=1\\",
    "nul": "A=a\0b",
    "json": '{"A": 1}',
}


@every("line", REFUSED.values())
def test_everything_else_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(EnvironmentFileError) as caught:
        parse(f"# settings\nGOOD=1\n{line}\nMORE=1\n", "/etc/mstunnel/env.sh")
    error = caught.value
    assert (error.code, error.exit_code) == ("environment-line-invalid", ExitCode.STEP)
    assert error.message.startswith("/etc/mstunnel/env.sh, line 3 ")
    assert "NAME=value" in error.hint


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("https_proxy=http://svc:Tr0ub4dor!3$x@proxy:3128", ": https_proxy=…"),
        ("export https_proxy=http://svc:Tr0ub4dor!3$x@proxy:3128", ": https_proxy=…"),
        ("https_proxy = http://svc:Tr0ub4dor@proxy:3128", ": …"),
        ("Tr0ub4dor", ": …"),
    ],
)
def test_only_the_name_of_an_invalid_line_is_shown(line: str, shown: str) -> None:
    with pytest.raises(EnvironmentFileError) as caught:
        parse(line, "env.sh")
    assert caught.value.message.endswith(shown)
    assert "Tr0ub4dor" not in f"{caught.value.message!s} {caught.value.hint!s}"


@pytest.mark.parametrize(
    "line",
    [
        *(
            line.format(odd)
            for odd in "\u00a0\u2003\u3000"
            for line in ("A=1{}", "{}A=1", "export{}A=1", "export {}A=1")
        ),
        *(f"A=1{end}B=2\n" for end in "\r\x0b\x0c\x1c\x85\u2028\u2029"),
    ],
)
def test_unicode_space_or_line_end_is_refused(line: str) -> None:
    """A shell reads these as ordinary characters of the value."""
    with pytest.raises(EnvironmentFileError):
        parse(line, "env.sh")


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\t", "\x1b", "\x7f"])
def test_control_characters_are_not_written(character: str) -> None:
    with refused(EnvironmentFileError, "environment-value-invalid") as caught:
        render("NAME", f"a{character}b")
    assert character not in caught.value.message


def test_a_value_that_no_file_takes_is_refused() -> None:
    """An environment variable can contain bytes that are not UTF-8."""
    with refused(EnvironmentFileError, "environment-value-invalid"):
        merge(None, {}, {"https_proxy": "http://\udcff:3128"}, "env.sh")


@example(value="a\x85b")
@example(value="'!")
@given(value=st.one_of(VALUES, ODD, st.text(st.characters(exclude_categories=["Cs"]), max_size=20)))
def test_portable_one_line_value_is_read_back(value: str) -> None:
    odd = any(character < " " or character == "\x7f" for character in value)
    if odd or ("'" in value and "!" in value):
        with refused(EnvironmentFileError, "environment-value-invalid"):
            render("NAME", value)
    else:
        line = render("NAME", value)
        assert "\n" not in line
        assert parse(f"{line}\n", "env.sh") == {"NAME": value}


@given(text=st.text(max_size=60))
def test_no_file_makes_the_parser_fail_otherwise(text: str) -> None:
    with suppress(EnvironmentFileError):
        assert all(name.isascii() and name.isidentifier() for name in parse(text, "env.sh"))


def test_the_template_is_an_empty_file() -> None:
    assert parse(rendering.render("gateway/env.sh", settings={}), "env.sh") == {}
    assert merge(None, {}, {}, "env.sh") == rendering.render("gateway/env.sh", settings={})


def _merged(current: str | None, before: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    return parse(merge(current, before, wanted, "env.sh"), "env.sh")


def test_unedited_setting_follows_the_answers() -> None:
    assert _merged("A=1\n", {"A": "1"}, {"A": "2"}) == {"A": "2"}
    assert _merged("A=1\n", {"A": "1"}, {}) == {}


def test_edits_by_an_administrator_are_kept() -> None:
    assert _merged("A=9\n", {"A": "1"}, {"A": "2"}) == {"A": "9"}
    assert _merged("B=9\n", {}, {"B": "2"}) == {"B": "9"}
    assert _merged("", {"A": "1"}, {"A": "2"}) == {}


@pytest.mark.parametrize("text", ["# mine\n\nexport  Z='9'\n   # indented\nA=1\nB=\"b\"\n", "A=0\nA=1\n"])
def test_other_lines_and_a_name_given_twice_stay_as_they_are(text: str) -> None:
    assert merge(text, {"A": "1"}, {"A": "1"}, "env.sh") == text
    assert merge(text, {"A": "1"}, {"A": "1", "C": "3"}, "env.sh") == f"{text}C=3\n"


class EditedByTwo(RuleBasedStateMachine):
    """A state machine: an administrator edits the file and the installer runs, in any order."""

    edited = Bundle("edited")

    @initialize(wanted=st.dictionaries(NAMES, RENDERED, max_size=3))
    def install(self, wanted: dict[str, str]) -> None:
        self.text = merge(None, {}, wanted, "env.sh")
        self.before = wanted
        self.foreign: dict[str, str] = {}
        self.comments: list[str] = []
        assert parse(self.text, "env.sh") == wanted

    @rule(target=edited, name=NAMES, value=RENDERED)
    def an_administrator_adds_a_line(self, name: str, value: str) -> str:
        self.text += f"{render(name, value)}\n"
        self.foreign[name] = value
        return name

    @rule(comment=st.text(PRINTABLE, max_size=20))
    def an_administrator_adds_a_comment(self, comment: str) -> None:
        self.text += f"# {comment}\n"
        self.comments.append(f"# {comment}")

    @rule(wanted=st.dictionaries(NAMES, RENDERED, max_size=3))
    def the_installer_runs_again(self, wanted: dict[str, str]) -> None:
        # A typed value that equals the installer's may follow the answers, as both look the same.
        self.foreign = {name: value for name, value in self.foreign.items() if self.before.get(name) != value}
        self.text, self.before = merge(self.text, self.before, wanted, "env.sh"), wanted
        again = merge(self.text, wanted, wanted, "env.sh")
        assert parse(again, "env.sh") == parse(self.text, "env.sh")

    @rule(name=edited, value=RENDERED)
    def the_installer_wants_a_name_of_the_administrator(self, name: str, value: str) -> None:
        self.the_installer_runs_again({name: value})

    @invariant()
    def the_administrators_lines_are_there(self) -> None:
        assert parse(self.text, "env.sh").items() >= self.foreign.items()
        assert set(self.comments) <= set(self.text.split("\n"))


TestEditedByTwo = EditedByTwo.TestCase
TestEditedByTwo.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)


def _take_settings(text: str, directory: Path) -> dict[str, str]:
    """Return the settings that the entry point's functions export from another file."""
    (directory / "env.sh").write_bytes(text.encode())
    functions = ENTRYPOINT.read_text().partition("\ntrap ")[0]
    script = functions.replace("/etc/mstunnel/env.sh", str(directory / "env.sh")) + "\ntake_settings\nenv -0"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    found = dict(item.split("=", 1) for item in done.stdout.decode().split("\0")[:-1])
    taken = (*PROXIES, "client_to_client")
    return {name: value for name, value in found.items() if name.lower() in taken}


PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# HTTP_PROXY in capitals is left out on purpose: curl does not read it, since CGI sets it from requests.
TAKEN = (*PROXIES, "HTTPS_PROXY", "NO_PROXY", "CLIENT_TO_CLIENT")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(values={"http_proxy": "it's $1"})
@given(values=st.dictionaries(st.sampled_from(TAKEN), RENDERED, min_size=1))
def test_the_entry_point_reads_its_settings_alike(values: dict[str, str], tmp_path: Path) -> None:
    text = merge(None, {}, values, "env.sh")
    assert _take_settings(text, tmp_path) == values


@pytest.mark.parametrize(
    "text",
    [
        "no_proxy=a,b\n",
        "export no_proxy=a,b\n",
        "no_proxy=''\n",
        "no_proxy='a b'\n",
        'no_proxy="a b"\n',
        "no_proxy=a\nno_proxy=b\n",
        "A=1\n# no_proxy=x\n",
        "no_proxy=last-line-without-newline",
        "  no_proxy=indented\n",
        "export  no_proxy=two-spaces\n",
        "export\tno_proxy=tab\n",
        "no_proxy=space-behind  \n",
        'no_proxy="a \\"word\\" \\$x"\n',
    ],
)
def test_the_entry_point_reads_an_administrators_lines_alike(text: str, tmp_path: Path) -> None:
    expected = {name: value for name, value in parse(text, "env.sh").items() if name in TAKEN}
    assert _take_settings(text, tmp_path) == expected


LINES = st.lists(st.sampled_from(["# a comment", "", "export A=1", "B='x y'", "A=2", "C=3"]), max_size=6)


@given(lines=LINES, name=st.sampled_from(["A", "B", "NEW"]), value=st.none() | RENDERED)
def test_one_setting_is_assigned_and_no_other_line_changes(
    lines: list[str], name: str, value: str | None
) -> None:
    before = "".join(f"{line}\n" for line in lines)
    after = assign(before, name, value, "env.sh")
    expected = {key: text for key, text in parse(before, "env.sh").items() if key != name}
    assert parse(after, "env.sh") == expected | ({} if value is None else {name: value})

    def others(text: str) -> list[str]:
        return [line for line in text.splitlines() if name not in parse(f"{line}\n", "env.sh")]

    assert others(after) == others(before)
    assert assign(after, name, value, "env.sh") == after
